"""The formulas of activations: y = f(z), with alpha where there is one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.formulas.functions import erfc, logistic, rectified, where

__all__ = ["ACTIVATIONS"]

# Klambauer et al., Self-Normalizing Neural Networks, 2017, equation 14.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805
_SQRT_HALF = 0.7071067811865476


def relu(z: Any) -> Any:
    """max(0, z)."""
    return rectified(z)


def leaky_relu(z: Any, alpha: float) -> Any:
    """z where z >= 0, else alpha z."""
    return where(z < 0, alpha * z, z)


def elu(z: Any, alpha: float) -> Any:
    """z where z > 0, else alpha (e**z - 1)."""
    return where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0)))


def selu(z: Any) -> Any:
    """s z where z > 0, else s a (e**z - 1)."""
    return _SELU_SCALE * elu(z, _SELU_ALPHA)


def sigmoid(z: Any) -> Any:
    """1 / (1 + e**-z)."""
    return logistic(z)


def tanh(z: Any) -> Any:
    """tanh(z)."""
    return np.tanh(z)


def gelu(z: Any) -> Any:
    """z Phi(z)."""
    return z * (0.5 * erfc(-_SQRT_HALF * z))


def silu(z: Any) -> Any:
    """z / (1 + e**-z)."""
    return z * logistic(z)


def mish(z: Any) -> Any:
    """z tanh(ln(1 + e**z)) = z n / (n + 2) with n = e**2z + 2e**z."""
    e = np.exp(np.minimum(z, 20.0))
    n = e * (e + 2.0)
    return z * (n / (n + 2.0))


def softplus(z: Any) -> Any:
    """log(1 + e**z) = max(z, 0) + log(1 + e**-|z|)."""
    return rectified(z) + np.log1p(np.exp(-np.abs(z)))


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    formula.__name__: formula
    for formula in (relu, leaky_relu, elu, selu, sigmoid, tanh, gelu, silu, mish, softplus)
}
"""Name in ``kernels.activations`` -> formula."""
