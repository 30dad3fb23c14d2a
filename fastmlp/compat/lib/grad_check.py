"""Numerical gradients by central differences, and the relative error of two arrays."""

from typing import Any

from fastmlp.compat.cs231n.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
)
from fastmlp.gradcheck import relative_error

__all__ = ["eval_numerical_gradient", "eval_numerical_gradient_array", "rel_error"]


def rel_error(x: Any, y: Any) -> float:
    """Return max |x - y| / max(1e-8, |x| + |y|)."""
    return relative_error(x, y)
