"""Batch normalisation (Ioffe and Szegedy, 2015): statistics of each column over a batch's rows.

y = gamma * (x - mean) * inv_std + beta with inv_std = 1 / sqrt(var + eps), var the biased variance.
"""

import math

import numpy as np

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REAL, REALS
from ..machine.maths import one, zero
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, reals_at, unit_at
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of
from .vectors import norm_pieces, scale_and_shift

__all__ = [
    "BATCH_NORM",
    "batch_norm_backward",
    "batch_norm_inference",
    "batch_norm_row",
    "batch_norm_row_backward",
    "batch_norm_train",
]

_VECTORS = (REALS, REALS, REALS, REALS)  # gamma, beta, and two statistics
_BACKWARD = (MATRIX, MATRIX, REALS, *_VECTORS, MATRIX, COUNT, COUNT)
_TRAIN = (MATRIX, *_VECTORS, REALS, REALS, MATRIX, REAL, REAL, COUNT, COUNT)
TRAIN = calls.link("cores.batch_norm", "batch_norm_train", *_TRAIN, COUNT)
ROW = calls.link("cores.batch_norm", "batch_norm_row", *_TRAIN)
INFERENCE = calls.link(
    "cores.batch_norm", "batch_norm_inference", MATRIX, *_VECTORS, MATRIX, REAL, COUNT, COUNT, COUNT
)
BACKWARD = calls.link("cores.batch_norm", "batch_norm_backward", *_BACKWARD, COUNT)
ROW_BACKWARD = calls.link("cores.batch_norm", "batch_norm_row_backward", *_BACKWARD)
call_train, call_row, call_inference = TRAIN.call, ROW.call, INFERENCE.call
call_backward, call_row_backward = BACKWARD.call, ROW_BACKWARD.call

ROWS_OF_A_BATCH = np.int64(16)  # this many single rows move the running statistics like one batch


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(batch_norm(x))) for this thread's columns, with the batch's statistics.

    Reads x, theta. Writes y, statistics, running statistics, and the values saved for f'.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    real, y = reals_at(memory, o, zero), y_of(memory, zero, operation, n_rows)
    gamma, beta = scale_and_shift(memory, zero, operation)
    running_mean, running_var = _running(memory, zero, operation)
    mean, inv_std, _, _ = _statistics(memory, zero, operation)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    if n_rows > 1:
        call_train(
            memory, x, gamma, beta, running_mean, running_var, mean, inv_std, y,
            real[op.NORM_MOMENTUM], real[op.NORM_EPSILON], block.row_end, block.column,
            block.column_end,
        )  # fmt: skip
    else:
        call_row(
            memory, x, gamma, beta, running_mean, running_var, mean, inv_std, y,
            real[op.NORM_MOMENTUM], real[op.NORM_EPSILON], block.column, block.column_end,
        )  # fmt: skip
    finish(memory, zero, o, step, y, block)


@kernel
def infer(memory, zero, thread, o, step, n_rows, x):
    """y = f(batch_norm(x)) with the running statistics. Reads x, theta. Writes y."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    gamma, beta = scale_and_shift(memory, zero, operation)
    mean, var = _running(memory, zero, operation)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    y, epsilon = (
        y_of(memory, zero, operation, n_rows),
        reals_at(memory, o, zero)[op.NORM_EPSILON],
    )
    call_inference(
        memory, x, gamma, beta, mean, var, y, epsilon, block.row, block.row_end, operation[op.N_OUT]
    )
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below, and the gradients of gamma and beta, for this thread's columns.

    Reads dz, x, theta, statistics. Writes dz of the operation below (its own dz if there is none),
    statistics.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    x = view(array_at(memory, op.WORKSPACE, zero), operation[op.X], n_rows, operation[op.LD_X])
    gamma, _ = scale_and_shift(memory, zero, operation)
    mean, inv_std, dgamma, dbeta = _statistics(memory, zero, operation)
    below = operation_at(memory, max(NONE, o - 1))
    dz, dx = dz_of(memory, zero, operation, n_rows), dz_of(memory, zero, below, n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    if n_rows > 1:
        call_backward(
            memory, dz, x, gamma, mean, inv_std, dgamma, dbeta, dx, block.row_end, block.column,
            block.column_end,
        )  # fmt: skip
    else:
        call_row_backward(
            memory, dz, x, gamma, mean, inv_std, dgamma, dbeta, dx, block.column, block.column_end
        )
    if o > 0:
        unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """Copy the gradients of gamma and beta, which `backward` computed, to out.

    Reads statistics. Writes out.
    """
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, gap = operation[op.N_OUT], operation[op.BIAS] - operation[op.WEIGHT]
    _, _, dgamma, dbeta = _statistics(memory, zero, operation)
    for j in range(n, gap):  # between gamma and beta
        out[out0 + j] = 0
    for j in range(n):
        out[out0 + j] = dgamma[j]
        out[out0 + gap + j] = dbeta[j]


@kernel
def batch_norm_train(
    x, gamma, beta, running_mean, running_var, mean, inv_std, y, momentum, epsilon, n_rows, column,
    column_end,
):  # fmt: skip
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
    x, gamma, beta, running_mean, running_var, mean, inv_std, y, momentum, epsilon, column,
    column_end,
):  # fmt: skip
    """Normalise a batch of one row, which has no variance, with the running statistics.

    Then update them: mean += r d, var = (1 - r) (var + r d**2), d = x - mean (West, 1979).
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


@inner
def _statistics(memory, zero, operation):
    """Return mean, inv_std, dgamma, dbeta."""
    workspace, n = array_at(memory, op.WORKSPACE, zero), operation[op.N_OUT]
    start = operation[op.STATISTICS]
    return (
        part(workspace, start, n),
        part(workspace, start + n, n),
        part(workspace, start + 2 * n, n),
        part(workspace, start + 3 * n, n),
    )


@inner
def _running(memory, zero, operation):
    """Return the running mean and variance."""
    running, n = array_at(memory, op.RUNNING_STATISTICS, zero), operation[op.N_OUT]
    return part(running, operation[op.RUNNING], n), part(running, operation[op.RUNNING] + n, n)


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.STATISTICS: workspace.take(4 * shape.n_out)}


BATCH_NORM = Core(
    "batch_norm",
    forward=forward,
    infer=infer,
    backward=backward,
    gradient=gradient,
    training_calls=(TRAIN, ROW, BACKWARD, ROW_BACKWARD),
    inference_calls=(INFERENCE,),
    backward_first=True,
    split_columns=lambda shape: shape.n_threads,
    grain=lambda shape: 64,
    running=lambda shape: 2 * shape.n_out,
    places=_places,
    pieces=norm_pieces,
)
