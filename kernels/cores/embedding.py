"""A row of a trained table in place of each category code; the columns before them stay.

The last columns of x hold row numbers of the table (``SIZE1`` of them; the table has ``SIZE2``
rows of ``SIZE3``). What is no row number counts as 0, so that no input reads other memory.
"""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import zero as zero_like
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, unit_at
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["EMBEDDING", "embed", "embed_backward", "embed_parameters"]

_COUNTS = (COUNT, COUNT, COUNT)
FORWARD = calls.link("cores.embedding", "embed", MATRIX, MATRIX, MATRIX, *_COUNTS, *_COUNTS)
BACKWARD = calls.link("cores.embedding", "embed_backward", MATRIX, MATRIX, COUNT, *_COUNTS)
PARAMETERS = calls.link(
    "cores.embedding", "embed_parameters", MATRIX, MATRIX, REALS, COUNT, COUNT, COUNT, *_COUNTS,
    COUNT,
)  # fmt: skip
call_forward, call_backward, call_parameters = FORWARD.call, BACKWARD.call, PARAMETERS.call

ELEMENTS_OF_A_PIECE = 8192  # about, per update piece: its gradient stays in a cache


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(columns, rows of the table)) for this thread's rows.

    Reads x, theta. Writes y, and what the plan keeps of f.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y, n_codes = y_of(memory, zero, operation, n_rows), operation[op.SIZE1]
    theta, width = array_at(memory, op.THETA, zero), operation[op.SIZE3]
    table = view(theta, operation[op.WEIGHT], operation[op.SIZE2], width)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    n_plain = operation[op.N_IN] - n_codes
    call_forward(
        memory, x, table, y, operation[op.SIZE2], width, n_plain, n_codes, block.row, block.row_end
    )
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows; it is 0 for codes. Reads dz. Writes dz of the one below."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    n_plain = operation[op.N_IN] - operation[op.SIZE1]
    call_backward(
        memory, dz_of(memory, zero, operation, n_rows), dx, n_plain, operation[op.N_IN], block.row,
        block.row_end,
    )  # fmt: skip
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """Add dz to the rows of the table that were used. Reads dz, x. Writes out."""
    unit = unit_at(memory, u)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    workspace = array_at(memory, op.WORKSPACE, zero)
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    n_plain = operation[op.N_IN] - operation[op.SIZE1]
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), x, part(out, out0, unit[op.UNIT_SIZE]),
        unit[op.UNIT_FIRST], unit[op.UNIT_LAST], operation[op.SIZE2], operation[op.SIZE3], n_plain,
        operation[op.SIZE1], n_rows,
    )  # fmt: skip


@kernel
def embed(x, table, y, n_values, width, n_plain, n_codes, row, row_end):
    """y = [x[:n_plain], table[x[n_plain]], table[x[n_plain + 1]], ...] over rows [row, row_end).

    Reads x, table (n_values, width). Writes y.
    """
    for i in range(row, row_end):
        a, b = row_of(x, i, NONE, n_plain + n_codes), row_of(y, i, NONE, n_plain + n_codes * width)
        for j in range(n_plain):
            b[j] = a[j]
        for c in range(n_codes):
            values = row_of(table, _row_number(a[n_plain + c], n_values), NONE, width)
            for j in range(width):
                b[n_plain + c * width + j] = values[j]


@kernel
def embed_backward(dy, dx, n_plain, n_columns, row, row_end):
    """dx = [dy[:n_plain], 0, ...] over rows [row, row_end) of all n_columns of x.

    Reads dy. Writes dx.
    """
    for i in range(row, row_end):
        g, d = row_of(dy, i, NONE, n_plain), row_of(dx, i, NONE, n_columns)
        for j in range(n_plain):
            d[j] = g[j]
        for j in range(n_plain, n_columns):
            d[j] = zero_like(d[j])


@kernel
def embed_parameters(dy, x, dtable, first, last, n_values, width, n_plain, n_codes, n_rows):
    """dtable[r] = the sum of dy wherever row r was used, for rows [first, last) of the table.

    Reads dy, x. Writes dtable ((last - first) * width).
    """
    for j in range(dtable.size):
        dtable[j] = zero_like(dtable[j])
    for i in range(n_rows):
        a = row_of(x, i, n_plain, n_codes)
        g = row_of(dy, i, n_plain, n_codes * width)
        for c in range(n_codes):
            r = _row_number(a[c], n_values)
            if first <= r < last:
                start = (r - first) * width
                for j in range(width):
                    dtable[start + j] += g[c * width + j]


@inner
def _row_number(code, n_values):
    """Return a code as an integer, 0 for anything that is no row number of the table."""
    return int(code) if zero_like(code) <= code < n_values else NONE


def _pieces(shape: Shape, table: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Cut the table into ranges of rows."""
    _, n_values, width = shape.sizes
    step = max(1, ELEMENTS_OF_A_PIECE // width)
    return [
        (first, min(n_values, first + step), table + first * width,
         (min(n_values, first + step) - first) * width)
        for first in range(0, n_values, step)
    ]  # fmt: skip


EMBEDDING = Core(
    "embedding",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    pieces=_pieces,
)
