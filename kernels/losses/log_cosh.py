"""Log-cosh: quadratic for small errors, linear for large ones."""

import numpy as np

from ..machine.jit import pasted
from ..machine.maths import exp, log1p, tanh
from .rows import elementwise

__all__ = ["LOG_COSH"]


@pasted
def log_cosh(z, t, parameter):
    """log cosh(r) = |r| + log(1 + e**(-2 |r|)) - log 2 with r = z - t."""
    r = z - t
    size = np.float64(abs(r))  # in float64, since the terms nearly cancel for a small r
    return size + (log1p(exp(-2.0 * size)) - log1p(1.0)), tanh(r), 0


LOG_COSH = elementwise("log_cosh", log_cosh)
