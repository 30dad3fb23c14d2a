"""Periodic embeddings of numbers (PBLD; Holzmueller et al., 2024, after Gorishniy et al., 2022).

A number x becomes [W2' cos(2 pi w1 x + b1) + b2, x]. The first columns of x are numbers (``SIZE1``
of them), each with ``SIZE2`` frequencies and ``SIZE3`` outputs besides x; the other columns stay.
The parameters of a number are a row [w1, b1, W2, b2] of the weight, with W2 stored output by
output.
"""

import numpy as np

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import constant, cos_of_turns, fused_multiply_add, sin_of_turns
from ..machine.maths import zero as zero_like
from ..machine.simd import array_at, part, row_of, view
from ..machine.widths import wide_vectors
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, scratch_of, unit_at
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = [
    "PERIODIC",
    "periodic",
    "periodic_backward",
    "periodic_parameters",
    "scratch_size",
]

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
MANY = 64  # rows at a time
FEW = 8  # as many rows take less time one by one
# Columns of MANY rows in the scratch memory: a number, a wave and its gradient, and the outputs or
# their gradients.
VALUES, WAVES, PULLS, COLUMNS = (np.int64(n * MANY) for n in range(4))


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

    The embedding of x is [W2' cos(2 pi w1 x + b1) + b2, x], of n_made + 1 values. Vectors are made
    of rows; so many at a time that a number's values stay in the first cache.
    Reads x, weight (n_numbers, (n_made + 2) n_waves + n_made). Writes y. May destroy scratch
    (`scratch_size`).
    """
    n_row, n_out = (n_made + 2) * n_waves + n_made, n_numbers * (n_made + 1)
    for first in range(row, row_end, MANY):
        n = min(MANY, row_end - first)
        for j in range(n_numbers):
            w = row_of(weight, j, NONE, n_row)
            if n > FEW:
                _embed_rows(x, w, y, scratch, j, n_waves, n_made, first, n)
                continue
            for i in range(first, first + n):
                made = row_of(y, i, j * (n_made + 1), n_made + 1)
                _embed(x[i, j], w, made, scratch, n_waves, n_made)
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
    wide_vectors()
    n_row, n_out = (n_made + 2) * n_waves + n_made, n_numbers * (n_made + 1)
    for first in range(row, row_end, MANY):
        n = min(MANY, row_end - first)
        for j in range(n_numbers):
            w = row_of(weight, j, NONE, n_row)
            _take_number(x, dy, j, n_made, n, first, scratch)
            total = part(scratch, COLUMNS + n_made * MANY, MANY)
            values, pulls = part(scratch, VALUES, MANY), part(scratch, PULLS, MANY)
            for f in range(n_waves):
                _pull(w, f, scratch, n_waves, n_made)
                around = _circle(w[f]) * w[f]
                for i in range(MANY):
                    s = sin_of_turns(_turns(w[f], w[n_waves + f], values[i]))
                    total[i] -= around * (s * pulls[i])
            for i in range(n):
                dx[first + i, j] = total[i]
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
    wide_vectors()
    n_row = (n_made + 2) * n_waves + n_made
    for k in range(dweight.size):
        dweight[k] = zero_like(dweight[k])
    for row in range(NONE, n_rows, MANY):
        for j in range(first, last):
            w, d = row_of(weight, j, NONE, n_row), part(dweight, (j - first) * n_row, n_row)
            _take_number(x, dy, j, n_made, min(MANY, n_rows - row), row, scratch)
            for f in range(n_waves):
                _pull(w, f, scratch, n_waves, n_made)
                _add_wave(w, d, f, scratch, n_waves, n_made)
            for m in range(n_made):
                g, total = part(scratch, COLUMNS + m * MANY, MANY), zero_like(w[0])
                for i in range(MANY):
                    total += g[i]
                d[(n_made + 2) * n_waves + m] += total


@inner
def _embed_rows(x, w, y, scratch, j, n_waves, n_made, row, n):
    """The embedding of number j in n rows, in vectors of rows."""
    wide_vectors()
    _take(x, j, n, row, scratch, VALUES)
    values, waves = part(scratch, VALUES, MANY), part(scratch, WAVES, MANY)
    for m in range(n_made):
        total = part(scratch, COLUMNS + m * MANY, MANY)
        for i in range(MANY):
            total[i] = w[(n_made + 2) * n_waves + m]
    for f in range(n_waves):
        for i in range(MANY):
            waves[i] = cos_of_turns(_turns(w[f], w[n_waves + f], values[i]))
        for m in range(n_made):
            total, factor = part(scratch, COLUMNS + m * MANY, MANY), w[(m + 2) * n_waves + f]
            for i in range(MANY):
                total[i] = fused_multiply_add(factor, waves[i], total[i])
    for i in range(n):
        made = row_of(y, row + i, j * (n_made + 1), n_made + 1)
        for m in range(n_made):
            made[m] = scratch[COLUMNS + m * MANY + i]
        made[n_made] = values[i]


@inner(exact=True)
def _embed(value, w, made, scratch, n_waves, n_made):
    """The embedding of one number, in vectors of waves; the same bits as in `_embed_rows`."""
    for m in range(n_made):
        made[m] = w[(n_made + 2) * n_waves + m]
    for first in range(NONE, n_waves, MANY):
        n = min(MANY, n_waves - first)
        waves = part(scratch, WAVES, n)
        w1, b1 = part(w, first, n), part(w, n_waves + first, n)
        for f in range(n):
            waves[f] = cos_of_turns(_turns(w1[f], b1[f], value))
        for m in range(n_made):
            w2, total = part(w, (m + 2) * n_waves + first, n), made[m]
            for f in range(n):
                total = fused_multiply_add(w2[f], waves[f], total)
            made[m] = total
    made[n_made] = value


@inner
def _take_number(x, dy, j, n_made, n, row, scratch):
    """Copy number j and the gradients of its outputs to the scratch memory."""
    _take(x, j, n, row, scratch, VALUES)
    for m in range(n_made + 1):
        _take(dy, j * (n_made + 1) + m, n, row, scratch, COLUMNS + m * MANY)


@inner
def _take(source, column, n, row, scratch, place):
    """Copy n rows of a column to scratch[place:], and zeros up to MANY."""
    target = part(scratch, place, MANY)
    for i in range(n):
        target[i] = source[row + i, column]
    for i in range(n, MANY):
        target[i] = zero_like(scratch[0])


@inner
def _pull(w, f, scratch, n_waves, n_made):
    """W2 dy for wave f: the gradient with respect to it."""
    wide_vectors()
    pulls = part(scratch, PULLS, MANY)
    for i in range(MANY):
        pulls[i] = zero_like(pulls[i])
    for m in range(n_made):
        g, factor = part(scratch, COLUMNS + m * MANY, MANY), w[(m + 2) * n_waves + f]
        for i in range(MANY):
            pulls[i] = fused_multiply_add(factor, g[i], pulls[i])


@inner
def _add_wave(w, d, f, scratch, n_waves, n_made):
    """Add the gradients of the parameters of wave f, of which `_pull` has left W2 dy."""
    wide_vectors()
    values, pulls = part(scratch, VALUES, MANY), part(scratch, PULLS, MANY)
    waves = part(scratch, WAVES, MANY)
    of_w1, of_b1 = zero_like(w[0]), zero_like(w[0])
    for i in range(MANY):
        turns = _turns(w[f], w[n_waves + f], values[i])
        p = sin_of_turns(turns) * pulls[i]
        of_w1 -= p * values[i]
        of_b1 -= p
        waves[i] = cos_of_turns(turns)
    d[f] += _circle(of_w1) * of_w1
    d[n_waves + f] += of_b1
    for m in range(n_made):
        g, total = part(scratch, COLUMNS + m * MANY, MANY), zero_like(w[0])
        for i in range(MANY):
            total += waves[i] * g[i]
        d[(m + 2) * n_waves + f] += total


def scratch_size(n_made: int) -> int:
    """Return how many elements of scratch memory the kernels need."""
    return int(COLUMNS) + (n_made + 1) * MANY


@inner
def _turns(w1, b1, value):
    """(2 pi w1 x + b1) / (2 pi)."""
    share = constant(value, 0.15915494309189535, 0.15915494309189535)
    return fused_multiply_add(w1, value, b1 * share)


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
    scratch=lambda shape: scratch_size(shape.sizes[2]),
    pieces=_pieces,
)
