"""Layers that treat each column of a table on its own."""

import math
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.errors import unknown
from fastmlp.common.validation import positive, positive_int
from fastmlp.engine.plan import Core
from fastmlp.layers.activations import ACTIVATIONS
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed

# What `fastmlp` and `fastmlp.layers` show.
__all__ = ["Embedding", "ParametricActivation", "PeriodicEmbedding", "Scale"]


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
        self._f = ops.activation(self.activation, self._x, self.alpha)
        return self._leave(ops.mix(self._x, self._f, self.params["mixing"]))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx = dy (1 - a + a f'(x)); dL/da = sum of dy (f(x) - x) over the rows."""
        dy = self._enter_gradient(dy)
        dx = ops.activation_backward(self.activation, dy, self._x, self._f, self.alpha)
        mixing, dmixing = self.params["mixing"], self.grads["mixing"]
        return self._leave(ops.mix_backward(dy, self._x, self._f, dx, mixing, dmixing))

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


class _Widening(Layer):
    """Base class of layers that make several columns of one."""

    n_features: Fixed[int] = Fixed(positive_int)

    @property
    def input_width(self) -> int:
        """The number of input features."""
        return self.n_features

    @property
    def widening(self) -> int:
        """The number of columns that the layer adds."""
        raise NotImplementedError

    def output_width(self, width: int) -> int:
        """Return the number of output features, after checking that of the input."""
        return super().output_width(width) + self.widening

    def _some_of(self, n: int, of_what: str) -> None:
        """Raise ValueError if there are more of these columns than features."""
        if n > self.n_features:
            raise ValueError(
                f"{of_what} must be at most n_features, which is {self.n_features}, got {n}"
            )


class Embedding(_Widening):
    """Rows of a trained table in place of codes; the other columns stay.

    The last columns of the input hold row numbers of the table. Several categories can share one
    table if the codes of each begin where those of the one before end. Anything that is no row
    number counts as row 0.

    Parameters
    ----------
    n_features : int
        The number of input features, codes included.
    n_codes : int
        How many of them are codes.
    n_values : int
        The number of rows of the table.
    width : int, default 8
        The number of columns of the table, which starts at normal random numbers.

    """

    n_codes: Fixed[int] = Fixed(positive_int)
    n_values: Fixed[int] = Fixed(positive_int)
    width: Fixed[int] = Fixed(positive_int)

    def __init__(self, n_features: int, n_codes: int, n_values: int, width: int = 8):
        self.n_features = n_features
        self.n_codes = n_codes
        self.n_values = n_values
        self.width = width
        self._some_of(self.n_codes, "n_codes")

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the table."""
        return {"table": (self.n_values, self.width)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return normal random numbers."""
        return {"table": rng.standard_normal((self.n_values, self.width))}

    @property
    def widening(self) -> int:
        """The number of columns that the layer adds."""
        return self.n_codes * (self.width - 1)

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the columns that are no codes, then a row of the table for each code."""
        self._x = self._enter(x, self.n_features)
        y = ops.embedding(self._x, self.params["table"], self.n_codes)
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, which is 0 for codes, and add dy to the gradient of the rows used."""
        dy = self._enter_gradient(dy, self.output_width(self.n_features))
        return self._leave(ops.embedding_backward(dy, self._x, self.grads["table"], self.n_codes))

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        sizes = (self.n_codes, self.n_values, self.width)
        return Core("embedding", self.n_features + self.widening, sizes=sizes)

    def config(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return {
            "n_features": self.n_features,
            "n_codes": self.n_codes,
            "n_values": self.n_values,
            "width": self.width,
        }


class PeriodicEmbedding(_Widening):
    """Waves of each number, mixed: x becomes [W2' cos(2 pi w1 x + b1) + b2, x].

    This is PBLD of Holzmueller, Grinsztajn and Steinwart, 2024. The first columns of the input are
    numbers; the others stay, after them.

    Parameters
    ----------
    n_features : int
        The number of input features.
    n_numbers : int
        How many of them are numbers.
    n_waves : int, default 16
        Frequencies w1 of each number.
    n_made : int, default 3
        Outputs of each number besides itself.
    sigma : float, default 0.1
        The deviation of the first frequencies.

    Attributes
    ----------
    weight : numpy.ndarray, shape (n_numbers, (n_made + 2) * n_waves + n_made)
        A row [w1, b1, W2, b2] for each number; W2 is stored output by output.

    """

    n_numbers: Fixed[int] = Fixed(positive_int)
    n_waves: Fixed[int] = Fixed(positive_int)
    n_made: Fixed[int] = Fixed(positive_int)

    def __init__(
        self, n_features: int, n_numbers: int, n_waves: int = 16, n_made: int = 3,
        sigma: float = 0.1,
    ):  # fmt: skip
        self.n_features = n_features
        self.n_numbers = n_numbers
        self.n_waves = n_waves
        self.n_made = n_made
        self.sigma: float = positive("sigma", sigma)
        self._some_of(self.n_numbers, "n_numbers")

    @property
    def weight(self) -> np.ndarray:
        """All parameters, a row for each number."""
        return self.params["weight"]

    @weight.setter
    def weight(self, value: Any) -> None:
        self.params["weight"] = value

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the weight."""
        n_row = (self.n_made + 2) * self.n_waves + self.n_made
        return {"weight": (self.n_numbers, n_row)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return normal w1, uniform b1 in +-pi, and uniform W2 and b2 in +-1 / sqrt(n_waves)."""
        n, limit = self.n_numbers, 1.0 / math.sqrt(self.n_waves)
        parts = (
            self.sigma * rng.standard_normal((n, self.n_waves)),
            rng.uniform(-math.pi, math.pi, (n, self.n_waves)),
            rng.uniform(-limit, limit, (n, (self.n_waves + 1) * self.n_made)),
        )
        return {"weight": np.concatenate(parts, axis=1)}

    @property
    def widening(self) -> int:
        """The number of columns that the layer adds."""
        return self.n_numbers * self.n_made

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return n_made + 1 columns for each number, then the other columns."""
        self._x = self._enter(x, self.n_features)
        y = ops.periodic(self._x, self.params["weight"], self.n_waves, self.n_made)
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx."""
        dy = self._enter_gradient(dy, self.output_width(self.n_features))
        weight, dweight = self.params["weight"], self.grads["weight"]
        return self._leave(
            ops.periodic_backward(dy, self._x, weight, dweight, self.n_waves, self.n_made)
        )

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        sizes = (self.n_numbers, self.n_waves, self.n_made)
        return Core("periodic", self.n_features + self.widening, sizes=sizes)

    def config(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return {
            "n_features": self.n_features,
            "n_numbers": self.n_numbers,
            "n_waves": self.n_waves,
            "n_made": self.n_made,
            "sigma": self.sigma,
        }
