"""Sums and quotients of a run's results, with the same bits wherever they are computed."""

from ..machine.jit import inner, kernel

__all__ = ["mean_of_steps", "share", "total_of", "weighted_mean"]

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
def total_of(values):
    """Sum of all values, in the order of ``numpy.sum``. May destroy values.

    A long stretch is the sum of its two halves. Blocks are summed from left to right; the totals of
    left halves wait in the first elements, which are no longer needed.
    """
    n, start, n_waiting = values.size, 0, 0
    if n <= BLOCK:
        return _total_of_block(values, 0, n)
    while start < n:
        first, size, n_ended = 0, n, 0  # n_ended: halves of halves that end with this block
        while size > BLOCK:
            half = size // 2 - size // 2 % 8
            if start < first + half:
                size, n_ended = half, 0
            else:
                first, size, n_ended = first + half, size - half, n_ended + 1
        total = _total_of_block(values, start, size)
        for _ in range(n_ended):
            n_waiting -= 1
            total = values[n_waiting] + total
        values[n_waiting] = total
        n_waiting, start = n_waiting + 1, start + size
    return values[0]


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
