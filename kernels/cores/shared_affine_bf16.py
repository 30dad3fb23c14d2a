"""A fully connected layer that members share, whose products use bfloat16 tiles.

Rows of x and of dz are rounded some at a time: for the product that reads them next to a thread's
scratch, and for the gradient of the weight, which reads them all, to the workspace.
"""

from ..machine.jit import inner, kernel
from ..machine.links import Block
from ..machine.simd import array_at, part, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, ONE, operation_at, own_block, scratch_of, unit_at
from ..products.affine import BLOCK_ROWS, SCRATCH
from ..products.affine_bf16 import (
    BLOCK,
    START,
    affine_backward_bf16,
    affine_forward_bf16,
    pack_weight_bf16,
    pair_rows,
    round_rows,
    turn_rows,
    weight_gradient_bf16,
)
from .affine_bf16 import tiles, whole_blocks
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of
from .shared_affine import pieces, widths

__all__ = ["SHARED_AFFINE_BF16"]


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(x W + b)) for this thread's rows and all members.

    Reads x, theta, packed. Writes y, the values saved for f', the turned form of x. May destroy
    scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    workspace, n_members = array_at(memory, op.WORKSPACE, zero), operation[op.SIZE1]
    (n_in, n_out), bias = widths(operation), operation[op.BIAS]
    parts, rounded = header[op.PARTS], _rounded_at(n_in, n_out)
    biases = part(theta, max(NONE, bias), n_out)
    mine = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    at_once = _rows_at_once(n_members)
    for row in range(mine.row, mine.row_end, at_once):
        row_end = min(mine.row_end, row + at_once)
        first, n = row * n_members, (row_end - row) * n_members
        x_now, block = (
            view(workspace, operation[op.X] + first * n_in, n, n_in),
            Block(NONE, n, NONE, n_in),
        )
        round_rows(x_now, scratch, rounded, n, n_in, parts, block)
        turn_rows(
            scratch, rounded, n, workspace, operation[op.X_TURNED],
            header[op.BATCH_SIZE] * n_members, first, n_in, parts, block,
        )  # fmt: skip
        affine_forward_bf16(
            scratch, rounded, n, parts, array_at(memory, op.PACKED, zero),
            operation[op.PACKED_FORWARD], biases, bias >= 0,
            view(workspace, operation[op.Y] + first * n_out, n, n_out), n_in, n_out, scratch,
            Block(NONE, n, NONE, n_out),
        )  # fmt: skip
        whole = Block(row, row_end, NONE, operation[op.N_OUT])
        finish(memory, zero, o, step, y_of(memory, zero, operation, n_rows), whole)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below = dz W' * mask * f'(below) for this thread's rows and all members.

    Reads dz, packed, the values saved for f' below. Writes the packed form of dz, and dz of the
    operation below, if there is one. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    workspace, scratch = array_at(memory, op.WORKSPACE, zero), scratch_of(thread, memory, zero)
    n_members, parts, (n_in, n_out) = operation[op.SIZE1], header[op.PARTS], widths(operation)
    rounded, below = _rounded_at(n_in, n_out), operation_at(memory, max(NONE, o - 1))
    mine = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    at_once = _rows_at_once(n_members)
    for row in range(mine.row, mine.row_end, at_once):
        row_end = min(mine.row_end, row + at_once)
        first, n = row * n_members, (row_end - row) * n_members
        dz_now, block = (
            view(workspace, operation[op.DZ] + first * n_out, n, n_out),
            Block(NONE, n, NONE, n_out),
        )
        round_rows(dz_now, scratch, rounded, n, n_out, parts, block)
        pair_rows(
            scratch, rounded, n, workspace, operation[op.DZ_PACKED],
            header[op.BATCH_SIZE] * n_members, first, n_out, parts, block,
        )  # fmt: skip
        if o == 0:
            continue
        affine_backward_bf16(
            scratch, rounded, n, parts, array_at(memory, op.PACKED, zero),
            operation[op.PACKED_BACKWARD],
            view(workspace, below[op.DZ] + first * n_in, n, n_in), n_in, n_out, scratch,
            Block(NONE, n, NONE, n_in),
        )  # fmt: skip
        whole = Block(row, row_end, NONE, operation[op.N_IN])
        unfinish(memory, zero, o - 1, step, dz_of(memory, zero, below, n_rows), whole)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dW = x' dz for a few inputs, or db, over the rows of all members.

    Reads workspace. Writes out. May destroy scratch.
    """
    unit, header = unit_at(memory, u), array_at(memory, op.HEADER, INT)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    workspace, n_members = array_at(memory, op.WORKSPACE, zero), operation[op.SIZE1]
    n_all, (n_in, n_out) = n_rows * n_members, widths(operation)
    if unit[op.UNIT_FIRST] == op.UNIT_VECTORS:
        dz = view(workspace, operation[op.DZ], n_all, n_out)
        calls.bias_gradient(memory, dz, n_all, n_out, out, out0)
        return
    weight_gradient_bf16(
        workspace, operation[op.X_TURNED], operation[op.DZ_PACKED],
        header[op.BATCH_SIZE] * n_members, n_all, n_in, n_out, header[op.PARTS], out, out0,
        scratch_of(thread, memory, zero), unit[op.UNIT_FIRST], unit[op.UNIT_LAST],
    )  # fmt: skip


@kernel
def follow_update(memory, zero, thread, u):
    """Round a piece of the weight. Reads theta. Writes packed. May destroy scratch."""
    unit, header = unit_at(memory, u), array_at(memory, op.HEADER, INT)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    if unit[op.UNIT_FIRST] != op.UNIT_VECTORS:
        n_in, n_out = widths(operation)
        pack_weight_bf16(
            array_at(memory, op.THETA, zero), operation[op.WEIGHT], n_in, n_out, header[op.PARTS],
            array_at(memory, op.PACKED, zero), operation[op.PACKED_FORWARD],
            operation[op.PACKED_BACKWARD], scratch_of(thread, memory, zero), unit[op.UNIT_FIRST],
            unit[op.UNIT_LAST],
        )  # fmt: skip


@inner
def _rounded_at(n_in, n_out):
    """Return where rounded rows begin in scratch: behind what the products use of it."""
    return START + (max(n_in, n_out) + BLOCK - 1) // BLOCK * BLOCK


@inner
def _rows_at_once(n_members):
    """Return how many rows, with all their members, make about one block of the product.

    All members of so many rows make whole tiles.
    """
    least = BLOCK
    while least > 1 and least // 2 * n_members % BLOCK == 0:
        least //= 2
    return max(ONE, BLOCK_ROWS // (least * n_members)) * least


def _of_members(shape: Shape) -> Shape:
    """Return the shape of the product, of which each member of each row is a row."""
    n = shape.sizes[0]
    return shape._replace(
        n_in=shape.n_in // n, n_out=shape.n_out // n, batch_size=shape.batch_size * n
    )


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    """Allocate the rounded matrices that all rows are needed of."""
    one = _of_members(shape)
    places = {
        op.X_TURNED: tiles(workspace, one.n_in, one.batch_size, one.parts),
        op.DZ_PACKED: tiles(workspace, one.batch_size, one.n_out, one.parts),
        op.PACKED_FORWARD: tiles(packed, one.n_in, one.n_out, one.parts),
    }
    if not is_first:
        places[op.PACKED_BACKWARD] = tiles(packed, one.n_out, one.n_in, one.parts)
    return places


def _scratch(shape: Shape) -> int:
    n_members, one = shape.sizes[0], _of_members(shape)
    widest = whole_blocks(max(one.n_in, one.n_out))
    rows = whole_blocks(max(BLOCK_ROWS, int(BLOCK) * n_members))
    return max(int(SCRATCH), int(START) + widest + rows * widest)


SHARED_AFFINE_BF16 = Core(
    "shared_affine_bf16",
    forward=forward,
    infer=None,
    backward=backward,
    gradient=gradient,
    follow_update=follow_update,
    training_calls=(calls.BIAS_GRADIENT,),
    backward_first=True,
    is_product=True,
    gapless=True,
    row_grain=int(BLOCK),
    scratch=_scratch,
    places=_places,
    pieces=pieces,
)
