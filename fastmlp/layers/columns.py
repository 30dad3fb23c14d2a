"""Layers that treat each column of a table on its own."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.validation import positive_int
from fastmlp.engine.plan import Core
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed

# What `fastmlp` and `fastmlp.layers` show.
__all__ = ["Scale"]


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
