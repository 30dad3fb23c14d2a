"""Mish: z tanh(ln(1 + e**z)) (Misra, 2019)."""

from ..machine.jit import inner
from ..machine.maths import bounded_exp, constant, fused_multiply_add, reciprocal
from .elementwise import INPUT, Activation

__all__ = ["MISH"]


@inner
def mish(z, alpha):
    """z t with t = tanh(ln(1 + e**z)) = n / (n + 2), n = e (e + 2), e = e**z."""
    x = _bounded(z)
    _, n, inverse = _ratio(x)
    return z if z > x else x * (n * inverse)


@inner
def pull_mish(dy, z, alpha):
    """dy (t + z (1 - t**2) / (1 + e**-z)), which is dy (n + 4z e (e + 1) / (n + 2)) / (n + 2)."""
    x = _bounded(z)
    e, n, inverse = _ratio(x)
    slope = constant(z, 4.0, 4.0) * x * fused_multiply_add(e, e, e)
    return dy * (inverse * fused_multiply_add(slope, inverse, n))


@inner
def _ratio(x):
    """e = e**x, n = e (e + 2) and 1 / (n + 2)."""
    two, e = constant(x, 2.0, 2.0), bounded_exp(x)
    n = e * (e + two)
    return e, n, reciprocal(n + two)


@inner
def _bounded(z):
    """z between -87 and 11, or -708 and 21 in float64.

    Below, f(z) is nearly 0; above, it is z to the last bit, and its derivative 1.
    """
    lowest, highest = constant(z, -708.0, -87.0), constant(z, 21.0, 11.0)
    x = lowest if z < lowest else z
    return highest if x > highest else x


MISH = Activation("mish", mish, pull_mish, INPUT)
