"""Piecewise-linear embeddings of numbers (Gorishniy et al., 2022; the form of TabM).

A number x becomes w0 x + b0 + sum over bins t of s_t W_t. Between the edges e_t and e_(t + 1), s_t
rises from 0 to 1; below it is 0 and above 1, except that the first bin goes on below and the last
one above. The first columns of x are numbers (``SIZE1`` of them), each with ``SIZE2`` bins and
``SIZE3`` outputs; the other columns stay. The parameters of a number are a row [w0, b0, W] of the
weight. Its edges are constants, kept like running statistics: a row of ``SIZE2`` + 1 numbers that
increase. Where they no longer increase, the bins end.
"""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import one, zero
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, unit_at
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["PIECEWISE", "piecewise", "piecewise_backward", "piecewise_parameters"]

_SIZES = (COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
FORWARD = calls.link("cores.piecewise", "piecewise", MATRIX, MATRIX, MATRIX, MATRIX, *_SIZES)
BACKWARD = calls.link(
    "cores.piecewise", "piecewise_backward", MATRIX, MATRIX, MATRIX, MATRIX, MATRIX, *_SIZES
)
PARAMETERS = calls.link(
    "cores.piecewise", "piecewise_parameters", MATRIX, MATRIX, MATRIX, REALS, *_SIZES[1:]
)
call_forward, call_backward, call_parameters = FORWARD.call, BACKWARD.call, PARAMETERS.call

PARAMETERS_OF_A_PIECE = 512  # at least, per update piece


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(embedded numbers, other columns)) for this thread's rows.

    Reads x, theta, edges. Writes y, and what the plan keeps of f.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y = y_of(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    call_forward(
        memory, x, _weight(memory, zero, operation), _edges(memory, zero, operation), y,
        operation[op.N_IN], operation[op.SIZE1], operation[op.SIZE2], operation[op.SIZE3],
        block.row, block.row_end,
    )  # fmt: skip
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows.

    Reads dz, x, theta, edges. Writes dz of the operation below.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    call_backward(
        memory, dz_of(memory, zero, operation, n_rows), _x(memory, zero, operation, n_rows),
        _weight(memory, zero, operation), _edges(memory, zero, operation), dx,
        operation[op.N_IN], operation[op.SIZE1], operation[op.SIZE2], operation[op.SIZE3],
        block.row, block.row_end,
    )  # fmt: skip
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """The gradient of a few numbers' parameters. Reads dz, x, edges. Writes out."""
    unit = unit_at(memory, u)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), _x(memory, zero, operation, n_rows),
        _edges(memory, zero, operation), part(out, out0, unit[op.UNIT_SIZE]),
        unit[op.UNIT_FIRST], unit[op.UNIT_LAST], operation[op.SIZE2], operation[op.SIZE3], n_rows,
    )  # fmt: skip


@kernel
def piecewise(x, weight, edges, y, n_columns, n_numbers, n_bins, width, row, row_end):
    """y = [embedding of x[0], embedding of x[1], ..., x[n_numbers:]] over rows [row, row_end).

    Reads x, weight (n_numbers, (n_bins + 2) * width), edges (n_numbers, n_bins + 1). Writes y.
    """
    n_row = (n_bins + 2) * width
    for j in range(n_numbers):
        w, e = row_of(weight, j, NONE, n_row), row_of(edges, j, NONE, n_bins + 1)
        n_used = _used(e, n_bins)
        for i in range(row, row_end):
            value, made = x[i, j], row_of(y, i, j * width, width)
            for c in range(width):
                made[c] = w[c] * value + w[width + c]
            for t in range(n_used):
                s, start = _share(e, t, n_used, value), (t + 2) * width
                if s == zero(value):
                    continue
                for c in range(width):
                    made[c] += s * w[start + c]
    for i in range(row, row_end):
        for j in range(n_numbers, n_columns):
            y[i, n_numbers * width + j - n_numbers] = x[i, j]


