"""The fully connected layer."""

from typing import Any, Literal, overload

import numpy as np

from fastmlp import initializers, ops
from fastmlp.common.validation import positive_int, seed_int
from fastmlp.engine.plan import Core
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed, Parameter

__all__ = ["Linear"]


class Linear(Layer):
    """y = x W + b, a fully connected layer.

    Parameters
    ----------
    in_features : int
        D; the trailing axes of x are flattened to D features.
    out_features : int
        H.
    init : {"he", "glorot", "zeros"} or callable, default "he"
        How the weight is initialised, see `fastmlp.initializers`; the bias starts at zero.
    bias : bool, default True
        Whether the layer has a bias.
    seed : int, default 0
        Seed of the initial weight when the layer is used on its own.

    Attributes
    ----------
    weight : numpy.ndarray, shape (D, H)
    bias : numpy.ndarray, shape (H,), or None
        Both can be edited in place or assigned to.

    Raises
    ------
    TypeError, ValueError
        If a size is not a whole number >= 1, or the initializer is unknown.

    """

    in_features: Fixed[int] = Fixed(positive_int)
    out_features: Fixed[int] = Fixed(positive_int)
    has_bias: Fixed[bool] = Fixed(lambda name, value: bool(value))
    weight: Parameter[np.ndarray] = Parameter("The matrix W, shape (D, H).")
    bias: Parameter[np.ndarray | None] = Parameter("The vector b, shape (H,), or None.")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str | initializers.Initializer = "he",
        bias: bool = True,
        *,
        seed: int = 0,
    ):
        self.in_features = in_features
        self.out_features = out_features
        initializers.get(init)
        self.init: str | initializers.Initializer
        self.init = str(init) if isinstance(init, str) else init  # numpy.str_ becomes str
        self.has_bias = bias
        self.seed: int = seed_int("seed", seed)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weight, (D, H), and of the bias, (H,)."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.in_features, self.out_features)}
        if self.has_bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return a random weight and a zero bias."""
        shape = (self.in_features, self.out_features)
        weight = np.asarray(initializers.get(self.init)(rng, *shape), dtype=np.float64)
        if weight.shape != shape:
            raise ValueError(f"init must return an array of shape {shape}, got {weight.shape}")
        values = {"weight": weight}
        if self.has_bias:
            values["bias"] = np.zeros(self.out_features)
        return values

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x W + b, shape (N, H), for x of shape (N, ...) with D features per row."""
        self._x = self._enter(x, self.in_features)
        y = ops.affine(self._x, self.params["weight"], self.params.get("bias"))
        return self._leave(y, y.shape)

    @overload
    def backward(self, dy: np.ndarray, *, need_dx: Literal[True] = True) -> np.ndarray: ...
    @overload
    def backward(self, dy: np.ndarray, *, need_dx: bool) -> np.ndarray | None: ...
    def backward(self, dy: np.ndarray, *, need_dx: bool = True) -> np.ndarray | None:
        """Return dL/dx = dy W' in the shape of x; dL/dW = x' dy, dL/db = sum of dy over rows.

        With ``need_dx=False``, skip dL/dx and return None.
        """
        dy = self._enter_gradient(dy, self.out_features)
        weight, grads = self.params["weight"], self.grads
        dx = ops.affine_backward(
            dy, self._x, weight, grads["weight"], grads.get("bias"), need_dx=need_dx
        )
        return None if dx is None else self._leave(dx)

    def backward_first(self, dy: np.ndarray) -> None:
        """Compute dL/dW and dL/db only."""
        if type(self).backward is Linear.backward:
            self.backward(dy, need_dx=False)
        else:  # of a user's subclass, which may not know need_dx
            self.backward(dy)

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("affine", self.out_features)

    @property
    def input_width(self) -> int:
        """The number of input features, D."""
        return self.in_features

    def output_width(self, width: int) -> int:
        """Return H, after checking that ``width`` is D."""
        super().output_width(width)
        return self.out_features

    def config(self) -> dict[str, Any]:
        """Return the sizes, the initializer if it has a name, and ``bias`` if it is False."""
        config: dict[str, Any] = {
            "in_features": self.in_features,
            "out_features": self.out_features,
        }
        if isinstance(self.init, str) and self.init != "he":
            config["init"] = self.init
        if not self.has_bias:
            config["bias"] = False
        return config

    def __repr__(self) -> str:
        """Show the sizes and the arguments that differ from their defaults."""
        rest = list(self.config().items())[2:]
        more = "".join(f", {name}={value!r}" for name, value in rest)
        return f"Linear({self.in_features}, {self.out_features}{more})"
