"""Losses and their gradients."""

import numpy as np

from .layers import sigmoid, softplus


def softmax(z):
    """Return exp(z) / sum exp(z) for each row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def row_losses(kind, z, t, parameter=0.0):
    """Return each row's loss (N,) and its gradient with respect to the row's outputs (N, C).

    z (N, C) are the outputs; t are labels (N,) for cross_entropy and hinge, else targets (N, C).
    parameter is the label smoothing, the delta of huber, or the quantile. At the kink of quantile
    the gradient is the one from the right; at the kink of mae it is 0.
    """
    N, C = z.shape
    rows = np.arange(N)
    if kind == "cross_entropy":
        target = np.full((N, C), parameter / C)
        target[rows, t] += 1.0 - parameter
        top = z.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
        return (target * (log_sum - z)).sum(axis=1), softmax(z) - target
    if kind == "hinge":
        margin = z - z[rows, t][:, None] + 1.0
        margin[rows, t] = 0.0
        gradient = np.where(margin > 0, 1.0, 0.0)
        gradient[rows, t] = -gradient.sum(axis=1)
        return np.maximum(margin, 0.0).sum(axis=1), gradient
    if kind == "member_cross_entropy":  # parameter is the number of members
        k = int(parameter)
        of_members = [row_losses("cross_entropy", part, t) for part in np.split(z, k, axis=1)]
        values, gradients = zip(*of_members, strict=True)
        return sum(values) / k, np.concatenate(gradients, axis=1) / k
    error = z - t
    if kind == "mse":
        value, slope = error**2, 2.0 * error
    elif kind == "mae":
        value, slope = np.abs(error), np.sign(error)
    elif kind == "huber":
        inside = np.abs(error) <= parameter
        value = np.where(inside, 0.5 * error**2, parameter * (np.abs(error) - 0.5 * parameter))
        slope = np.where(inside, error, parameter * np.sign(error))
    elif kind == "log_cosh":
        value, slope = np.logaddexp(error, -error) - np.log(2.0), np.tanh(error)
    elif kind == "quantile":
        value = np.where(error < 0, -parameter * error, (1.0 - parameter) * error)
        slope = np.where(error < 0, -parameter, 1.0 - parameter)
    elif kind == "binary_cross_entropy":
        value, slope = softplus(z) - t * z, sigmoid(z) - t
    elif kind == "poisson":
        value, slope = np.exp(z) - t * z, np.exp(z) - t
    else:
        raise KeyError(kind)
    return value.mean(axis=1), slope / C


def loss(kind, z, t, weights=None, parameter=0.0):
    """Return sum_i w_i l_i / sum_i w_i over the rows, and its gradient with respect to z (N, C)."""
    w = np.ones(len(z)) if weights is None else weights
    values, gradients = row_losses(kind, z, t, parameter)
    return float((w * values).sum() / w.sum()), gradients * (w / w.sum())[:, None]
