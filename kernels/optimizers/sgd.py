"""Gradient descent: plain, with momentum, and with Nesterov momentum (Sutskever et al., 2013)."""

from ..machine.jit import kernel
from ..machine.simd import part
from ..plan import op
from .rule import Rule, like, penalty

__all__ = ["MOMENTUM", "NESTEROV", "SGD"]


@kernel
def sgd(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """w -= lr g."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    for i in range(size):
        w[i] -= lr * (g[i] + l2 * w[i])


@kernel
def momentum(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """v = mu v - lr g; w += v."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    mu = like(theta, hyper[op.BETA1])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    v = part(state1, start, size)
    for i in range(size):
        v[i] = mu * v[i] - lr * (g[i] + l2 * w[i])
        w[i] += v[i]


@kernel
def nesterov(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """v = mu v - lr g; w += mu v - lr g."""
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), penalty(theta, hyper, is_weight)
    mu = like(theta, hyper[op.BETA1])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    v = part(state1, start, size)
    for i in range(size):
        step = lr * (g[i] + l2 * w[i])
        v[i] = mu * v[i] - step
        w[i] += mu * v[i] - step


SGD, MOMENTUM = Rule("sgd", 0, sgd), Rule("momentum", 1, momentum)
NESTEROV = Rule("nesterov", 1, nesterov)
