"""Numerical gradients by central differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.gradcheck import numerical_gradient

__all__ = ["eval_numerical_gradient", "eval_numerical_gradient_array"]


def eval_numerical_gradient(
    f: Callable[[np.ndarray], Any], x: np.ndarray, verbose: bool = True, h: float = 1e-5
) -> np.ndarray:
    """Return the gradient at x of f, whose value is a single number.

    Parameters
    ----------
    f : callable
        It may ignore its argument and read x itself, which is changed in place between calls.
    x : float64 array
    verbose : bool, default True
        Whether to print each index with its derivative.
    h : float, default 1e-5

    """
    gradient = numerical_gradient(f, x, h=h)
    if verbose:
        for place in np.ndindex(x.shape):
            print(place, gradient[place])
    return gradient


def eval_numerical_gradient_array(
    f: Callable[[np.ndarray], Any], x: np.ndarray, df: Any, h: float = 1e-5
) -> np.ndarray:
    """Return the gradient at x of sum(f(x) * df), where the value of f is an array."""
    return numerical_gradient(f, x, df, h=h)
