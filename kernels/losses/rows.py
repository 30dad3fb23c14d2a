"""The loss kernel over rows of outputs, and how to make one from a function of single numbers.

Every loss kernel has the same arguments; the first is its parameter, in the working dtype:

    rows(parameter, outputs, labels, targets, weights, scale, gradient, row_losses, row_hits, row,
         row_end, n_outputs)

It computes the loss of rows [row, row_end) and its gradient. outputs, gradient: (>= N, >= C);
labels: int64 (N,), for losses on classes; targets: (N, C), for the others; weights: (N,). A row's
loss and gradient are multiplied by weights[i] * scale: with scale = 1 / (sum of weights) the sum
of the row losses is the mean. row_losses: float64 (N,); row_hits: int64 (N,), the number of
correct outputs in the row.
Reads outputs, weights, and labels or targets. Writes gradient, row_losses, row_hits. gradient may
be outputs, which is then destroyed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..machine.jit import kernel
from ..machine.simd import row_of

__all__ = ["NONE", "Loss", "elementwise"]

NONE = np.int64(0)


@dataclass(frozen=True)
class Loss:
    """A row of the table of losses.

    Attributes
    ----------
    name : str
    takes_labels : bool
        Whether targets are class numbers, rather than an array as wide as the outputs.
    rows : kernel
        See above.

    """

    name: str
    takes_labels: bool
    rows: Any


def elementwise(name, term):
    """Return the loss that is the mean over a row's outputs of a function of output and target.

    ``term(z, t, parameter)`` returns the function's value in float64, its derivative in the working
    dtype, and 1 if the output is correct, else 0.
    """

    @kernel(name=f"losses.{name}.rows")
    def rows(
        parameter, outputs, labels, targets, weights, scale, gradient, row_losses, row_hits, row,
        row_end, n_outputs,
    ):  # fmt: skip
        for i in range(row, row_end):
            outs, g = row_of(outputs, i, NONE, n_outputs), row_of(gradient, i, NONE, n_outputs)
            wanted = row_of(targets, i, NONE, n_outputs)
            factor = weights[i] * scale / outputs.dtype.type(n_outputs)
            total = 0.0
            hits = 0
            for c in range(n_outputs):
                value, slope, hit = term(outs[c], wanted[c], parameter)
                total += value
                g[c] = slope * factor
                hits += hit
            row_losses[i] = total * np.float64(factor)
            row_hits[i] = hits

    return Loss(name, False, rows)