@kernel
def piecewise_backward(dy, x, weight, edges, dx, n_columns, n_numbers, n_bins, width, row, row_end):
    """dx = dy (w0 + W_t / (e_(t + 1) - e_t)) with x in bin t, over rows [row, row_end).

    Reads dy, x, weight, edges. Writes dx.
    """
    n_row = (n_bins + 2) * width
    for j in range(n_numbers):
        w, e = row_of(weight, j, NONE, n_row), row_of(edges, j, NONE, n_bins + 1)
        n_used = _used(e, n_bins)
        for i in range(row, row_end):
            value, g = x[i, j], row_of(dy, i, j * width, width)
            total = zero(value)
            for c in range(width):
                total += g[c] * w[c]
            for t in range(n_used):
                above = t == 0 or value > e[t]
                below = t == n_used - 1 or value <= e[t + 1]
                if above and below:
                    slope, start = zero(value), (t + 2) * width
                    for c in range(width):
                        slope += g[c] * w[start + c]
                    total += slope / (e[t + 1] - e[t])
            dx[i, j] = total
    for i in range(row, row_end):
        for j in range(n_numbers, n_columns):
            dx[i, j] = dy[i, n_numbers * width + j - n_numbers]


@kernel
def piecewise_parameters(dy, x, edges, dweight, first, last, n_bins, width, n_rows):
    """dw0 = x dy, db0 = dy, dW_t = s_t dy, summed over rows, for numbers [first, last).

    Reads dy, x, edges. Writes dweight ((last - first) rows).
    """
    n_row = (n_bins + 2) * width
    for k in range(dweight.size):
        dweight[k] = zero(dweight[k])
    for j in range(first, last):
        d, e = part(dweight, (j - first) * n_row, n_row), row_of(edges, j, NONE, n_bins + 1)
        n_used = _used(e, n_bins)
        for i in range(n_rows):
            value, g = x[i, j], row_of(dy, i, j * width, width)
            for c in range(width):
                d[c] += value * g[c]
                d[width + c] += g[c]
            for t in range(n_used):
                s, start = _share(e, t, n_used, value), (t + 2) * width
                if s == zero(value):
                    continue
                for c in range(width):
                    d[start + c] += s * g[c]


@inner
def _used(e, n_bins):
    """Return the number of bins: the edges before the first that does not increase, less one."""
    n_used = NONE
    while n_used < n_bins and e[n_used + 1] > e[n_used]:
        n_used += 1
    return n_used


@inner
def _share(e, t, n_used, value):
    """Return s_t: how much of bin t lies below the value."""
    s, nought, unit = (value - e[t]) / (e[t + 1] - e[t]), zero(value), one(value)
    if t > 0 and s < nought:
        return nought
    if t < n_used - 1 and s > unit:
        return unit
    return s


@inner
def _x(memory, zero, operation, n_rows):
    """Return the operation's input."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.X], n_rows, operation[op.LD_X])


@inner
def _weight(memory, zero, operation):
    """Return the parameters, a row for each number."""
    theta, n_row = array_at(memory, op.THETA, zero), (operation[op.SIZE2] + 2) * operation[op.SIZE3]
    return view(theta, operation[op.WEIGHT], operation[op.SIZE1], n_row)


@inner
def _edges(memory, zero, operation):
    """Return the edges of the bins, a row for each number."""
    statistics = array_at(memory, op.RUNNING_STATISTICS, zero)
    return view(statistics, operation[op.RUNNING], operation[op.SIZE1], operation[op.SIZE2] + 1)


def _pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Cut the weight into the rows of a few numbers each."""
    n_numbers, n_bins, width = shape.sizes
    n_row = (n_bins + 2) * width
    step = -(-PARAMETERS_OF_A_PIECE // n_row)
    found = []
    for first in range(0, n_numbers, step):
        last = min(n_numbers, first + step)
        found.append((first, last, weight + first * n_row, (last - first) * n_row))
    return found


def _running(shape: Shape) -> int:
    """Return the number of edges."""
    n_numbers, n_bins, _ = shape.sizes
    return n_numbers * (n_bins + 1)


PIECEWISE = Core(
    "piecewise",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS),
    inference_calls=(FORWARD,),
    running=_running,
    pieces=_pieces,
)
