"""Exponential linear units: ELU (Clevert et al., 2016) and SELU (Klambauer et al., 2017)."""

from ..machine.jit import inner
from ..machine.maths import constant, expm1, one, zero
from .elementwise import OUTPUT, Activation

__all__ = ["ELU", "SELU"]

# Klambauer et al., Self-Normalizing Neural Networks, 2017, equation 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
SELU_PRODUCT = SELU_SCALE * SELU_ALPHA


@inner
def elu(z, alpha):
    """z where z > 0, else alpha (e**z - 1)."""
    return _exponential_below(z, alpha, one(alpha))


@inner
def pull_elu(dy, y, alpha):
    """dy where y > 0, else dy (y + alpha)."""
    return dy * (one(y) if y > zero(y) else y + alpha)


@inner
def selu(z, alpha):
    """s z where z > 0, else s a (e**z - 1), with the constants s and a of the paper."""
    scale = constant(z, SELU_SCALE, SELU_SCALE)
    return _exponential_below(z, constant(z, SELU_PRODUCT, SELU_PRODUCT), scale)


@inner
def pull_selu(dy, y, alpha):
    """s dy where y > 0, else dy (y + s a)."""
    scale = constant(y, SELU_SCALE, SELU_SCALE)
    return dy * (scale if y > zero(y) else y + constant(y, SELU_PRODUCT, SELU_PRODUCT))


@inner
def _exponential_below(x, alpha, scale):
    """scale x for x > 0, else alpha (e**x - 1)."""
    nought = zero(x)
    negative = alpha * expm1(nought if x > nought else x)
    return scale * x if x > nought else negative


ELU = Activation("elu", elu, pull_elu, OUTPUT)
SELU = Activation("selu", selu, pull_selu, OUTPUT)
