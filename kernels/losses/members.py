"""The cross-entropy of an ensemble's members, each with its own logits."""

import math

import numpy as np

from ..machine.jit import kernel
from ..machine.maths import exp, zero
from ..machine.simd import row_of
from .rows import Loss

__all__ = ["MEMBER_CROSS_ENTROPY"]


@kernel
def member_cross_entropy_rows(
    parameter, outputs, labels, targets, weights, scale, gradient, row_losses, row_hits, row,
    row_end, n_outputs,
):  # fmt: skip
    """The mean over members m of -log softmax(z_m)_label; gradient (softmax(z_m) - onehot) / k.

    ``parameter`` is the number of members k, and a row of outputs holds their logits one after the
    other. A row is right if the mean of the members' probabilities is largest at the label. The
    arguments are those of ``rows``.
    """
    n_members = np.int64(parameter)
    n_classes = n_outputs // n_members
    for i in range(row, row_end):
        label, factor = labels[i], weights[i] * scale / parameter
        loss = 0.0
        for m in range(n_members):
            z = row_of(outputs, i, m * n_classes, n_classes)
            g = row_of(gradient, i, m * n_classes, n_classes)
            top, at_label, total = z[0], z[label], zero(parameter)
            for c in range(n_classes):
                top = max(top, z[c])
            for c in range(n_classes):
                g[c] = exp(z[c] - top)
                total += g[c]
            loss += np.float64(math.log(total)) - np.float64(at_label - top)
            for c in range(n_classes):
                g[c] = g[c] / total
        row_losses[i] = loss * np.float64(factor)
        row_hits[i] = 1
        for c in range(n_classes):
            share = zero(parameter)  # how much more probable the class is than the label
            for m in range(n_members):
                g = row_of(gradient, i, m * n_classes, n_classes)
                share += g[c] - g[label]
            if share > zero(parameter) or (c < label and share == zero(parameter)):
                row_hits[i] = 0
        for m in range(n_members):
            g = row_of(gradient, i, m * n_classes, n_classes)
            for c in range(n_classes):
                g[c] = g[c] * factor
            g[label] -= factor


MEMBER_CROSS_ENTROPY = Loss("member_cross_entropy", True, member_cross_entropy_rows)
