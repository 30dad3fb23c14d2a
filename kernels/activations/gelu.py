"""GELU: z times the probability that a normal variable is below z (Hendrycks, Gimpel, 2016)."""

import math

from ..machine.jit import inner
from ..machine.maths import constant, exp
from .elementwise import INPUT, Activation

__all__ = ["GELU"]

SQRT_HALF = 0.7071067811865476
SQRT_TWO_PI = 2.5066282746310002


@inner
def gelu(z, alpha):
    """z Phi(z)."""
    return z * _normal_cdf(z)


@inner
def pull_gelu(dy, z, alpha):
    """dy (Phi(z) + z phi(z))."""
    half, root = constant(z, 0.5, 0.5), constant(z, SQRT_TWO_PI, SQRT_TWO_PI)
    return dy * (_normal_cdf(z) + z * exp(-half * z * z) / root)


@inner
def _normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2."""
    half, root = constant(x, 0.5, 0.5), constant(x, SQRT_HALF, SQRT_HALF)
    return half * math.erfc(-x * root)


GELU = Activation("gelu", gelu, pull_gelu, INPUT)
