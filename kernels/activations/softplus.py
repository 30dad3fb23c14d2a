"""Softplus, a smooth ReLU (Dugas et al., 2001)."""

from ..machine.jit import inner
from ..machine.maths import exp, expm1, log1p, zero
from .elementwise import OUTPUT, Activation

__all__ = ["SOFTPLUS"]


@inner
def softplus(z, alpha):
    """log(1 + e**z) = max(z, 0) + log(1 + e**-|z|), which cannot overflow."""
    nought = zero(z)
    return (nought if z < nought else z) + log1p(exp(-abs(z)))


@inner
def pull_softplus(dy, y, alpha):
    """dy (1 - e**-y), which is dy / (1 + e**-z)."""
    return dy * -expm1(-y)


SOFTPLUS = Activation("softplus", softplus, pull_softplus, OUTPUT)
