"""Layers that make several columns of one: of codes, or of numbers."""

import math
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.validation import positive, positive_int
from fastmlp.engine.plan import Core
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed, Parameter

# What `fastmlp` and `fastmlp.layers` show.
__all__ = ["Embedding", "PeriodicEmbedding", "PiecewiseLinearEmbedding"]


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
    weight: Parameter[np.ndarray] = Parameter("All parameters, a row for each number.")

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


class PiecewiseLinearEmbedding(_Widening):
    """x becomes w0 x + b0 + sum over bins t of s_t W_t, which bends at the edges of the bins.

    Inside bin t, s_t rises from 0 to 1; below it is 0 and above 1, but the first bin goes on below
    and the last one above (Gorishniy, Rubachev and Babenko, 2022). The first columns of the input
    are numbers; the others stay, after them.

    Parameters
    ----------
    n_features : int
        The number of input features.
    n_numbers : int
        How many of them are numbers.
    n_bins : int, default 48
        The most bins of a number.
    width : int, default 16
        Outputs of each number.

    Attributes
    ----------
    weight : numpy.ndarray, shape (n_numbers, (n_bins + 2) * width)
        A row [w0, b0, W] for each number; W starts at zero.
    edges : numpy.ndarray, shape (n_numbers, n_bins + 1)
        The edges of each number's bins, in order. They are not trained. To have fewer bins, repeat
        the last edge. They start at 0: no bins at all.

    """

    n_numbers: Fixed[int] = Fixed(positive_int)
    n_bins: Fixed[int] = Fixed(positive_int)
    width: Fixed[int] = Fixed(positive_int)
    weight: Parameter[np.ndarray] = Parameter("All parameters, a row for each number.")

    def __init__(self, n_features: int, n_numbers: int, n_bins: int = 48, width: int = 16):
        self.n_features = n_features
        self.n_numbers = n_numbers
        self.n_bins = n_bins
        self.width = width
        self._some_of(self.n_numbers, "n_numbers")

    @property
    def edges(self) -> np.ndarray:
        """The edges of the bins, a row for each number."""
        return self.state["edges"]

    @edges.setter
    def edges(self, value: Any) -> None:
        array = np.asarray(value, np.float64)
        if not np.isfinite(array).all() or (np.diff(array, axis=-1) < 0).any():
            raise ValueError("edges must be finite numbers that do not decrease in a row")
        self.state["edges"] = array

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the weight."""
        return {"weight": (self.n_numbers, (self.n_bins + 2) * self.width)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return w0 and b0 uniform in +-1 / sqrt(width), and W = 0."""
        limit, n_linear = 1.0 / math.sqrt(self.width), 2 * self.width
        weight = np.zeros(self.param_shapes()["weight"])
        weight[:, :n_linear] = rng.uniform(-limit, limit, (self.n_numbers, n_linear))
        return {"weight": weight}

    def start_state(self) -> dict[str, np.ndarray]:
        """Return edges of 0."""
        return {"edges": np.zeros((self.n_numbers, self.n_bins + 1))}

    @property
    def widening(self) -> int:
        """The number of columns that the layer adds."""
        return self.n_numbers * (self.width - 1)

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return ``width`` columns for each number, then the other columns."""
        self._x = self._enter(x, self.n_features)
        y = ops.piecewise(self._x, self.params["weight"], self.state["edges"])
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx; at an edge, the derivative from below."""
        dy = self._enter_gradient(dy, self.output_width(self.n_features))
        weight, edges = self.params["weight"], self.state["edges"]
        return self._leave(ops.piecewise_backward(dy, self._x, weight, edges, self.grads["weight"]))

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        sizes = (self.n_numbers, self.n_bins, self.width)
        return Core("piecewise", self.n_features + self.widening, sizes=sizes)

    def config(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return {
            "n_features": self.n_features,
            "n_numbers": self.n_numbers,
            "n_bins": self.n_bins,
            "width": self.width,
        }
