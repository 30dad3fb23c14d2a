"""RMSprop (Tieleman and Hinton, 2012), and the variant with epsilon inside the root."""

from ..machine.jit import kernel
from ..machine.maths import root
from ..machine.simd import part
from ..machine.widths import wide_doubles
from ..plan import op
from .rule import Rule, like, penalty

__all__ = ["RMSPROP", "RMSPROP_IN_ROOT"]


@kernel
def rmsprop(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """c = d c + (1 - d) g**2; w -= lr g / (sqrt(c) + eps)."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    decay, rest = like(theta, hyper[op.BETA2]), like(theta, hyper[op.REST2])
    epsilon = like(theta, hyper[op.EPSILON])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    c = part(state1, start, size)
    wide_doubles(w)
    for i in range(size):
        gi = g[i] + l2 * w[i]
        c[i] = decay * c[i] + rest * gi * gi
        w[i] -= lr * gi / (root(c[i]) + epsilon)


@kernel
def rmsprop_in_root(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """c = d c + (1 - d) g**2; w -= lr g / sqrt(c + eps)."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    decay, rest = like(theta, hyper[op.BETA2]), like(theta, hyper[op.REST2])
    epsilon = like(theta, hyper[op.EPSILON])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    c = part(state1, start, size)
    wide_doubles(w)
    for i in range(size):
        gi = g[i] + l2 * w[i]
        c[i] = decay * c[i] + rest * gi * gi
        w[i] -= lr * gi / root(c[i] + epsilon)


RMSPROP, RMSPROP_IN_ROOT = Rule("rmsprop", 1, rmsprop), Rule("rmsprop_in_root", 1, rmsprop_in_root)
