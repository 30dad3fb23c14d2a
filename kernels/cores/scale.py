"""A trained factor for each column: y = s x."""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import zero
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, unit_at
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["SCALE", "scale_columns", "scale_parameters"]

_BLOCK = (COUNT, COUNT, COUNT)  # rows or columns from, to, and how many there are of the other
COLUMNS = calls.link("cores.scale", "scale_columns", MATRIX, REALS, MATRIX, *_BLOCK)
PARAMETERS = calls.link("cores.scale", "scale_parameters", MATRIX, MATRIX, REALS, *_BLOCK)
call_columns, call_parameters = COLUMNS.call, PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(s x)) for this thread's rows. Reads x, theta. Writes y, what is kept of f."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, y = operation[op.N_OUT], y_of(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, n)
    call_columns(memory, x, _scale(memory, zero, operation), y, block.row, block.row_end, n)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows. Reads dz, theta. Writes dz of the operation below."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, dz = operation[op.N_OUT], dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, n)
    call_columns(memory, dz, _scale(memory, zero, operation), dx, block.row, block.row_end, n)
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """ds, a sum over the rows. Reads dz, x. Writes out."""
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, workspace = operation[op.N_OUT], array_at(memory, op.WORKSPACE, zero)
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    dz = dz_of(memory, zero, operation, n_rows)
    call_parameters(memory, dz, x, part(out, out0, n), NONE, n, n_rows)


@kernel
def scale_columns(x, scale, y, row, row_end, n_columns):
    """y = s x over rows [row, row_end). Reads x, s. Writes y, which may be x.

    The gradient is the same function of dy.
    """
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_columns), row_of(y, i, NONE, n_columns)
        for j in range(n_columns):
            b[j] = scale[j] * a[j]


@kernel
def scale_parameters(dy, x, dscale, column, column_end, n_rows):
    """ds = sum over rows of dy x. Reads dy, x. Writes columns [column, column_end) of ds."""
    n = column_end - column
    dscale = part(dscale, column, n)
    for j in range(n):
        dscale[j] = zero(dscale[j])
    for i in range(n_rows):
        a, g = row_of(x, i, column, n), row_of(dy, i, column, n)
        for j in range(n):
            dscale[j] += g[j] * a[j]


@inner
def _scale(memory, zero, operation):
    """Return the factor of each column."""
    return part(array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_OUT])


def _pieces(shape: Shape, scale: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return the vector as the only piece."""
    return [(int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), scale, shape.n_out)]


SCALE = Core(
    "scale",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(COLUMNS, PARAMETERS),
    inference_calls=(COLUMNS,),
    pieces=_pieces,
)
