"""The logistic function, the hyperbolic tangent, and SiLU, z times the logistic function."""

from ..machine.jit import inner
from ..machine.maths import logistic, one
from ..machine.maths import tanh as hyperbolic_tangent
from .elementwise import INPUT, OUTPUT, Activation

__all__ = ["SIGMOID", "SILU", "TANH"]


@inner
def sigmoid(z, alpha):
    """1 / (1 + e**-z)."""
    return logistic(z)


@inner
def pull_sigmoid(dy, y, alpha):
    """dy y (1 - y)."""
    return dy * (y * (one(y) - y))


@inner
def tanh(z, alpha):
    """tanh(z)."""
    return hyperbolic_tangent(z)


@inner
def pull_tanh(dy, y, alpha):
    """dy (1 - y**2)."""
    return dy * (one(y) - y * y)


@inner
def silu(z, alpha):
    """z / (1 + e**-z), also called swish (Elfwing et al., 2018)."""
    return z * logistic(z)


@inner
def pull_silu(dy, z, alpha):
    """dy p (1 + z (1 - p)) with p = 1 / (1 + e**-z)."""
    p = logistic(z)
    return dy * (p * (one(z) + z * (one(z) - p)))


SIGMOID = Activation("sigmoid", sigmoid, pull_sigmoid, OUTPUT)
TANH = Activation("tanh", tanh, pull_tanh, OUTPUT)
SILU = Activation("silu", silu, pull_silu, INPUT)
