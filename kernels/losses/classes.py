"""Losses on labels, the class number of each row."""

import math

import numpy as np

from ..machine.jit import inner, kernel
from ..machine.maths import exp, one, zero
from ..machine.simd import row_of
from .rows import NONE, Loss

__all__ = ["CROSS_ENTROPY", "HINGE"]


@kernel
def cross_entropy_rows(
    parameter, outputs, labels, targets, weights, scale, gradient, row_losses, row_hits, row,
    row_end, n_classes,
):  # fmt: skip
    """-sum_c t_c log softmax(z)_c, gradient softmax(z) - t; t = (1 - s) onehot + s / C.

    s is ``parameter``, the label smoothing. The arguments are those of ``rows``.
    """
    nought, unit = zero(parameter), one(parameter)
    smooth = parameter / outputs.dtype.type(n_classes)
    for i in range(row, row_end):
        z, g = row_of(outputs, i, NONE, n_classes), row_of(gradient, i, NONE, n_classes)
        label = labels[i]
        factor = weights[i] * scale
        best, top = _largest(z, n_classes)
        row_hits[i] = 1 if best == label else 0
        at_label = z[label]
        total, mean = nought, nought
        for c in range(n_classes):
            shifted = z[c] - top
            mean += shifted
            e = exp(shifted)
            g[c] = e
            total += e
        log_total = np.float64(math.log(total))
        loss = log_total - np.float64(at_label - top) * np.float64(unit - parameter)
        loss -= np.float64(mean) * np.float64(smooth)
        row_losses[i] = loss * np.float64(factor)
        share = factor / total
        for c in range(n_classes):
            g[c] = g[c] * share - smooth * factor
        g[label] -= (unit - parameter) * factor


@kernel
def hinge_rows(
    parameter, outputs, labels, targets, weights, scale, gradient, row_losses, row_hits, row,
    row_end, n_classes,
):  # fmt: skip
    """sum over c != y of max(0, z_c - z_y + 1) (Weston and Watkins, 1999).

    The arguments are those of ``rows``.
    """
    nought, unit = zero(parameter), one(parameter)
    for i in range(row, row_end):
        z, g = row_of(outputs, i, NONE, n_classes), row_of(gradient, i, NONE, n_classes)
        label = labels[i]
        factor = weights[i] * scale
        best, _ = _largest(z, n_classes)
        row_hits[i] = 1 if best == label else 0
        at_label = z[label]
        loss, n_above = 0.0, nought
        for c in range(n_classes):
            margin = z[c] - at_label + unit
            above = not margin <= nought  # a NaN counts, so that it shows in the loss
            if c != label and above:
                loss += np.float64(margin)
                n_above += unit
                g[c] = factor
            else:
                g[c] = nought
        row_losses[i] = loss * np.float64(factor)
        g[label] = -n_above * factor


@inner
def _largest(z, n):
    """Return the index and value of the largest of n numbers."""
    best = 0
    top = z[0]
    for c in range(1, n):
        if z[c] > top:
            best, top = c, z[c]
    return best, top


CROSS_ENTROPY = Loss("cross_entropy", True, cross_entropy_rows)
HINGE = Loss("hinge", True, hinge_rows)
