"""Making the kernels of an activation, which run over a block of a matrix."""

from dataclasses import dataclass
from typing import Any

from ..dropout import is_dropped, row_of_mask, scale_of, threshold_of
from ..machine.apart import nothing_overlaps
from ..machine.jit import inner, kernel
from ..machine.maths import one, zero
from ..machine.simd import part, row_of
from ..machine.widths import wide_vectors

__all__ = ["INPUT", "OUTPUT", "SIGN", "Activation", "multiply_by"]

# The input of the derivative: z, y = f(z), or whether y > 0.
INPUT, OUTPUT, SIGN = "input", "output", "sign"


@dataclass
class Activation:
    """A row of the table of activations: y = f(z) for each element.

    Attributes
    ----------
    name : str
    value : callable
        ``value(z, alpha)`` is f(z). ``alpha`` is the activation's parameter, in the working dtype.
    pull : callable
        ``pull(dy, saved, alpha)`` is dL/dz = dy * f'(z).
    derivative_from : str
        The kind of ``saved``: INPUT, OUTPUT, or SIGN. SIGN is an output of which only the sign
        matters, so dropout may have scaled it.
    off_at_zero : bool
        Whether f' is 0 where an output is 0: then it tells too what dropout has set to 0.
    forward, backward, rise, mix, mix_and_keep : kernel
        Kernels made from ``value`` and ``pull``. Only from an input is there a ``rise``.

    """

    name: str
    value: Any
    pull: Any
    derivative_from: str
    off_at_zero: bool = False

    def __post_init__(self) -> None:
        self.forward = _make_forward(self.name, self.value)
        self.backward = _make_backward(self.name, self.pull)
        slope = _make_slope(self)
        from_input = self.derivative_from == INPUT
        self.rise = _make_rise(self.name, self.value, slope) if from_input else None
        self.mix = _make_mix(self.name, self.value)
        self.mix_and_keep = _make_mix_and_keep(self.name, self.value, slope)


@kernel
def multiply_by(gradient, slopes, block):
    """gradient[i, j] *= slopes[i, j] in a block: the backward pass after `rise`.

    Reads gradient, slopes. Writes gradient. May destroy nothing else.
    """
    wide_vectors()
    n, row_end = block.column_end - block.column, block.row_end
    if n == gradient.shape[1] == slopes.shape[1]:  # all in one stretch
        n, row_end = n * (row_end - block.row), min(block.row + 1, row_end)
    for i in range(block.row, row_end):
        g, s = row_of(gradient, i, block.column, n), row_of(slopes, i, block.column, n)
        for j in range(n):
            g[j] *= s[j]


def _make_forward(name, value):
    @kernel(name=f"activations.{name}.forward")
    def forward(alpha, z, block):
        """z[i, j] = f(z[i, j]) in a block of rows and columns.

        Reads z. Writes z. May destroy nothing else.
        """
        wide_vectors()
        n, row_end = block.column_end - block.column, block.row_end
        if n == z.shape[1]:  # all in one stretch
            n, row_end = n * (row_end - block.row), min(block.row + 1, row_end)
        for i in range(block.row, row_end):
            x = row_of(z, i, block.column, n)
            for j in range(n):
                x[j] = value(x[j], alpha)

    return forward


def _make_backward(name, pull):
    @kernel(name=f"activations.{name}.backward")
    def backward(alpha, factor, gradient, saved, block):
        """gradient[i, j] *= factor f'(z[i, j]), computed from saved[i, j], in a block.

        Reads gradient, saved. Writes gradient. May destroy nothing else.
        """
        wide_vectors()
        n, row_end = block.column_end - block.column, block.row_end
        if n == gradient.shape[1] == saved.shape[1]:  # all in one stretch
            n, row_end = n * (row_end - block.row), min(block.row + 1, row_end)
        for i in range(block.row, row_end):
            g, s = row_of(gradient, i, block.column, n), row_of(saved, i, block.column, n)
            for j in range(n):
                g[j] = pull(factor * g[j], s[j], alpha)

    return backward


