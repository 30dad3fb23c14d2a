"""Layers that treat each column of a table on its own."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.errors import unknown
from fastmlp.common.validation import positive_int
from fastmlp.engine.plan import Core
from fastmlp.layers.activations import ACTIVATIONS
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed

# What `fastmlp` and `fastmlp.layers` show.
__all__ = ["ParametricActivation", "Scale"]


class Scale(Layer):
    """y = s x with a trained factor for each column, which starts at 1.

    Parameters
    ----------
    n_features : int
        D.

    """

    n_features: Fixed[int] = Fixed(positive_int)

    def __init__(self, n_features: int):
        self.n_features = n_features

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the scale, (D,)."""
        return {"scale": (self.n_features,)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return factors of 1."""
        return {"scale": np.ones(self.n_features)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return each column of x times its factor."""
        self._x = self._enter(x, self.n_features)
        return self._leave(ops.scale(self._x, self.params["scale"]))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx = s dy; dL/ds = sum of dy x over the rows."""
        dy = self._enter_gradient(dy)
        dx = ops.scale_backward(dy, self._x, self.params["scale"], self.grads["scale"])
        return self._leave(dx)

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("scale", self.n_features)

    @property
    def input_width(self) -> int:
        """The number of input features, D."""
        return self.n_features

    def config(self) -> dict[str, Any]:
        """Return ``n_features`` by name."""
        return {"n_features": self.n_features}


def _activation(name: str, value: Any) -> str:
    """Return the name of a known activation."""
    if value not in ACTIVATIONS:
        raise unknown(name, value, ACTIVATIONS)
    return str(value)


class ParametricActivation(Layer):
    """y = x + a (f(x) - x) with a trained share a of the activation f in each column, from 1.

    Parameters
    ----------
    n_features : int
        D.
    activation : str
        A name in `fastmlp.layers.ACTIVATIONS`; f has its default settings.

    """

    n_features: Fixed[int] = Fixed(positive_int)
    activation: Fixed[str] = Fixed(_activation)

    def __init__(self, n_features: int, activation: str):
        self.n_features = n_features
        self.activation = activation

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the shares, (D,)."""
        return {"mixing": (self.n_features,)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return shares of 1."""
        return {"mixing": np.ones(self.n_features)}

    @property
    def alpha(self) -> float:
        """The number of f, 0 if it has none."""
        return ACTIVATIONS[self.activation]().alpha

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x + a (f(x) - x)."""
        self._x = self._enter(x, self.n_features)
        return self._leave(ops.mix(self.activation, self._x, self.params["mixing"], self.alpha))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx = dy (1 - a + a f'(x)); dL/da = sum of dy (f(x) - x) over the rows."""
        dy = self._enter_gradient(dy)
        mixing, dmixing = self.params["mixing"], self.grads["mixing"]
        return self._leave(
            ops.mix_backward(self.activation, dy, self._x, mixing, dmixing, self.alpha)
        )

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        numbers = (self.alpha,)
        return Core("parametric", self.n_features, numbers, activation=self.activation)

    @property
    def input_width(self) -> int:
        """The number of input features, D."""
        return self.n_features

    def config(self) -> dict[str, Any]:
        """Return both arguments by name."""
        return {"n_features": self.n_features, "activation": self.activation}
