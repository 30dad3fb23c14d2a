"""An activation that each column mixes with the identity: y = x + a (f(x) - x), with trained a.

The forward pass keeps the derivatives with respect to x and a, with the mask of dropout in them, so
that the backward pass only multiplies. Both take a grain of rows at a time, which then is in a
cache for what follows. The backward pass also sums the gradient of a over each grain; `gradient`
adds these sums.
"""

from ..machine.apart import nothing_overlaps
from ..machine.jit import inner, kernel
from ..machine.links import BLOCK as BLOCKS
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS, Block
from ..machine.maths import zero as zero_like
from ..machine.simd import array_at, part, row_of, view
from ..machine.widths import wide_vectors
from ..plan import calls, op
from ..plan.memory import (
    INT,
    fade_at,
    key_of,
    operation_at,
    own_block,
    reals_at,
    unit_at,
)
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["PARAMETRIC", "unmix"]

UNMIX = calls.link("cores.parametric", "unmix", MATRIX, MATRIX, MATRIX, REALS, COUNT, BLOCKS)
call_unmix = UNMIX.call

ROWS = 16  # in a grain, at least


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(x + a (f(x) - x)) for this thread's rows.

    Reads x, theta. Writes y, its derivatives; dz of the operation below, which holds some of them.
    """
    header, operation, real = (
        array_at(memory, op.HEADER, INT),
        operation_at(memory, o),
        reals_at(memory, o, zero),
    )
    y, slopes = y_of(memory, zero, operation, n_rows), _slopes(memory, zero, operation, n_rows)
    differences, p = _differences(memory, zero, o, n_rows), real[op.DROP]
    if p > zero:
        p *= fade_at(memory, step, zero)
    mine = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    for row in range(mine.row, mine.row_end, header[op.ROW_GRAIN]):
        block = _grain(mine, row, header)
        calls.mix_and_keep(
            memory, operation[op.SIZE1], real[op.NORM_EPSILON], x,
            _mixing(memory, zero, operation), y, slopes, differences, p,
            key_of(header, step, operation), block,
        )  # fmt: skip
        finish(memory, zero, o, step, y, block)


@kernel
def infer(memory, zero, thread, o, step, n_rows, x):
    """y = x + a (f(x) - x) for this thread's rows. Reads x, theta. Writes y."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y, alpha = y_of(memory, zero, operation, n_rows), reals_at(memory, o, zero)[op.NORM_EPSILON]
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    calls.mix(memory, operation[op.SIZE1], alpha, x, _mixing(memory, zero, operation), y, block)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below, and the sums of the gradient of a, for this thread's rows.

    Reads dz, the derivatives. Writes dz of the operation below (its own place if there is none),
    the sums.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, workspace = operation[op.N_OUT], array_at(memory, op.WORKSPACE, zero)
    dz, slopes = dz_of(memory, zero, operation, n_rows), _slopes(memory, zero, operation, n_rows)
    dx = _differences(memory, zero, o, n_rows)
    mine = own_block(thread, header, operation, n_rows, n)
    for row in range(mine.row, mine.row_end, header[op.ROW_GRAIN]):
        block = _grain(mine, row, header)
        sums = operation[op.STATISTICS] + row // header[op.ROW_GRAIN] * n
        call_unmix(memory, dz, slopes, dx, workspace, sums, block)
        if o > 0:
            unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """da, the total of its sums. Reads the sums. Writes out."""
    operation = operation_at(memory, unit_at(memory, u)[op.UNIT_OPERATION])
    n, grain = operation[op.N_OUT], array_at(memory, op.HEADER, INT)[op.ROW_GRAIN]
    n_sums = (n_rows + grain - 1) // grain
    sums = view(array_at(memory, op.WORKSPACE, zero), operation[op.STATISTICS], n_sums, n)
    calls.bias_gradient(memory, sums, n_sums, n, out, out0)


@kernel
def unmix(dy, slopes, differences, da, da0, block):
    """dx = dy slopes, in place of the differences, and da = sum over rows of dy differences.

    In a block; da goes to the flat array da, whose elements from da0 on belong to the columns.
    Reads dy, slopes, differences. Writes differences, da in the block. May destroy nothing else.
    """
    n = block.column_end - block.column
    sums = part(da, da0 + block.column, n)
    for j in range(n):
        sums[j] = zero_like(sums[j])
    for i in range(block.row, block.row_end):
        g, s = row_of(dy, i, block.column, n), row_of(slopes, i, block.column, n)
        _unmix_row(g, s, row_of(differences, i, block.column, n), sums)


@inner
def _unmix_row(dy, slopes, differences, sums):
    wide_vectors()
    nothing_overlaps()
    for j in range(dy.size):
        g = dy[j]
        sums[j] += g * differences[j]
        differences[j] = g * slopes[j]


@inner
def _grain(block, row, header):
    """Return the grain of a block's rows that begins at ``row``."""
    row_end = min(block.row_end, row + header[op.ROW_GRAIN])
    return Block(row, row_end, block.column, block.column_end)


@inner
def _mixing(memory, zero, operation):
    """Return a, the share of the activation in each column."""
    return part(array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_OUT])


@inner
def _slopes(memory, zero, operation, n_rows):
    """Return the derivative of y with respect to x."""
    n, workspace = operation[op.N_OUT], array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.SIZE2], n_rows, n)


@inner
def _differences(memory, zero, o, n_rows):
    """Return the derivative of y with respect to a, which the backward pass replaces by dx."""
    operation, workspace = operation_at(memory, o), array_at(memory, op.WORKSPACE, zero)
    if o > 0:
        return dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    return view(workspace, operation[op.SIZE3], n_rows, operation[op.N_OUT])


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    n = shape.batch_size * shape.n_out
    places = {
        op.STATISTICS: workspace.take(-(-shape.batch_size // shape.row_grain) * shape.n_out),
        op.SIZE2: workspace.take(n),
    }
    return places | ({op.SIZE3: workspace.take(n)} if is_first else {})


def _pieces(shape: Shape, mixing: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return the vector as the only piece."""
    return [(int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), mixing, shape.n_out)]


PARAMETRIC = Core(
    "parametric",
    forward=forward,
    infer=infer,
    backward=backward,
    gradient=gradient,
    training_calls=(UNMIX, calls.BIAS_GRADIENT),
    backward_first=True,
    drops_itself=True,
    row_grain=ROWS,
    places=_places,
    pieces=_pieces,
)
