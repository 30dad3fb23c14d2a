"""Batch normalisation (Ioffe and Szegedy, 2015) and layer normalisation (Ba et al., 2016).

y = gamma * (x - mean) * inv_std + beta with inv_std = 1 / sqrt(var + eps), var the biased variance.
BatchNorm takes mean and variance of a column over the rows of a batch; LayerNorm those of a row.
"""

import math

import numpy as np

from .jit import kernel
from .maths import one, zero
from .simd import part, row_of

__all__ = [
    "batch_norm_backward",
    "batch_norm_inference",
    "batch_norm_row",
    "batch_norm_row_backward",
    "batch_norm_train",
    "layer_norm_backward",
    "layer_norm_forward",
    "layer_norm_parameters",
]

NONE = np.int64(0)
ROWS_OF_A_BATCH = np.int64(16)  # trained one by one move the running statistics like one batch


@kernel
def batch_norm_train(
    x,
    gamma,
    beta,
    running_mean,
    running_var,
    mean,
    inv_std,
    y,
    momentum,
    epsilon,
    n_rows,
    column,
    column_end,
):
    """y = gamma (x - mean) inv_std + beta over columns [column, column_end), all n_rows rows.

    running = momentum * running + (1 - momentum) * batch. Two passes: mean first, then variance.
    Reads x, gamma, beta. Writes y, mean, inv_std, running_mean, running_var. y may be x, which is
    then destroyed.
    """
    nought, n = zero(epsilon), column_end - column
    gamma, beta = part(gamma, column, n), part(beta, column, n)
    mean, inv_std = part(mean, column, n), part(inv_std, column, n)
    running_mean, running_var = part(running_mean, column, n), part(running_var, column, n)
    share = one(epsilon) / x.dtype.type(n_rows)
    rest = one(epsilon) - momentum
    for j in range(n):
        mean[j] = nought
        inv_std[j] = nought
    for i in range(n_rows):
        a = row_of(x, i, column, n)
        for j in range(n):
            mean[j] += a[j]
    for j in range(n):
        mean[j] *= share
    for i in range(n_rows):
        a = row_of(x, i, column, n)
        for j in range(n):
            centred = a[j] - mean[j]
            inv_std[j] += centred * centred
    for j in range(n):
        variance = inv_std[j] * share
        running_mean[j] = momentum * running_mean[j] + rest * mean[j]
        running_var[j] = momentum * running_var[j] + rest * variance
        inv_std[j] = one(epsilon) / math.sqrt(variance + epsilon)
    for i in range(n_rows):
        a, b = row_of(x, i, column, n), row_of(y, i, column, n)
        for j in range(n):
            b[j] = gamma[j] * ((a[j] - mean[j]) * inv_std[j]) + beta[j]


@kernel
def batch_norm_row(
    x,
    gamma,
    beta,
    running_mean,
    running_var,
    mean,
    inv_std,
    y,
    momentum,
    epsilon,
    column,
    column_end,
):
    """Normalise a batch of one row, which has no variance, with the running statistics.

    They follow it then: mean += r d, var = (1 - r) (var + r d**2), d = x - mean (West, 1979).
    Reads x, gamma, beta. Writes y, mean, inv_std, running_mean, running_var in columns
    [column, column_end). y may be x, which is then destroyed.
    """
    r = (one(epsilon) - momentum) / x.dtype.type(ROWS_OF_A_BATCH)
    for j in range(column, column_end):
        d = x[0, j] - running_mean[j]
        mean[j] = running_mean[j]
        inv_std[j] = one(epsilon) / math.sqrt(running_var[j] + epsilon)
        running_mean[j] += r * d
        running_var[j] = (one(epsilon) - r) * (running_var[j] + r * d * d)
        y[0, j] = gamma[j] * (d * inv_std[j]) + beta[j]


