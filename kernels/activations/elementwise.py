"""Making the kernels of an activation, which run over a block of a matrix."""

from dataclasses import dataclass
from typing import Any

from ..machine.jit import inner, kernel
from ..machine.maths import one, zero
from ..machine.simd import part, row_of
from ..machine.widths import wide_vectors

__all__ = ["INPUT", "OUTPUT", "SIGN", "Activation"]

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
    forward, backward, mix, unmix : kernel
        Kernels made from ``value`` and ``pull``.

    """

    name: str
    value: Any
    pull: Any
    derivative_from: str

    def __post_init__(self) -> None:
        self.forward = _make_forward(self.name, self.value)
        self.backward = _make_backward(self.name, self.pull)
        self.mix = _make_mix(self.name, self.value)
        self.unmix = _make_unmix(self.name, self.value, _make_slope(self))


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
    def backward(alpha, gradient, saved, block):
        """gradient[i, j] *= f'(z[i, j]), computed from saved[i, j], in a block.

        Reads gradient, saved. Writes gradient. May destroy nothing else.
        """
        wide_vectors()
        n, row_end = block.column_end - block.column, block.row_end
        if n == gradient.shape[1] == saved.shape[1]:  # all in one stretch
            n, row_end = n * (row_end - block.row), min(block.row + 1, row_end)
        for i in range(block.row, row_end):
            g, s = row_of(gradient, i, block.column, n), row_of(saved, i, block.column, n)
            for j in range(n):
                g[j] = pull(g[j], s[j], alpha)

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


def _make_unmix(name, value, slope):
    @kernel(name=f"activations.{name}.unmix")
    def unmix(alpha, dy, x, mixing, dx, dmixing, dmixing0, block):
        """dx = dy (1 - a + a f'(x)) and da = sum over rows of dy (f(x) - x) in a block.

        a is mixing; da goes to dmixing, whose elements from dmixing0 on belong to the columns of
        the matrices.
        Reads dy, x, mixing. Writes dx, which may be dy, and dmixing in the block. May destroy
        nothing else.
        """
        wide_vectors()
        n = block.column_end - block.column
        a, da = part(mixing, block.column, n), part(dmixing, dmixing0 + block.column, n)
        for j in range(n):
            da[j] = zero(alpha)
        for i in range(block.row, block.row_end):
            g, s = row_of(dy, i, block.column, n), row_of(x, i, block.column, n)
            d = row_of(dx, i, block.column, n)
            for j in range(n):
                gj, sj = g[j], s[j]  # read before anything is written
                f = value(sj, alpha)
                da[j] += gj * (f - sj)
                d[j] = gj + gj * (a[j] * (slope(sj, f, alpha) - one(alpha)))

    return unmix


def _make_slope(row):
    """Return ``slope(x, f, alpha)``, which is f'(x) where f = f(x)."""
    pull, from_input = row.pull, row.derivative_from == INPUT

    @inner(name=f"activations.{row.name}.slope")
    def slope(x, f, alpha):
        return pull(one(x), x if from_input else f, alpha)

    return slope
