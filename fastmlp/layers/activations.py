"""Activation functions as layers. The formulas are computed by `fastmlp.ops.activation`."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Setting
from fastmlp.validation import non_negative

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Tanh",
]


class Activation(Layer):
    """Base: y = f(x) for each element, dL/dx = dy * f'(x). x may have any shape.

    Attributes
    ----------
    kind : str
        The name of f in `fastmlp.ops.activation`.
    alpha : float
        Its parameter, 0 where it has none.

    """

    kind = "identity"
    alpha = 0.0

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return f(x)."""
        self._x = self._enter(x)
        self._y = ops.activation(self.kind, self._x, self.alpha)
        return self._leave(self._y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy * f'(x)."""
        dy = self._enter_gradient(dy)
        return self._leave(ops.activation_backward(self.kind, dy, self._x, self._y, self.alpha))


class ReLU(Activation):
    """max(0, x); its derivative at 0 is 0."""

    kind = "relu"


class LeakyReLU(Activation):
    """x where x > 0, else negative_slope * x (Maas et al., 2013).

    Parameters
    ----------
    negative_slope : float, default 0.01
        >= 0.

    """

    kind = "leaky_relu"
    negative_slope = Setting(non_negative)

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    @property
    def alpha(self) -> float:  # type: ignore[override]
        """The slope."""
        return self.negative_slope

    def config(self) -> dict[str, Any]:
        """The slope."""
        return {"negative_slope": self.negative_slope}


class ELU(Activation):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al., 2016).

    Parameters
    ----------
    alpha : float, default 1.0
        >= 0.

    """

    kind = "elu"
    alpha = Setting(non_negative)  # type: ignore[assignment]

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def config(self) -> dict[str, Any]:
        """alpha."""
        return {"alpha": self.alpha}


class SELU(Activation):
    """lambda * x where x > 0, else lambda * alpha * (exp(x) - 1) (Klambauer et al., 2017).

    lambda = 1.0507009873554805, alpha = 1.6732632423543772: mean 0 and variance 1 are kept.
    """

    kind = "selu"


class GELU(Activation):
    """x * Phi(x), Phi the normal distribution function, by erf (Hendrycks and Gimpel, 2016)."""

    kind = "gelu"


class SiLU(Activation):
    """x * sigmoid(x), also called swish (Elfwing et al., 2018)."""

    kind = "silu"


class Mish(Activation):
    """x * tanh(log(1 + exp(x))) (Misra, 2019)."""

    kind = "mish"


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"


class Tanh(Activation):
    """The hyperbolic tangent."""

    kind = "tanh"


ACTIVATIONS: dict[str, type[Activation]] = {
    layer.kind: layer for layer in (ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Sigmoid, Tanh)
}