@kernel
def batch_norm_inference(x, gamma, beta, mean, var, y, epsilon, row, row_end, n_columns):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, with the running statistics.

    Reads x, gamma, beta, mean, var. Writes rows [row, row_end) of y. y may be x.
    """
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(y, i, NONE, n_columns)
        for j in range(n_columns):
            inv_std = one(epsilon) / math.sqrt(var[j] + epsilon)
            b[j] = gamma[j] * ((a[j] - mean[j]) * inv_std) + beta[j]


@kernel
def batch_norm_backward(dy, x, gamma, mean, inv_std, dgamma, dbeta, dx, n_rows, column, column_end):
    """dx = gamma inv_std (dy - mean(dy) - xhat mean(dy xhat)), xhat = (x - mean) inv_std.

    dgamma = sum dy xhat, dbeta = sum dy, over the n_rows rows (the paper's section 3).
    Reads dy, x, gamma, mean, inv_std. Writes dgamma, dbeta, dx in columns [column, column_end).
    dx may be dy, which is then destroyed.
    """
    nought, n = zero(gamma[0]), column_end - column
    gamma, dgamma, dbeta = part(gamma, column, n), part(dgamma, column, n), part(dbeta, column, n)
    mean, inv_std = part(mean, column, n), part(inv_std, column, n)
    share = one(nought) / x.dtype.type(n_rows)
    for j in range(n):
        dgamma[j] = nought
        dbeta[j] = nought
    for i in range(n_rows):
        a, g = row_of(x, i, column, n), row_of(dy, i, column, n)
        for j in range(n):
            dbeta[j] += g[j]
            dgamma[j] += g[j] * ((a[j] - mean[j]) * inv_std[j])
    for i in range(n_rows):
        a, g = row_of(x, i, column, n), row_of(dy, i, column, n)
        d = row_of(dx, i, column, n)
        for j in range(n):
            xhat = (a[j] - mean[j]) * inv_std[j]
            centred = g[j] - share * (dbeta[j] + xhat * dgamma[j])
            d[j] = gamma[j] * inv_std[j] * centred


@kernel
def batch_norm_row_backward(dy, x, gamma, mean, inv_std, dgamma, dbeta, dx, column, column_end):
    """dx = gamma inv_std dy for a batch of one row: mean and inv_std do not depend on it.

    Reads dy, x, gamma, mean, inv_std. Writes dgamma, dbeta, dx in columns [column, column_end).
    dx may be dy, which is then destroyed.
    """
    for j in range(column, column_end):
        g = dy[0, j]
        dbeta[j] = g
        dgamma[j] = g * ((x[0, j] - mean[j]) * inv_std[j])
        dx[0, j] = gamma[j] * inv_std[j] * g


@kernel
def layer_norm_forward(x, gamma, beta, mean, inv_std, y, epsilon, row, row_end, n_columns):
    """y = gamma (x - mean) inv_std + beta with each row's own mean and variance.

    Reads x, gamma, beta. Writes rows [row, row_end) of y and their mean, inv_std. y may be x,
    which is then destroyed.
    """
    share = one(epsilon) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(y, i, NONE, n_columns)
        centre = zero(epsilon)
        for j in range(n_columns):
            centre += a[j]
        centre *= share
        variance = zero(epsilon)
        for j in range(n_columns):
            variance += (a[j] - centre) * (a[j] - centre)
        scale = one(epsilon) / math.sqrt(variance * share + epsilon)
        mean[i], inv_std[i] = centre, scale
        for j in range(n_columns):
            b[j] = gamma[j] * ((a[j] - centre) * scale) + beta[j]


@kernel
def layer_norm_parameters(dy, x, mean, inv_std, dgamma, dbeta, n_rows, column, column_end):
    """dgamma = sum over rows of dy xhat, dbeta = sum over rows of dy.

    Reads dy, x, mean, inv_std. Writes dgamma, dbeta in columns [column, column_end).
    """
    nought, n = zero(mean[0]), column_end - column
    dgamma, dbeta = part(dgamma, column, n), part(dbeta, column, n)
    for j in range(n):
        dgamma[j] = nought
        dbeta[j] = nought
    for i in range(n_rows):
        a, g = row_of(x, i, column, n), row_of(dy, i, column, n)
        for j in range(n):
            dbeta[j] += g[j]
            dgamma[j] += g[j] * ((a[j] - mean[i]) * inv_std[i])


@kernel
def layer_norm_backward(dy, x, gamma, mean, inv_std, dx, row, row_end, n_columns):
    """dx = inv_std (g - mean(g) - xhat mean(g xhat)) with g = gamma dy, means over the row.

    Reads dy, x, gamma, mean, inv_std. Writes rows [row, row_end) of dx. dx may be dy, which is
    then destroyed.
    """
    share = one(gamma[0]) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(dy, i, NONE, n_columns)
        d = row_of(dx, i, NONE, n_columns)
        total = zero(gamma[0])
        total_xhat = zero(gamma[0])
        for j in range(n_columns):
            g = gamma[j] * b[j]
            total += g
            total_xhat += g * ((a[j] - mean[i]) * inv_std[i])
        for j in range(n_columns):
            xhat = (a[j] - mean[i]) * inv_std[i]
            g = gamma[j] * b[j]
            d[j] = inv_std[i] * (g - share * (total + xhat * total_xhat))
