"""Periodic embeddings of numbers (PBLD; Holzmueller et al., 2024, after Gorishniy et al., 2022).

A number x becomes [W2' cos(2 pi w1 x + b1) + b2, x]. The first columns of x are numbers (``SIZE1``
of them), each with ``SIZE2`` frequencies and ``SIZE3`` outputs besides x; the other columns stay.
The parameters of a number are a row [w1, b1, W2, b2] of the weight, with W2 stored output by
output.
"""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import constant, cos_of_turns, sin_of_turns
from ..machine.maths import zero as zero_like
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, scratch_of, unit_at
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["PERIODIC", "periodic", "periodic_backward", "periodic_parameters"]

_SIZES = (COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
FORWARD = calls.link("cores.periodic", "periodic", MATRIX, MATRIX, MATRIX, REALS, *_SIZES)
BACKWARD = calls.link(
    "cores.periodic", "periodic_backward", MATRIX, MATRIX, MATRIX, MATRIX, REALS, *_SIZES
)
PARAMETERS = calls.link(
    "cores.periodic", "periodic_parameters", MATRIX, MATRIX, MATRIX, REALS, REALS, *_SIZES
)
call_forward, call_backward, call_parameters = FORWARD.call, BACKWARD.call, PARAMETERS.call

PARAMETERS_OF_A_PIECE = 512  # at least, per update piece


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(embedded numbers, other columns)) for this thread's rows.

    Reads x, theta. Writes y, and what the plan keeps of f. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y, scratch = y_of(memory, zero, operation, n_rows), scratch_of(thread, memory, zero)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    call_forward(
        memory, x, _weight(memory, zero, operation), y, scratch, operation[op.N_IN],
        operation[op.SIZE1], operation[op.SIZE2], operation[op.SIZE3], block.row, block.row_end,
    )  # fmt: skip
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows.

    Reads dz, x, theta. Writes dz of the operation below. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    call_backward(
        memory, dz_of(memory, zero, operation, n_rows), _x(memory, zero, operation, n_rows),
        _weight(memory, zero, operation), dx, scratch_of(thread, memory, zero),
        operation[op.N_IN], operation[op.SIZE1], operation[op.SIZE2], operation[op.SIZE3],
        block.row, block.row_end,
    )  # fmt: skip
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """The gradient of a few numbers' parameters. Reads dz, x, theta. Writes out, scratch."""
    unit = unit_at(memory, u)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), _x(memory, zero, operation, n_rows),
        _weight(memory, zero, operation), part(out, out0, unit[op.UNIT_SIZE]),
        scratch_of(thread, memory, zero), unit[op.UNIT_FIRST], unit[op.UNIT_LAST],
        operation[op.SIZE1], operation[op.SIZE2], operation[op.SIZE3], n_rows,
    )  # fmt: skip


@kernel
def periodic(x, weight, y, scratch, n_columns, n_numbers, n_waves, n_made, row, row_end):
    """y = [embedding of x[0], embedding of x[1], ..., x[n_numbers:]] over rows [row, row_end).

    The embedding of x is [W2' cos(2 pi w1 x + b1) + b2, x], of n_made + 1 values.
    Reads x, weight (n_numbers, (n_made + 2) n_waves + n_made). Writes y. May destroy scratch.
    """
    n_row, n_out = (n_made + 2) * n_waves + n_made, n_numbers * (n_made + 1)
    waves = part(scratch, NONE, n_waves)
    for j in range(n_numbers):
        w = row_of(weight, j, NONE, n_row)
        for i in range(row, row_end):
            value = x[i, j]
            made = row_of(y, i, j * (n_made + 1), n_made + 1)
            for f in range(n_waves):
                waves[f] = cos_of_turns(_turns(w, f, n_waves, value))
            for m in range(n_made):
                total, start = zero_like(value), (m + 2) * n_waves
                for f in range(n_waves):
                    total += w[start + f] * waves[f]
                made[m] = total + w[(n_made + 2) * n_waves + m]
            made[n_made] = value
    for i in range(row, row_end):
        for j in range(n_numbers, n_columns):
            y[i, n_out + j - n_numbers] = x[i, j]


