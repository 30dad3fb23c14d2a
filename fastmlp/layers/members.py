"""Layers of an ensemble whose members share most of their parameters, as TabM's do.

A row holds the columns of all members one after the other, so activations and dropout in between
are the usual layers.
"""

import math
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.validation import positive_int
from fastmlp.engine.plan import Core
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed, Parameter

# What `fastmlp` and `fastmlp.layers` show.
__all__ = ["MemberHeads", "Members", "SharedLinear"]

_GRAIN = 16  # columns: each member begins on a cache line


def _whole_lines(name: str, value: Any) -> int:
    """Return a size that is a multiple of 16."""
    number = positive_int(name, value)
    if number % _GRAIN:
        raise ValueError(f"{name} must be a multiple of {_GRAIN}, got {number}")
    return number


class Members(Layer):
    """Makes k members of each row: y = [r_1 x, 0, r_2 x, 0, ...], with a trained r for each.

    Each member's columns are followed by zeros up to ``width`` columns.

    Parameters
    ----------
    n_features : int
        D.
    n_members : int, default 32
        k.

    Attributes
    ----------
    width : int
        D, rounded up to a multiple of 16.
    weight : numpy.ndarray, shape (k, D)
        The factors r, which start at -1 or 1 at random.

    """

    n_features: Fixed[int] = Fixed(positive_int)
    n_members: Fixed[int] = Fixed(positive_int)
    weight: Parameter[np.ndarray] = Parameter("The factors, shape (k, D).")

    def __init__(self, n_features: int, n_members: int = 32):
        self.n_features = n_features
        self.n_members = n_members

    @property
    def width(self) -> int:
        """The number of columns of a member."""
        return -(-self.n_features // _GRAIN) * _GRAIN

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the factors, (k, D)."""
        return {"weight": (self.n_members, self.n_features)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return random signs."""
        return {"weight": rng.choice((-1.0, 1.0), (self.n_members, self.n_features))}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the columns of all members, shape (N, k * width)."""
        self._x = self._enter(x, self.n_features)
        y = ops.members(self._x, self.params["weight"], self.width)
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx = sum of r dy over the members; dL/dr = sum of dy x over the rows."""
        dy = self._enter_gradient(dy, self.output_width(self.n_features))
        weight, dweight = self.params["weight"], self.grads["weight"]
        return self._leave(ops.members_backward(dy, self._x, weight, dweight, self.width))

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        sizes = (self.n_members, self.width)
        return Core("members", self.n_members * self.width, sizes=sizes)

    @property
    def input_width(self) -> int:
        """The number of input features, D."""
        return self.n_features

    def output_width(self, width: int) -> int:
        """Return k * width, after checking that the argument is D."""
        super().output_width(width)
        return self.n_members * self.width

    def config(self) -> dict[str, Any]:
        """Return both arguments by name."""
        return {"n_features": self.n_features, "n_members": self.n_members}


class _OfMembers(Layer):
    """Base class of layers with the same number of inputs and outputs for each member."""

    in_features: Fixed[int]
    out_features: Fixed[int]
    n_members: Fixed[int] = Fixed(positive_int)
    weight: Parameter[np.ndarray] = Parameter("The weight.")
    bias: Parameter[np.ndarray] = Parameter("The bias.")

    def __init__(self, in_features: int, out_features: int, n_members: int = 32):
        self.in_features = in_features
        self.out_features = out_features
        self.n_members = n_members

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return uniform numbers between +-1 / sqrt(D)."""
        limit = 1.0 / math.sqrt(self.in_features)
        shapes = self.param_shapes().items()
        return {name: rng.uniform(-limit, limit, shape) for name, shape in shapes}

    @property
    def input_width(self) -> int:
        """The number of input features, k D."""
        return self.n_members * self.in_features

    def output_width(self, width: int) -> int:
        """Return k H, after checking that ``width`` is k D."""
        super().output_width(width)
        return self.n_members * self.out_features

    def config(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "n_members": self.n_members,
        }


class SharedLinear(_OfMembers):
    """y = x W + b for each of k members, which share W and b.

    Parameters
    ----------
    in_features, out_features : int
        D and H of one member; multiples of 16.
    n_members : int, default 32
        k.

    Attributes
    ----------
    weight : numpy.ndarray, shape (D, H)
    bias : numpy.ndarray, shape (H,)

    """

    in_features: Fixed[int] = Fixed(_whole_lines)
    out_features: Fixed[int] = Fixed(_whole_lines)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weight, (D, H), and of the bias, (H,)."""
        return {"weight": (self.in_features, self.out_features), "bias": (self.out_features,)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the outputs of all members, shape (N, k H)."""
        x = self._enter(x, self.input_width)
        self._x = x.reshape(-1, self.in_features)
        y = ops.affine(self._x, self.params["weight"], self.params["bias"])
        y = y.reshape(len(x), -1)
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx = dy W'; the gradients of W and b are sums over all members' rows."""
        width = self.n_members * self.out_features
        dy = self._enter_gradient(dy, width).reshape(-1, self.out_features)
        weight, grads = self.params["weight"], self.grads
        dx = ops.affine_backward(dy, self._x, weight, grads["weight"], grads["bias"])
        assert dx is not None, "it is needed"
        return self._leave(dx)

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("shared_affine", self.n_members * self.out_features, sizes=(self.n_members,))


class MemberHeads(_OfMembers):
    """y = x W_m + b_m for each member m, with a weight and a bias of its own.

    Parameters
    ----------
    in_features, out_features : int
        D and C of one member.
    n_members : int, default 32
        k.

    Attributes
    ----------
    weight : numpy.ndarray, shape (k, C, D)
        Stored output by output.
    bias : numpy.ndarray, shape (k * C,)

    """

    in_features: Fixed[int] = Fixed(positive_int)
    out_features: Fixed[int] = Fixed(positive_int)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weight, (k, C, D), and of the bias, (k * C,)."""
        k, n_out = self.n_members, self.out_features
        return {"weight": (k, n_out, self.in_features), "bias": (k * n_out,)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the outputs of all members, shape (N, k C)."""
        self._x = self._enter(x, self.input_width)
        y = ops.heads(self._x, self.params["weight"], self.params["bias"])
        return self._leave(y, y.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx."""
        dy = self._enter_gradient(dy, self.n_members * self.out_features)
        grads = self.grads
        return self._leave(
            ops.heads_backward(dy, self._x, self.params["weight"], grads["weight"], grads["bias"])
        )

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("heads", self.n_members * self.out_features, sizes=(self.n_members,))
