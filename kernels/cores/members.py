"""The start of an ensemble that shares its layers: each member scales the columns in its own way.

y = [r_1 x, 0, r_2 x, 0, ...] with a row r of the weight for each of ``SIZE1`` members (the adapters
of TabM-mini; Gorishniy et al., 2025). A member's columns are followed by zeros up to ``SIZE2``
columns, so that each begins on a cache line.
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

__all__ = ["MEMBERS", "members", "members_backward", "members_parameters"]

_COUNTS = (COUNT, COUNT, COUNT, COUNT, COUNT)
FORWARD = calls.link("cores.members", "members", MATRIX, MATRIX, MATRIX, *_COUNTS)
BACKWARD = calls.link("cores.members", "members_backward", MATRIX, MATRIX, MATRIX, *_COUNTS)
PARAMETERS = calls.link("cores.members", "members_parameters", MATRIX, MATRIX, REALS, *_COUNTS)
call_forward, call_backward, call_parameters = FORWARD.call, BACKWARD.call, PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(members' columns)) for this thread's rows. Reads x, theta. Writes y."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y = y_of(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    call_forward(
        memory, x, _weight(memory, zero, operation), y, operation[op.N_IN], operation[op.SIZE1],
        operation[op.SIZE2], block.row, block.row_end,
    )  # fmt: skip
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows. Reads dz, theta. Writes dz of the operation below."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    call_backward(
        memory, dz_of(memory, zero, operation, n_rows), _weight(memory, zero, operation), dx,
        operation[op.N_IN], operation[op.SIZE1], operation[op.SIZE2], block.row, block.row_end,
    )  # fmt: skip
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dr of a few members, a sum over the rows. Reads dz, x. Writes out."""
    unit = unit_at(memory, u)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    workspace = array_at(memory, op.WORKSPACE, zero)
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), x, part(out, out0, unit[op.UNIT_SIZE]),
        unit[op.UNIT_FIRST], unit[op.UNIT_LAST], operation[op.N_IN], operation[op.SIZE2], n_rows,
    )  # fmt: skip


@kernel
def members(x, weight, y, n_columns, n_members, stride, row, row_end):
    """y = [r_1 x, 0, r_2 x, 0, ...] over rows [row, row_end).

    Reads x, weight (n_members, n_columns). Writes y (>= n_members * stride columns).
    """
    for i in range(row, row_end):
        a = row_of(x, i, NONE, n_columns)
        for m in range(n_members):
            r, b = row_of(weight, m, NONE, n_columns), row_of(y, i, m * stride, stride)
            for j in range(n_columns):
                b[j] = r[j] * a[j]
            for j in range(n_columns, stride):
                b[j] = zero_like(b[j])


@kernel
def members_backward(dy, weight, dx, n_columns, n_members, stride, row, row_end):
    """dx = sum over members of r dy over rows [row, row_end). Reads dy, weight. Writes dx."""
    for i in range(row, row_end):
        d = row_of(dx, i, NONE, n_columns)
        for j in range(n_columns):
            d[j] = zero_like(d[j])
        for m in range(n_members):
            r, g = row_of(weight, m, NONE, n_columns), row_of(dy, i, m * stride, n_columns)
            for j in range(n_columns):
                d[j] += r[j] * g[j]


@kernel
def members_parameters(dy, x, dweight, first, last, n_columns, stride, n_rows):
    """dr = sum over rows of dy x, for members [first, last).

    Reads dy, x. Writes dweight ((last - first) * n_columns).
    """
    for m in range(first, last):
        d = part(dweight, (m - first) * n_columns, n_columns)
        for j in range(n_columns):
            d[j] = zero_like(d[j])
        for i in range(n_rows):
            a, g = row_of(x, i, NONE, n_columns), row_of(dy, i, m * stride, n_columns)
            for j in range(n_columns):
                d[j] += g[j] * a[j]


@inner
def _weight(memory, zero, operation):
    """Return the members' factors, a row for each."""
    theta = array_at(memory, op.THETA, zero)
    return view(theta, operation[op.WEIGHT], operation[op.SIZE1], operation[op.N_IN])


def _pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return a piece for each member."""
    n = shape.n_in
    return [(m, m + 1, weight + m * n, n) for m in range(shape.sizes[0])]


MEMBERS = Core(
    "members",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    pieces=_pieces,
)
