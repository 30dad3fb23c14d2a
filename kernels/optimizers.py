"""Parameter updates over flat arrays, one formula each.

g is the gradient plus the penalties' part: g = gradient + (l2 + weight_decay) * w, where AdamW
takes its weight decay on its own. ``hyper`` holds the numbers at the indices that ``opcodes``
names, in float64; they are brought to the working dtype once for a call.
"""

import math

import numpy as np

from .jit import inner, kernel
from .opcodes import (
    ADAGRAD,
    ADAMW,
    BETA1,
    BETA2,
    EPSILON,
    L2,
    LEARNING_RATE,
    MOMENTUM,
    NESTEROV,
    RMSPROP,
    RMSPROP_IN_ROOT,
    SGD,
    STEP,
    WEIGHT_DECAY,
)
from .simd import part

__all__ = ["add_scaled", "limit_column_norms", "scale", "sum_of_squares", "update"]


@kernel
def update(code, theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """Update theta[start : start + size] by one step of optimizer ``code``.

    gradient[gradient_start : gradient_start + size] belongs to it; penalties and weight decay act
    only where ``is_weight``. The optimizer's state lies at the same place as theta.
    Reads all. Writes theta, state1, state2 in that range. May destroy nothing else.
    """
    lr = _like(theta, hyper[LEARNING_RATE])
    beta1, beta2 = _like(theta, hyper[BETA1]), _like(theta, hyper[BETA2])
    rest2, epsilon = _like(theta, 1.0 - hyper[BETA2]), _like(theta, hyper[EPSILON])
    penalty = hyper[L2] + (0.0 if code == ADAMW else hyper[WEIGHT_DECAY])
    l2 = _like(theta, penalty if is_weight else 0.0)
    w = part(theta, start, size)
    g = part(gradient, gradient_start, size)
    if code == SGD:
        for i in range(size):
            w[i] -= lr * (g[i] + l2 * w[i])
        return
    s = part(state1, start, size)
    if code == MOMENTUM:
        for i in range(size):
            s[i] = beta1 * s[i] - lr * (g[i] + l2 * w[i])
            w[i] += s[i]
    elif code == NESTEROV:
        for i in range(size):
            step = lr * (g[i] + l2 * w[i])
            s[i] = beta1 * s[i] - step
            w[i] += beta1 * s[i] - step
    elif code == RMSPROP:
        for i in range(size):
            gi = g[i] + l2 * w[i]
            s[i] = beta2 * s[i] + rest2 * gi * gi
            w[i] -= lr * gi / (math.sqrt(s[i]) + epsilon)
    elif code == RMSPROP_IN_ROOT:
        for i in range(size):
            gi = g[i] + l2 * w[i]
            s[i] = beta2 * s[i] + rest2 * gi * gi
            w[i] -= lr * gi / math.sqrt(s[i] + epsilon)
    elif code == ADAGRAD:
        for i in range(size):
            gi = g[i] + l2 * w[i]
            s[i] += gi * gi
            w[i] -= lr * gi / (math.sqrt(s[i]) + epsilon)
    else:
        _adam(
            w,
            g,
            s,
            part(state2, start, size),
            lr,
            l2,
            beta1,
            beta2,
            epsilon,
            hyper,
            is_weight and code == ADAMW,
        )


@inner
def _adam(w, g, m, v, lr, l2, beta1, beta2, epsilon, hyper, decoupled):
    """m = b1 m + (1-b1) g; v = b2 v + (1-b2) g**2; w -= lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1**t), v^ = v / (1 - b2**t): Kingma and Ba, 2015, algorithm 1. With
    ``decoupled``, w shrinks by lr * weight_decay first: Loshchilov and Hutter, 2019, algorithm 2.
    """
    correction1 = 1.0 - hyper[BETA1] ** hyper[STEP]
    root2 = math.sqrt(1.0 - hyper[BETA2] ** hyper[STEP])
    step = _like(w, hyper[LEARNING_RATE] / correction1)
    inverse_root = _like(w, 1.0 / root2)
    shrink = _like(w, 1.0 - hyper[LEARNING_RATE] * hyper[WEIGHT_DECAY] if decoupled else 1.0)
    rest1, rest2 = _like(w, 1.0 - hyper[BETA1]), _like(w, 1.0 - hyper[BETA2])
    for i in range(w.size):
        gi = g[i] + l2 * w[i]
        mi = beta1 * m[i] + rest1 * gi
        vi = beta2 * v[i] + rest2 * (gi * gi)
        m[i], v[i] = mi, vi
        w[i] = shrink * w[i] - step * mi / (math.sqrt(vi) * inverse_root + epsilon)


@kernel
def sum_of_squares(x, start, size):
    """sum of x[i]**2 over [start, start + size), in float64 and in a fixed order.

    Reads x. Writes nothing.
    """
    values, total = part(x, start, size), 0.0
    for i in range(size):
        total += np.float64(values[i]) * np.float64(values[i])
    return total


@kernel
def scale(x, factor, start, size):
    """x[i] *= factor over [start, start + size). Reads and writes x."""
    values, factor = part(x, start, size), _like(x, factor)
    for i in range(size):
        values[i] *= factor


@inner
def add_scaled(x, y, factor, start, size):
    """x[i] += factor * y[i] over [start, start + size). Reads x, y. Writes x."""
    target, source, factor = part(x, start, size), part(y, start, size), _like(x, factor)
    for i in range(size):
        target[i] += factor * source[i]


@kernel
def limit_column_norms(weight, limit, column, column_end):
    """Scale each column of weight whose norm exceeds ``limit`` down to it.

    w[:, j] *= min(1, limit / ||w[:, j]||). Srivastava et al., 2014, section 5.1.
    Reads and writes columns [column, column_end) of weight (D, H).
    """
    for j in range(column, column_end):
        total = 0.0
        for i in range(weight.shape[0]):
            total += np.float64(weight[i, j]) * np.float64(weight[i, j])
        if total > limit * limit:
            factor = _like(weight, limit / math.sqrt(total))
            for i in range(weight.shape[0]):
                weight[i, j] *= factor


@inner
def _like(array, value):
    """Bring a float64 number to the dtype of an array."""
    return array.dtype.type(value)