@kernel
def periodic_backward(
    dy, x, weight, dx, scratch, n_columns, n_numbers, n_waves, n_made, row, row_end
):
    """dx = dy_x - sum over waves of 2 pi w1 sin(2 pi w1 x + b1) (W2 dy) over rows [row, row_end).

    Reads dy, x, weight. Writes dx. May destroy scratch.
    """
    n_row, n_out = (n_made + 2) * n_waves + n_made, n_numbers * (n_made + 1)
    pulls = part(scratch, NONE, n_waves)
    for j in range(n_numbers):
        w = row_of(weight, j, NONE, n_row)
        for i in range(row, row_end):
            g = row_of(dy, i, j * (n_made + 1), n_made + 1)
            _pull(w, g, x[i, j], pulls, n_waves, n_made)
            total = g[n_made]
            for f in range(n_waves):
                total += _circle(pulls[f]) * w[f] * pulls[f]
            dx[i, j] = total
    for i in range(row, row_end):
        for j in range(n_numbers, n_columns):
            dx[i, j] = dy[i, n_out + j - n_numbers]


@kernel
def periodic_parameters(
    dy, x, weight, dweight, scratch, first, last, n_numbers, n_waves, n_made, n_rows
):
    """The sums over rows of the gradients of [w1, b1, W2, b2], for numbers [first, last).

    With p = -sin(2 pi w1 x + b1) (W2 dy): dw1 = 2 pi x p, db1 = p, dW2 = cos(2 pi w1 x + b1) dy,
    db2 = dy.
    Reads dy, x, weight. Writes dweight ((last - first) rows). May destroy scratch.
    """
    n_row = (n_made + 2) * n_waves + n_made
    pulls = part(scratch, NONE, n_waves)
    for k in range(dweight.size):
        dweight[k] = zero_like(dweight[k])
    for j in range(first, last):
        w, d = row_of(weight, j, NONE, n_row), part(dweight, (j - first) * n_row, n_row)
        for i in range(n_rows):
            g, value = row_of(dy, i, j * (n_made + 1), n_made + 1), x[i, j]
            _pull(w, g, value, pulls, n_waves, n_made)
            turned = _circle(value) * value
            for f in range(n_waves):
                d[f] += turned * pulls[f]
                d[n_waves + f] += pulls[f]
            for f in range(n_waves):
                pulls[f] = cos_of_turns(_turns(w, f, n_waves, value))
            for m in range(n_made):
                start, gm = (m + 2) * n_waves, g[m]
                for f in range(n_waves):
                    d[start + f] += gm * pulls[f]
                d[(n_made + 2) * n_waves + m] += gm


@inner
def _pull(w, g, value, pulls, n_waves, n_made):
    """pulls = -sin(2 pi w1 x + b1) (W2 dy): the gradient with respect to the waves' angles."""
    for f in range(n_waves):
        pulls[f] = zero_like(value)
    for m in range(n_made):
        start, gm = (m + 2) * n_waves, g[m]
        for f in range(n_waves):
            pulls[f] += w[start + f] * gm
    for f in range(n_waves):
        pulls[f] = -sin_of_turns(_turns(w, f, n_waves, value)) * pulls[f]


@inner
def _turns(w, f, n_waves, value):
    """(2 pi w1 x + b1) / (2 pi)."""
    return w[f] * value + w[n_waves + f] * constant(value, 0.15915494309189535, 0.15915494309189535)


@inner
def _circle(value):
    """2 pi."""
    return constant(value, 6.283185307179586, 6.283185307179586)


@inner
def _x(memory, zero, operation, n_rows):
    """Return the operation's input."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.X], n_rows, operation[op.LD_X])


@inner
def _weight(memory, zero, operation):
    """Return the parameters, a row for each number."""
    n_waves, n_made = operation[op.SIZE2], operation[op.SIZE3]
    theta, n_row = array_at(memory, op.THETA, zero), (n_made + 2) * n_waves + n_made
    return view(theta, operation[op.WEIGHT], operation[op.SIZE1], n_row)


def _pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Cut the weight into the rows of a few numbers each."""
    n_numbers, n_waves, n_made = shape.sizes
    n_row = (n_made + 2) * n_waves + n_made
    step = -(-PARAMETERS_OF_A_PIECE // n_row)
    return [
        (first, min(n_numbers, first + step), weight + first * n_row,
         (min(n_numbers, first + step) - first) * n_row)
        for first in range(0, n_numbers, step)
    ]  # fmt: skip


PERIODIC = Core(
    "periodic",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    scratch=lambda shape: shape.sizes[1],
    pieces=_pieces,
)
