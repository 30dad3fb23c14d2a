"""Lion (Chen et al., 2023, Symbolic Discovery of Optimization Algorithms)."""

from ..machine.jit import kernel
from ..machine.maths import sign
from ..machine.simd import part
from ..plan import op
from .rule import Rule, like

__all__ = ["LION"]


@kernel
def lion(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight):
    """w -= lr (sign(b1 m + (1 - b1) g) + weight_decay w); m = b2 m + (1 - b2) g. Algorithm 2.

    As with AdamW, the weight decay is no part of g.
    """
    lr, l2 = like(theta, hyper[op.LEARNING_RATE]), like(theta, hyper[op.L2] if is_weight else 0.0)
    decay = hyper[op.LEARNING_RATE] * hyper[op.WEIGHT_DECAY] if is_weight else 0.0
    keep = like(theta, 1.0 - decay)
    b1, rest1 = like(theta, hyper[op.BETA1]), like(theta, hyper[op.REST1])
    b2, rest2 = like(theta, hyper[op.BETA2]), like(theta, hyper[op.REST2])
    w, g = part(theta, start, size), part(gradient, gradient_start, size)
    m = part(state1, start, size)
    for i in range(size):
        gi = g[i] + l2 * w[i]
        w[i] = keep * w[i] - lr * sign(b1 * m[i] + rest1 * gi)
        m[i] = b2 * m[i] + rest2 * gi


LION = Rule("lion", 1, lion)
