"""RMS normalisation (Zhang and Sennrich, 2019): each row is divided by its root mean square.

y = gamma * x * inv_rms with inv_rms = 1 / sqrt(mean(x**2) + eps), the mean over the row's columns.
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

__all__ = ["RMS_NORM", "rms_norm_backward", "rms_norm_forward", "rms_norm_parameters"]

_BLOCK = (COUNT, COUNT, COUNT)  # rows or columns from, to, and how many there are of the other
FORWARD = calls.link(
    "cores.rms_norm", "rms_norm_forward", MATRIX, REALS, REALS, MATRIX, REAL, *_BLOCK
)
BACKWARD = calls.link(
    "cores.rms_norm", "rms_norm_backward", MATRIX, MATRIX, REALS, REALS, MATRIX, *_BLOCK
)
PARAMETERS = calls.link(
    "cores.rms_norm", "rms_norm_parameters", MATRIX, MATRIX, REALS, REALS, *_BLOCK
)
call_forward, call_backward = FORWARD.call, BACKWARD.call
call_parameters = PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(rms_norm(x))) for this thread's rows.

    Reads x, theta. Writes y, statistics, and what the plan keeps of f.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, y = operation[op.N_OUT], y_of(memory, zero, operation, n_rows)
    gamma, inv_rms = _gamma(memory, zero, operation), _inv_rms(memory, zero, operation, n_rows)
    epsilon = reals_at(memory, o, zero)[op.NORM_EPSILON]
    block = own_block(thread, header, operation, n_rows, n)
    call_forward(memory, x, gamma, inv_rms, y, epsilon, block.row, block.row_end, n)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows.

    Reads dz, x, theta, statistics. Writes dz of the operation below.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, x = operation[op.N_OUT], _x(memory, zero, operation, n_rows)
    gamma, inv_rms = _gamma(memory, zero, operation), _inv_rms(memory, zero, operation, n_rows)
    dz = dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, n)
    call_backward(memory, dz, x, gamma, inv_rms, dx, block.row, block.row_end, n)
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dgamma, a sum over the rows. Reads dz, x, statistics. Writes out."""
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, x = operation[op.N_OUT], _x(memory, zero, operation, n_rows)
    dz, inv_rms = dz_of(memory, zero, operation, n_rows), _inv_rms(memory, zero, operation, n_rows)
    call_parameters(memory, dz, x, inv_rms, part(out, out0, n), NONE, n, n_rows)


@kernel
def rms_norm_forward(x, gamma, inv_rms, y, epsilon, row, row_end, n_columns):
    """y = gamma x / sqrt(mean(x**2) + eps) over rows [row, row_end).

    Reads x, gamma. Writes y, inv_rms. y may be x, which is then destroyed.
    """
    share = one(epsilon) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(y, i, NONE, n_columns)
        total = zero(epsilon)
        for j in range(n_columns):
            total += a[j] * a[j]
        scale = one(epsilon) / math.sqrt(total * share + epsilon)
        inv_rms[i] = scale
        for j in range(n_columns):
            b[j] = gamma[j] * (a[j] * scale)


@kernel
def rms_norm_parameters(dy, x, inv_rms, dgamma, column, column_end, n_rows):
    """dgamma = sum over rows of dy xhat with xhat = x inv_rms.

    Reads dy, x, inv_rms. Writes columns [column, column_end) of dgamma.
    """
    n = column_end - column
    dgamma = part(dgamma, column, n)
    for j in range(n):
        dgamma[j] = zero(inv_rms[0])
    for i in range(n_rows):
        a, g = row_of(x, i, column, n), row_of(dy, i, column, n)
        for j in range(n):
            dgamma[j] += g[j] * (a[j] * inv_rms[i])


@kernel
def rms_norm_backward(dy, x, gamma, inv_rms, dx, row, row_end, n_columns):
    """dx = inv_rms (g - xhat mean(g xhat)) with g = gamma dy, xhat = x inv_rms, mean over the row.

    Reads dy, x, gamma, inv_rms. Writes rows [row, row_end) of dx. dx may be dy, which is then
    destroyed.
    """
    share = one(gamma[0]) / x.dtype.type(n_columns)
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(dy, i, NONE, n_columns)
        d = row_of(dx, i, NONE, n_columns)
        total = zero(gamma[0])
        for j in range(n_columns):
            total += gamma[j] * b[j] * (a[j] * inv_rms[i])
        for j in range(n_columns):
            d[j] = inv_rms[i] * (gamma[j] * b[j] - a[j] * inv_rms[i] * (share * total))


@inner
def _x(memory, zero, operation, n_rows):
    """Return the operation's input."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.X], n_rows, operation[op.LD_X])


@inner
def _gamma(memory, zero, operation):
    """Return the scale of each column."""
    return part(array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_OUT])


@inner
def _inv_rms(memory, zero, operation, n_rows):
    """Return inv_rms of each row."""
    return part(array_at(memory, op.WORKSPACE, zero), operation[op.STATISTICS], n_rows)


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.STATISTICS: workspace.take(shape.batch_size)}


def _pieces(shape: Shape, gamma: int, beta: int) -> list[tuple[int, int, int, int]]:
    """Return gamma as the only piece: there is no beta."""
    return [(int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), gamma, shape.n_out)]


RMS_NORM = Core(
    "rms_norm",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    places=_places,
    pieces=_pieces,
)
