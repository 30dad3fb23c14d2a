"""Mish: z tanh(ln(1 + e**z)) (Misra, 2019)."""

from ..machine.jit import inner
from ..machine.maths import constant, exp, logistic, one
from .elementwise import INPUT, Activation

__all__ = ["MISH"]


@inner
def mish(z, alpha):
    """z t with t = tanh(ln(1 + e**z))."""
    return z * _tanh_softplus(z)


@inner
def pull_mish(dy, z, alpha):
    """dy (t + z (1 - t**2) / (1 + e**-z))."""
    t = _tanh_softplus(z)
    return dy * (t + z * (one(z) - t * t) * logistic(z))


@inner
def _tanh_softplus(x):
    """tanh(ln(1 + e**x)) = (e**2x + 2e**x) / (e**2x + 2e**x + 2)."""
    limit, two = constant(x, 40.0, 20.0), constant(x, 2.0, 2.0)
    e = exp(limit if x > limit else x)
    numerator = e * (e + two)
    return numerator / (numerator + two)


MISH = Activation("mish", mish, pull_mish, INPUT)
