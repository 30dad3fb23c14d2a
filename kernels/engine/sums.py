"""Sums and quotients of a run's results, with the same bits wherever they are computed."""

from ..machine.jit import inner, kernel

__all__ = ["mean_of_steps", "share", "weighted_mean"]

BLOCK = 128  # elements


@kernel(exact=True)
def mean_of_steps(losses, masses):
    """sum(masses * losses) / sum(masses). Reads losses, masses. Writes nothing."""
    return weighted_mean(losses, masses, losses.size)


@inner(exact=True)
def weighted_mean(values, masses, n):
    """sum(masses[i] * values[i]) / sum(masses[i]) over the first n."""
    total, mass = 0.0, 0.0
    for i in range(n):
        total += masses[i] * values[i]
        mass += masses[i]
    return total / mass


@inner(exact=True)
def share(n, n_all):
    """n / n_all, correctly rounded."""
    return float(n) / float(n_all)


@inner(exact=True)
def total_of(values, start, n):
    """Sum of values[start : start + n], in the order of ``numpy.sum``: pairs of halves."""
    if n <= BLOCK:
        return _total_of_block(values, start, n)
    half = n // 2 - n // 2 % 8
    return total_of(values, start, half) + total_of(values, start + half, n - half)


@inner(exact=True)
def _total_of_block(values, start, n):
    total, whole = 0.0, n - n % 8
    if whole > 0:
        a, b, c, d = values[start], values[start + 1], values[start + 2], values[start + 3]
        e, f, g, h = values[start + 4], values[start + 5], values[start + 6], values[start + 7]
        for i in range(start + 8, start + whole, 8):
            a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
            e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(start + whole, start + n):
        total += values[i]
    return total
