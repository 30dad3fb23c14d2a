"""Losses and their gradients on the outputs, in one pass over each row.

``parameter`` is the label smoothing of CROSS_ENTROPY, the threshold of HUBER or the quantile of
QUANTILE. Rows are scaled by weight / (sum of weights), so the sum of the row losses is the mean.
"""

import math

import numpy as np

from .jit import inner, kernel
from .maths import constant, exp, logistic, one, zero
from .opcodes import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    HINGE,
    HUBER,
    MAE,
    MSE,
    QUANTILE,
)
from .simd import row_of

__all__ = ["classify_rows", "regress_rows"]

NONE = np.int64(0)


@kernel
def classify_rows(
    code,
    parameter,
    outputs,
    labels,
    weights,
    scale,
    gradient,
    row_losses,
    row_hits,
    row,
    row_end,
    n_classes,
):
    """Loss of integer labels for rows [row, row_end), and its gradient.

    CROSS_ENTROPY: loss = -sum_c t_c log softmax(z)_c, gradient = softmax(z) - t, with
    t = (1 - parameter) onehot + parameter / C. HINGE (Weston and Watkins, 1999):
    loss = sum over c != y of max(0, z_c - z_y + 1).

    outputs, gradient: (>= N, >= C); labels: int64 (N,); weights: (N,); each row's loss and gradient
    are times weights[i] * scale. row_losses: float64 (N,); row_hits: int64 (N,), 1 where the
    label has the largest output.
    Reads outputs, labels, weights. Writes gradient, row_losses, row_hits. gradient may be outputs,
    which is then destroyed.
    """
    nought, unit = zero(parameter), one(parameter)
    smooth = parameter / outputs.dtype.type(n_classes)
    for i in range(row, row_end):
        z, g, label = (
            row_of(outputs, i, NONE, n_classes),
            row_of(gradient, i, NONE, n_classes),
            labels[i],
        )
        factor = weights[i] * scale
        best = 0
        top = z[0]
        for c in range(1, n_classes):
            if z[c] > top:
                best, top = c, z[c]
        row_hits[i] = 1 if best == label else 0
        at_label = z[label]
        if code == CROSS_ENTROPY:
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
        elif code == HINGE:
            loss, n_above = 0.0, nought
            for c in range(n_classes):
                margin = z[c] - at_label + unit
                above = not margin <= nought  # a NaN counts, so that it is seen
                if c != label and above:
                    loss += np.float64(margin)
                    n_above += unit
                    g[c] = factor
                else:
                    g[c] = nought
            row_losses[i] = loss * np.float64(factor)
            g[label] = -n_above * factor


@kernel
def regress_rows(
    code,
    parameter,
    outputs,
    targets,
    weights,
    scale,
    gradient,
    row_losses,
    row_hits,
    row,
    row_end,
    n_outputs,
):
    """Loss of an array of targets for rows [row, row_end), meaned over outputs, and its gradient.

    With z the output, t the target and r = z - t: MSE r**2; BINARY_CROSS_ENTROPY
    max(z, 0) - z t + log(1 + e**-|z|); MAE |r|; HUBER r**2 / 2 where |r| <= d, else
    d (|r| - d / 2); QUANTILE max(-q r, (1 - q) r); POISSON e**z - t z.

    Arrays as in ``classify_rows``, but targets (N, C) in the working dtype. row_hits counts the
    outputs on the right side of 0 (BINARY_CROSS_ENTROPY), else 0.
    Reads outputs, targets, weights. Writes gradient, row_losses, row_hits. gradient may be outputs,
    which is then destroyed.
    """
    nought, unit, half = zero(parameter), one(parameter), constant(parameter, 0.5, 0.5)
    two = unit + unit
    for i in range(row, row_end):
        outs, g = row_of(outputs, i, NONE, n_outputs), row_of(gradient, i, NONE, n_outputs)
        wanted = row_of(targets, i, NONE, n_outputs)
        factor = weights[i] * scale / outputs.dtype.type(n_outputs)
        total = 0.0
        hits = 0
        if code == MSE:
            for c in range(n_outputs):
                r = outs[c] - wanted[c]
                total += np.float64(r * r)
                g[c] = two * r * factor
        elif code == BINARY_CROSS_ENTROPY:
            for c in range(n_outputs):
                z, t = outs[c], wanted[c]
                positive = nought if z < nought else z
                total += np.float64(positive - z * t) + np.float64(math.log1p(exp(-abs(z))))
                g[c] = (logistic(z) - t) * factor
                hits += 1 if (z > nought) == (t > half) else 0
        elif code == MAE:
            for c in range(n_outputs):
                r = outs[c] - wanted[c]
                total += np.float64(abs(r))
                g[c] = _sign(r) * factor
        elif code == HUBER:
            for c in range(n_outputs):
                r = outs[c] - wanted[c]
                if abs(r) <= parameter:
                    total += np.float64(half * r * r)
                    g[c] = r * factor
                else:
                    total += np.float64(parameter * (abs(r) - half * parameter))
                    g[c] = parameter * _sign(r) * factor
        elif code == QUANTILE:
            for c in range(n_outputs):
                r = outs[c] - wanted[c]
                slope = -parameter if r < nought else unit - parameter
                total += np.float64(slope * r)
                g[c] = slope * factor
        else:
            for c in range(n_outputs):
                z, t = outs[c], wanted[c]
                e = exp(z)
                total += np.float64(e - t * z)
                g[c] = (e - t) * factor
        row_losses[i] = total * np.float64(factor)
        row_hits[i] = hits


@inner
def _sign(x):
    """-1, 0 or 1 in the type of x, and NaN for NaN."""
    nought, unit = zero(x), one(x)
    return unit if x > nought else (-unit if x < nought else x)