def _make_mix(name, value):
    @kernel(name=f"activations.{name}.mix")
    def mix(alpha, x, mixing, y, block):
        """y[i, j] = x[i, j] + a[j] (f(x[i, j]) - x[i, j]) in a block, with a = mixing.

        Reads x, mixing. Writes y. May destroy nothing else.
        """
        wide_vectors()
        n = block.column_end - block.column
        a = part(mixing, block.column, n)
        for i in range(block.row, block.row_end):
            s, t = row_of(x, i, block.column, n), row_of(y, i, block.column, n)
            for j in range(n):
                sj = s[j]
                t[j] = sj + a[j] * (value(sj, alpha) - sj)

    return mix


def _make_rise(name, value, slope):
    @kernel(name=f"activations.{name}.rise")
    def rise(alpha, z, slopes, block):
        """z[i, j] = f(z[i, j]) and slopes[i, j] = f'(z[i, j]), of z as it was, in a block.

        Both take little longer than one: the backward pass then only multiplies.
        Reads z. Writes z, slopes. May destroy nothing else.
        """
        wide_vectors()
        nothing_overlaps()
        n, row_end = block.column_end - block.column, block.row_end
        if n == z.shape[1] == slopes.shape[1]:  # all in one stretch
            n, row_end = n * (row_end - block.row), min(block.row + 1, row_end)
        for i in range(block.row, row_end):
            x, s = row_of(z, i, block.column, n), row_of(slopes, i, block.column, n)
            for j in range(n):
                xj = x[j]
                f = value(xj, alpha)
                x[j], s[j] = f, slope(xj, f, alpha)

    return rise


def _make_mix_and_keep(name, value, slope):
    @kernel(name=f"activations.{name}.mix_and_keep")
    def mix_and_keep(alpha, x, mixing, y, slopes, differences, p, key, block):
        """y = m (x + a (f(x) - x)) in a block, and what the backward pass needs.

        a is mixing; m is what dropout with probability p multiplies by, 0 or 1 / (1 - p), see
        ``dropout.drop``. slopes = dy/dx, differences = dy/da = m (f(x) - x).
        Reads x, mixing. Writes y, slopes, differences. May destroy nothing else.
        """
        n = block.column_end - block.column
        a, factor, threshold = part(mixing, block.column, n), scale_of(p), threshold_of(p)
        for i in range(block.row, block.row_end):
            s, t = row_of(x, i, block.column, n), row_of(y, i, block.column, n)
            k, d = row_of(slopes, i, block.column, n), row_of(differences, i, block.column, n)
            if p > zero(p):
                base, step = row_of_mask(key, i, block.column)
                mix_and_drop_row(alpha, s, a, t, k, d, factor, base, step, threshold)
            else:
                mix_row(alpha, s, a, t, k, d)

    @inner(name=f"activations.{name}.mix_row")
    def mix_row(alpha, x, a, y, slopes, differences):
        wide_vectors()
        nothing_overlaps()
        for j in range(y.size):
            xj, aj = x[j], a[j]
            f = value(xj, alpha)
            d = f - xj
            y[j], differences[j] = xj + aj * d, d
            slopes[j] = one(xj) + aj * (slope(xj, f, alpha) - one(xj))

    @inner(name=f"activations.{name}.mix_and_drop_row")
    def mix_and_drop_row(alpha, x, a, y, slopes, differences, factor, base, step, threshold):
        wide_vectors()
        nothing_overlaps()
        for j in range(y.size):
            xj, aj = x[j], a[j]
            m = zero(xj) if is_dropped(base, step, j, threshold) else factor
            f = value(xj, alpha)
            d = f - xj
            y[j], differences[j] = m * (xj + aj * d), m * d
            slopes[j] = m * (one(xj) + aj * (slope(xj, f, alpha) - one(xj)))

    return mix_and_keep


def _make_slope(row):
    """Return ``slope(x, f, alpha)``, which is f'(x) where f = f(x)."""
    pull, from_input = row.pull, row.derivative_from == INPUT

    @inner(name=f"activations.{row.name}.slope")
    def slope(x, f, alpha):
        return pull(one(x), x if from_input else f, alpha)

    return slope
