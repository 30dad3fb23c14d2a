"""Making the two kernels of an activation, which run over a block of a matrix."""

from dataclasses import dataclass
from typing import Any

from ..machine.jit import kernel
from ..machine.simd import row_of
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
    forward, backward : kernel
        Kernels made from ``value`` and ``pull``.

    """

    name: str
    value: Any
    pull: Any
    derivative_from: str

    def __post_init__(self) -> None:
        self.forward = _make_forward(self.name, self.value)
        self.backward = _make_backward(self.name, self.pull)


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
