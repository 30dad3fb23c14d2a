"""Adam (Kingma and Ba, 2015), and AdamW with decoupled decay (Loshchilov and Hutter, 2019)."""

import math

from ..machine.jit import inner, kernel
from ..machine.maths import root
from ..machine.simd import part
from ..machine.widths import wide_doubles
from ..plan import op
from .rule import Rule, like, penalty

__all__ = ["ADAM", "ADAMW"]


@kernel
def adam(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g**2; w -= lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1**t), v^ = v / (1 - b2**t): algorithm 1 of the paper.
    """
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    m, v = part(state1, start, size), part(state2, start, size)
    _step(w, g, m, v, hyper, penalty(theta, hyper, is_weight), 1.0)


@kernel
def adamw(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """Adam with weight decay outside g: w -= lr weight_decay w. Algorithm 2 of the paper."""
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    m, v = part(state1, start, size), part(state2, start, size)
    l2 = like(theta, hyper[op.L2] if is_weight else 0.0)
    keep = 1.0 - hyper[op.LEARNING_RATE] * hyper[op.WEIGHT_DECAY] if is_weight else 1.0
    _step(w, g, m, v, hyper, l2, keep)


@inner
def _step(w, g, m, v, hyper, l2, keep):
    """Take one step, after multiplying w by ``keep``."""
    wide_doubles(w)
    _correct(hyper)
    step = like(w, hyper[op.LEARNING_RATE] / hyper[op.CORRECTION1])
    inverse_root = like(w, 1.0 / math.sqrt(hyper[op.CORRECTION2]))
    shrink, epsilon = like(w, keep), like(w, hyper[op.EPSILON])
    b1, rest1 = like(w, hyper[op.BETA1]), like(w, hyper[op.REST1])
    b2, rest2 = like(w, hyper[op.BETA2]), like(w, hyper[op.REST2])
    for i in range(w.size):
        gi = g[i] + l2 * w[i]
        mi = b1 * m[i] + rest1 * gi
        vi = b2 * v[i] + rest2 * (gi * gi)
        m[i], v[i] = mi, vi
        w[i] = shrink * w[i] - step * mi / (root(vi) * inverse_root + epsilon)


@inner
def _correct(hyper):
    """Set the corrections of the step, once for all pieces that this thread updates."""
    t = hyper[op.STEP]
    if hyper[op.CORRECTED_STEP] != t:
        hyper[op.CORRECTION1] = 1.0 - hyper[op.BETA1] ** t
        hyper[op.CORRECTION2] = 1.0 - hyper[op.BETA2] ** t
        hyper[op.CORRECTED_STEP] = t


ADAM, ADAMW = Rule("adam", 2, adam), Rule("adamw", 2, adamw)
