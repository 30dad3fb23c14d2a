"""Adagrad (Duchi et al., 2011)."""

from ..machine.jit import kernel
from ..machine.maths import root
from ..machine.simd import part
from ..machine.widths import wide_doubles
from ..plan import op
from .rule import Rule, like, penalty

__all__ = ["ADAGRAD"]


@kernel
def adagrad(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """c += g**2; w -= lr g / (sqrt(c) + eps)."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    epsilon = like(theta, hyper[op.EPSILON])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    c = part(state1, start, size)
    wide_doubles(w)
    for i in range(size):
        gi = g[i] + l2 * w[i]
        c[i] += gi * gi
        w[i] -= lr * gi / (root(c[i]) + epsilon)


ADAGRAD = Rule("adagrad", 1, adagrad)
