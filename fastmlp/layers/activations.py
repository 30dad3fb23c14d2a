"""Activation functions as layers; `fastmlp.ops.activation` computes them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from fastmlp import ops
from fastmlp.common.validation import non_negative
from fastmlp.engine.plan import Elementwise
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Setting

# What `fastmlp` shows; `fastmlp.layers` shows ACTIVATIONS and Activation too.
__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]

Lowering: TypeAlias = Callable[..., Elementwise]


class Activation(Layer):
    """Base class of activations: y = f(x), dL/dx = dy * f'(x), elementwise for x of any shape.

    Attributes
    ----------
    kind : str
        The name of f in `fastmlp.ops.activation`.
    alpha : float
        The parameter of f, 0 if it has none.

    """

    kind: str = "identity"
    alpha: float = 0.0

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return f(x)."""
        self._x = self._enter(x)
        self._y = ops.activation(self.kind, self._x, self.alpha)
        return self._leave(self._y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy * f'(x)."""
        dy = self._enter_gradient(dy)
        return self._leave(ops.activation_backward(self.kind, dy, self._x, self._y, self.alpha))

    def elementwise(self, width: int) -> Elementwise:
        """Describe the layer to the engine; each built-in class has it as ``lowered``."""
        return Elementwise(self.kind, self.alpha)


class ReLU(Activation):
    """max(0, x); its derivative at 0 is 0."""

    kind = "relu"
    lowered: Lowering = Activation.elementwise


class LeakyReLU(Activation):
    """x where x > 0, else negative_slope * x (Maas et al., 2013).

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope for x < 0; must be >= 0.

    """

    kind = "leaky_relu"
    lowered: Lowering = Activation.elementwise
    negative_slope: Setting[float] = Setting(non_negative)

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    @property
    def alpha(self) -> float:  # type: ignore[override] - is a setting
        """``negative_slope``, under the name that the kernels use."""
        return self.negative_slope

    def config(self) -> dict[str, Any]:
        """Return ``negative_slope`` by name."""
        return {"negative_slope": self.negative_slope}


class ELU(Activation):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al., 2016).

    Parameters
    ----------
    alpha : float, default 1.0
        Negative limit of the output; must be >= 0.

    """

    kind = "elu"
    lowered: Lowering = Activation.elementwise
    alpha: Setting[float] = Setting(non_negative)  # type: ignore[assignment] # reads as a float

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha  # type: ignore[override] # a Setting reads as a float

    def config(self) -> dict[str, Any]:
        """Return ``alpha`` by name."""
        return {"alpha": self.alpha}


class SELU(Activation):
    """lambda * x where x > 0, else lambda * alpha * (exp(x) - 1) (Klambauer et al., 2017).

    lambda = 1.0507009873554805 and alpha = 1.6732632423543772 preserve mean 0 and variance 1.
    """

    kind = "selu"
    lowered: Lowering = Activation.elementwise


class GELU(Activation):
    """x * Phi(x), with the exact normal CDF Phi, not tanh (Hendrycks and Gimpel, 2016)."""

    kind = "gelu"
    lowered: Lowering = Activation.elementwise


class SiLU(Activation):
    """x * sigmoid(x), also called swish (Elfwing et al., 2018)."""

    kind = "silu"
    lowered: Lowering = Activation.elementwise


class Mish(Activation):
    """x * tanh(log(1 + exp(x))) (Misra, 2019)."""

    kind = "mish"
    lowered: Lowering = Activation.elementwise


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    lowered: Lowering = Activation.elementwise


class Softplus(Activation):
    """log(1 + exp(x)), a smooth ReLU (Dugas et al., 2001)."""

    kind = "softplus"
    lowered: Lowering = Activation.elementwise


class Tanh(Activation):
    """tanh(x), the hyperbolic tangent."""

    kind = "tanh"
    lowered: Lowering = Activation.elementwise


ACTIVATIONS: dict[str, type[Activation]] = {
    layer.kind: layer
    for layer in (ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Softplus, Sigmoid, Tanh)
}
"""Name, as on the command line and in the kernels' table -> the layer."""
