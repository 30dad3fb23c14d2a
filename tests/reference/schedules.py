"""Learning-rate schedules."""

import math


def step_rate(lr, every, factor, epoch):
    return lr * factor ** (epoch // every)


def exponential_rate(lr, decay, epoch):
    return lr * decay**epoch


def cosine_rate(lr, final, step, total_steps):
    """Half a cosine from lr to final (Loshchilov and Hutter, 2017, equation 5)."""
    return final + 0.5 * (lr - final) * (1.0 + math.cos(math.pi * step / total_steps))


def coslog4_rate(lr, step, total_steps):
    """Four cosine waves, each twice as long as the one before (Holzmueller et al., 2024)."""
    return lr * 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * step / total_steps)))


def flat_cos_rate(lr, step, total_steps):
    """lr in the first half, then half a cosine down to 0."""
    share = 2.0 * step / total_steps - 1.0
    return lr if share <= 0.0 else lr * 0.5 * (1.0 + math.cos(math.pi * share))
