"""ReLU, max(0, z), and leaky ReLU, with a slope below 0 (Maas et al., 2013)."""

from ..machine.jit import inner
from ..machine.maths import maximum, one, zero
from .elementwise import SIGN, Activation

__all__ = ["LEAKY_RELU", "RELU"]


@inner
def relu(z, alpha):
    """max(0, z); NaN stays NaN."""
    return maximum(z, zero(z))


@inner
def pull_relu(dy, y, alpha):
    """dy where y > 0, else 0."""
    return dy if y > zero(y) else zero(y)


@inner
def leaky_relu(z, alpha):
    """z where z >= 0, else alpha z."""
    return alpha * z if z < zero(z) else z


@inner
def pull_leaky_relu(dy, y, alpha):
    """dy where y > 0, else alpha dy."""
    return dy * (one(y) if y > zero(y) else alpha)


RELU = Activation("relu", relu, pull_relu, SIGN, off_at_zero=True)
LEAKY_RELU = Activation("leaky_relu", leaky_relu, pull_leaky_relu, SIGN)
