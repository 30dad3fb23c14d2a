"""Batch normalisation (Ioffe and Szegedy, 2015) and layer normalisation (Ba et al., 2016).

y = gamma * (x - mean) * inv_std + beta with inv_std = 1 / sqrt(var + eps), var the biased variance.
BatchNorm takes mean and variance of a column over the rows of a batch; LayerNorm those of a row.
"""

import math


from .jit import kernel
from .maths import constant, one

__all__ = [
    "batch_norm_backward",
    "batch_norm_inference",
    "batch_norm_train",
    "layer_norm_backward",
    "layer_norm_forward",
    "layer_norm_parameters",
]



@kernel
def batch_norm_train(
    x, gamma, beta, running_mean, running_var, mean, inv_std, y, momentum, epsilon, n_rows,
    column, column_end,
):
    """y = gamma (x - mean) inv_std + beta over columns [column, column_end), all n_rows rows.

    running = momentum * running + (1 - momentum) * batch. Two passes: mean first, then variance.
    Reads x, gamma, beta. Writes y, mean, inv_std, running_mean, running_var. y may be x, which is
    then destroyed.
    """
    zero = constant(epsilon, 0.0, 0.0)
    share = one(epsilon) / x.dtype.type(n_rows)
    rest = one(epsilon) - momentum
    for j in range(column, column_end):
        mean[j] = zero
        inv_std[j] = zero
    for i in range(n_rows):
        for j in range(column, column_end):
            mean[j] += x[i, j]
    for j in range(column, column_end):
        mean[j] *= share
    for i in range(n_rows):
        for j in range(column, column_end):
            centred = x[i, j] - mean[j]
            inv_std[j] += centred * centred
    for j in range(column, column_end):
        variance = inv_std[j] * share
        running_mean[j] = momentum * running_mean[j] + rest * mean[j]
        running_var[j] = momentum * running_var[j] + rest * variance
        inv_std[j] = one(epsilon) / math.sqrt(variance + epsilon)
    for i in range(n_rows):
        for j in range(column, column_end):
            y[i, j] = gamma[j] * ((x[i, j] - mean[j]) * inv_std[j]) + beta[j]


@kernel
def batch_norm_inference(x, gamma, beta, mean, var, y, epsilon, row, row_end, n_columns):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, with the running statistics.

    Reads x, gamma, beta, mean, var. Writes rows [row, row_end) of y. y may be x.
    """
    for i in range(row, row_end):
        for j in range(n_columns):
            inv_std = one(epsilon) / math.sqrt(var[j] + epsilon)
            y[i, j] = gamma[j] * ((x[i, j] - mean[j]) * inv_std) + beta[j]


@kernel
def batch_norm_backward(
    dy, x, gamma, mean, inv_std, dgamma, dbeta, dx, n_rows, column, column_end
):
    """dx = gamma inv_std (dy - mean(dy) - xhat mean(dy xhat)), xhat = (x - mean) inv_std.

    dgamma = sum dy xhat, dbeta = sum dy, over the n_rows rows (the paper's section 3).
    Reads dy, x, gamma, mean, inv_std. Writes dgamma, dbeta, dx in columns [column, column_end).
    dx may be dy, which is then destroyed.
    """
    zero = constant(x[0, 0], 0.0, 0.0)
    share = one(zero) / x.dtype.type(n_rows)
    for j in range(column, column_end):
        dgamma[j] = zero
        dbeta[j] = zero
    for i in range(n_rows):
        for j in range(column, column_end):
            dbeta[j] += dy[i, j]
            dgamma[j] += dy[i, j] * ((x[i, j] - mean[j]) * inv_std[j])
    for i in range(n_rows):
        for j in range(column, column_end):
            xhat = (x[i, j] - mean[j]) * inv_std[j]
            centred = dy[i, j] - share * (dbeta[j] + xhat * dgamma[j])
            dx[i, j] = gamma[j] * inv_std[j] * centred


@kernel
def layer_norm_forward(x, gamma, beta, mean, inv_std, y, epsilon, row, row_end, n_columns):
    """y = gamma (x - mean) inv_std + beta with each row's own mean and variance.

    Reads x, gamma, beta. Writes rows [row, row_end) of y and their mean, inv_std. y may be x,
    which is then destroyed.
    """
    share = one(epsilon) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        centre = constant(epsilon, 0.0, 0.0)
        for j in range(n_columns):
            centre += x[i, j]
        centre *= share
        variance = constant(epsilon, 0.0, 0.0)
        for j in range(n_columns):
            variance += (x[i, j] - centre) * (x[i, j] - centre)
        scale = one(epsilon) / math.sqrt(variance * share + epsilon)
        mean[i], inv_std[i] = centre, scale
        for j in range(n_columns):
            y[i, j] = gamma[j] * ((x[i, j] - centre) * scale) + beta[j]


@kernel
def layer_norm_parameters(dy, x, mean, inv_std, dgamma, dbeta, n_rows, column, column_end):
    """dgamma = sum over rows of dy xhat, dbeta = sum over rows of dy.

    Reads dy, x, mean, inv_std. Writes dgamma, dbeta in columns [column, column_end).
    """
    zero = constant(x[0, 0], 0.0, 0.0)
    for j in range(column, column_end):
        dgamma[j] = zero
        dbeta[j] = zero
    for i in range(n_rows):
        for j in range(column, column_end):
            dbeta[j] += dy[i, j]
            dgamma[j] += dy[i, j] * ((x[i, j] - mean[i]) * inv_std[i])


@kernel
def layer_norm_backward(dy, x, gamma, mean, inv_std, dx, row, row_end, n_columns):
    """dx = inv_std (g - mean(g) - xhat mean(g xhat)) with g = gamma dy, means over the row.

    Reads dy, x, gamma, mean, inv_std. Writes rows [row, row_end) of dx. dx may be dy, which is
    then destroyed.
    """
    share = one(x[0, 0]) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        total = constant(x[0, 0], 0.0, 0.0)
        total_xhat = constant(x[0, 0], 0.0, 0.0)
        for j in range(n_columns):
            g = gamma[j] * dy[i, j]
            total += g
            total_xhat += g * ((x[i, j] - mean[i]) * inv_std[i])
        for j in range(n_columns):
            xhat = (x[i, j] - mean[i]) * inv_std[i]
            g = gamma[j] * dy[i, j]
            dx[i, j] = inv_std[i] * (g - share * (total + xhat * total_xhat))
