"""Norms of gradients and weights, and limiting them."""

import math

import numpy as np

from ..machine.jit import inner, kernel
from ..machine.simd import part
from .rule import like

__all__ = ["add_scaled", "limit_column_norms", "scale", "sum_of_squares"]


@kernel
def sum_of_squares(x, start, size):
    """sum of x[i]**2 over [start, start + size), in float64 and in a fixed order.

    Reads x. Writes nothing.
    """
    values, total = part(x, start, size), 0.0
    for i in range(size):
        total += np.float64(values[i]) * np.float64(values[i])
    return total


@kernel
def scale(x, factor, start, size):
    """x[i] *= factor over [start, start + size). Reads and writes x."""
    values, factor = part(x, start, size), like(x, factor)
    for i in range(size):
        values[i] *= factor


@inner
def add_scaled(x, y, factor, start, size):
    """x[i] += factor * y[i] over [start, start + size). Reads x, y. Writes x."""
    target, source, factor = part(x, start, size), part(y, start, size), like(x, factor)
    for i in range(size):
        target[i] += factor * source[i]


@kernel
def limit_column_norms(weight, limit, column, column_end):
    """Scale each column of weight whose norm exceeds ``limit`` down to it.

    w[:, j] *= min(1, limit / ||w[:, j]||). Srivastava et al., 2014, section 5.1.
    Reads and writes columns [column, column_end) of weight (D, H).
    """
    for j in range(column, column_end):
        total = 0.0
        for i in range(weight.shape[0]):
            total += np.float64(weight[i, j]) * np.float64(weight[i, j])
        if total > limit * limit:
            factor = like(weight, limit / math.sqrt(total))
            for i in range(weight.shape[0]):
                weight[i, j] *= factor
