"""The formulas of the layers that work on rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.formulas.functions import row_mean

__all__ = ["CORES", "normalize"]


def affine(x: Any, weight: Any, bias: Any = None) -> Any:
    """x W + b."""
    y = x @ weight
    return y if bias is None else y + bias


def batch_norm(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, eps: float
) -> Any:
    """gamma (x - mean) / sqrt(var + eps) + beta, with the running statistics."""
    return (x - running_mean) * (gamma / np.sqrt(running_var + eps)) + beta


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """gamma (x - mean) / sqrt(var + eps) + beta, with each row's statistics."""
    centred = x - row_mean(x)
    return centred / np.sqrt(row_mean(centred * centred) + eps) * gamma + beta


def rms_norm(x: Any, gamma: Any, eps: float) -> Any:
    """gamma x / sqrt(mean(x**2) + eps), with each row's mean."""
    return x / np.sqrt(row_mean(x * x) + eps) * gamma


def normalize(x: Any, mean: Any, std: Any) -> Any:
    """(x - mean) / std."""
    return (x - mean) * (1 / std)


CORES: dict[str, Callable[..., Any]] = {
    formula.__name__: formula for formula in (affine, batch_norm, layer_norm, rms_norm)
}
"""Name in ``kernels.cores`` -> formula."""
