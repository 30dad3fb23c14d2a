"""Layer normalisation (Ba et al., 2016): statistics of each row over its columns.

y = gamma * (x - mean) * inv_std + beta with inv_std = 1 / sqrt(var + eps), var the biased variance.
"""

import math

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

__all__ = ["LAYER_NORM", "layer_norm_backward", "layer_norm_forward", "layer_norm_parameters"]

_VECTORS = (REALS, REALS, REALS, REALS)  # gamma, beta, and two statistics
FORWARD = calls.link(
    "cores.layer_norm", "layer_norm_forward", MATRIX, *_VECTORS, MATRIX, REAL, COUNT, COUNT, COUNT
)
BACKWARD = calls.link(
    "cores.layer_norm", "layer_norm_backward", MATRIX, MATRIX, REALS, REALS, REALS, MATRIX, COUNT,
    COUNT, COUNT,
)  # fmt: skip
PARAMETERS = calls.link(
    "cores.layer_norm", "layer_norm_parameters", MATRIX, MATRIX, *_VECTORS, COUNT, COUNT, COUNT
)
call_forward, call_backward = FORWARD.call, BACKWARD.call
call_parameters = PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(layer_norm(x))) for this thread's rows.

    Reads x, theta. Writes y, statistics, and the values saved for f'.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    gamma, beta = scale_and_shift(memory, zero, operation)
    mean, inv_std = _statistics(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    y, epsilon = (
        y_of(memory, zero, operation, n_rows),
        reals_at(memory, o, zero)[op.NORM_EPSILON],
    )
    call_forward(
        memory,
        x,
        gamma,
        beta,
        mean,
        inv_std,
        y,
        epsilon,
        block.row,
        block.row_end,
        operation[op.N_OUT],
    )
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows.

    Reads dz, x, theta, statistics. Writes dz of the operation below.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    x = view(array_at(memory, op.WORKSPACE, zero), operation[op.X], n_rows, operation[op.LD_X])
    gamma, _ = scale_and_shift(memory, zero, operation)
    mean, inv_std = _statistics(memory, zero, operation, n_rows)
    dz = dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    call_backward(
        memory, dz, x, gamma, mean, inv_std, dx, block.row, block.row_end, operation[op.N_OUT]
    )
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dgamma and dbeta, sums over the rows. Reads dz, x, statistics. Writes out."""
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, gap = operation[op.N_OUT], operation[op.BIAS] - operation[op.WEIGHT]
    x = view(array_at(memory, op.WORKSPACE, zero), operation[op.X], n_rows, operation[op.LD_X])
    mean, inv_std = _statistics(memory, zero, operation, n_rows)
    for j in range(n, gap):  # between gamma and beta
        out[out0 + j] = 0
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), x, mean, inv_std, part(out, out0, n),
        part(out, out0 + gap, n), n_rows, NONE, n,
    )  # fmt: skip


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


@inner
def _statistics(memory, zero, operation, n_rows):
    """Return mean and inv_std of each row."""
    workspace, start = array_at(memory, op.WORKSPACE, zero), operation[op.STATISTICS]
    return part(workspace, start, n_rows), part(workspace, start + n_rows, n_rows)


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.STATISTICS: workspace.take(2 * shape.batch_size)}


LAYER_NORM = Core(
    "layer_norm",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    places=_places,
    pieces=norm_pieces,
)
