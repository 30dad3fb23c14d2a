"""An activation that each column mixes with the identity: y = x + a (f(x) - x), with trained a."""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import one, zero
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, copy_block, operation_at, own_block, reals_at, unit_at
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["PARAMETRIC", "mix", "mix_parameters", "unmix"]

_BLOCK = (COUNT, COUNT, COUNT)  # rows or columns from, to, and how many there are of the other
MIX = calls.link("cores.parametric", "mix", MATRIX, MATRIX, REALS, MATRIX, *_BLOCK)
UNMIX = calls.link("cores.parametric", "unmix", MATRIX, REALS, MATRIX, *_BLOCK)
PARAMETERS = calls.link(
    "cores.parametric", "mix_parameters", MATRIX, MATRIX, MATRIX, REALS, *_BLOCK
)
call_mix, call_unmix, call_parameters = MIX.call, UNMIX.call, PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(x + a (f(x) - x)) for this thread's rows. Reads x, theta. Writes y, and f(x)."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, y = operation[op.N_OUT], y_of(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, n)
    activated = _activated(memory, zero, operation, n_rows)
    copy_block(x, activated, block)
    calls.activate(
        memory, operation[op.SIZE1], reals_at(memory, o, zero)[op.NORM_EPSILON], activated, block
    )
    call_mix(memory, x, activated, _mixing(memory, zero, operation), y, block.row, block.row_end, n)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows.

    Reads dz, x, theta, f(x). Writes dz of the operation below.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, dz = operation[op.N_OUT], dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, n)
    saved = _activated(memory, zero, operation, n_rows)
    if operation[op.SIZE2] != 0:  # f' is computed from x
        saved = _x(memory, zero, operation, n_rows)
    copy_block(dz, dx, block)
    calls.differentiate(
        memory, operation[op.SIZE1], reals_at(memory, o, zero)[op.NORM_EPSILON], dx, saved, block
    )
    call_unmix(memory, dz, _mixing(memory, zero, operation), dx, block.row, block.row_end, n)
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """da, a sum over the rows. Reads dz, x, f(x). Writes out."""
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, x = operation[op.N_OUT], _x(memory, zero, operation, n_rows)
    dz, activated = (
        dz_of(memory, zero, operation, n_rows),
        _activated(memory, zero, operation, n_rows),
    )
    call_parameters(memory, dz, x, activated, part(out, out0, n), NONE, n, n_rows)


@kernel
def mix(x, activated, mixing, y, row, row_end, n_columns):
    """y = x + a (f(x) - x) over rows [row, row_end).

    Reads x, activated (f(x)), a. Writes y, which may be either of them.
    """
    for i in range(row, row_end):
        a, f = row_of(x, i, NONE, n_columns), row_of(activated, i, NONE, n_columns)
        b = row_of(y, i, NONE, n_columns)
        for j in range(n_columns):
            b[j] = a[j] + mixing[j] * (f[j] - a[j])


@kernel
def unmix(dy, mixing, dx, row, row_end, n_columns):
    """dx = (1 - a) dy + a dx over rows [row, row_end), where dx comes in as dy f'(x).

    Reads dy, a, dx. Writes dx.
    """
    unit = one(mixing[0])
    for i in range(row, row_end):
        g, d = row_of(dy, i, NONE, n_columns), row_of(dx, i, NONE, n_columns)
        for j in range(n_columns):
            d[j] = (unit - mixing[j]) * g[j] + mixing[j] * d[j]


@kernel
def mix_parameters(dy, x, activated, dmixing, column, column_end, n_rows):
    """da = sum over rows of dy (f(x) - x).

    Reads dy, x, activated (f(x)). Writes columns [column, column_end) of da.
    """
    n = column_end - column
    dmixing = part(dmixing, column, n)
    for j in range(n):
        dmixing[j] = zero(dmixing[j])
    for i in range(n_rows):
        a, f = row_of(x, i, column, n), row_of(activated, i, column, n)
        g = row_of(dy, i, column, n)
        for j in range(n):
            dmixing[j] += g[j] * (f[j] - a[j])


@inner
def _x(memory, zero, operation, n_rows):
    """Return the operation's input."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.X], n_rows, operation[op.LD_X])


@inner
def _activated(memory, zero, operation, n_rows):
    """Return f(x)."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.STATISTICS], n_rows, operation[op.N_OUT])


@inner
def _mixing(memory, zero, operation):
    """Return a, the share of the activation in each column."""
    return part(array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_OUT])


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.STATISTICS: workspace.take(shape.batch_size * shape.n_out)}


def _pieces(shape: Shape, mixing: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return the vector as the only piece."""
    return [(int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), mixing, shape.n_out)]


PARAMETRIC = Core(
    "parametric",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(MIX, UNMIX, PARAMETERS),
    inference_calls=(MIX,),
    places=_places,
    pieces=_pieces,
)
