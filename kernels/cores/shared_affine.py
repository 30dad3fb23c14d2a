"""A fully connected layer that members share: y = [x_1 W + b, x_2 W + b, ...].

A row of x holds the inputs of ``SIZE1`` members one after the other, without gaps, and so does a
row of y. Read as SIZE1 times as many rows, they are the matrices of one product.
"""

from ..machine.jit import inner, kernel
from ..machine.links import Block
from ..machine.simd import array_at, flat, part, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, ONE, operation_at, own_block, scratch_of, unit_at
from ..products.affine import BLOCK_ROWS, SCRATCH
from . import affine
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["SHARED_AFFINE", "pieces", "widths"]


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(x W + b)) for this thread's rows and all members.

    Reads x, theta. Writes y, and the values saved for f'. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    workspace, n_members = array_at(memory, op.WORKSPACE, zero), operation[op.SIZE1]
    n_in, n_out = widths(operation)
    inputs = view(flat(x), NONE, n_rows * n_members, n_in)  # x of the first may lie elsewhere
    outputs = view(workspace, operation[op.Y], n_rows * n_members, n_out)
    bias, weight = operation[op.BIAS], view(theta, operation[op.WEIGHT], n_in, n_out)
    biases = part(theta, max(NONE, bias), n_out)
    mine = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    for row in range(mine.row, mine.row_end, _rows_at_once(n_members)):
        row_end = min(mine.row_end, row + _rows_at_once(n_members))
        block = Block(row * n_members, row_end * n_members, NONE, n_out)
        calls.affine_forward(
            memory, inputs, weight, biases, bias >= 0, outputs, n_in, scratch, block
        )
        whole = Block(row, row_end, NONE, operation[op.N_OUT])
        finish(memory, zero, o, step, y_of(memory, zero, operation, n_rows), whole)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below = dz W' * mask * f'(below) for this thread's rows and all members.

    Reads dz, theta, the values saved for f' below. Writes dz of the operation below. May destroy
    scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    workspace, n_members = array_at(memory, op.WORKSPACE, zero), operation[op.SIZE1]
    n_in, n_out = widths(operation)
    weight, below = view(theta, operation[op.WEIGHT], n_in, n_out), operation_at(memory, o - 1)
    dz = view(workspace, operation[op.DZ], n_rows * n_members, n_out)
    dx = view(workspace, below[op.DZ], n_rows * n_members, n_in)
    mine = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    for row in range(mine.row, mine.row_end, _rows_at_once(n_members)):
        row_end = min(mine.row_end, row + _rows_at_once(n_members))
        block = Block(row * n_members, row_end * n_members, NONE, n_in)
        calls.affine_backward(memory, dz, weight, dx, n_out, scratch, block)
        whole = Block(row, row_end, NONE, operation[op.N_IN])
        unfinish(memory, zero, o - 1, step, dz_of(memory, zero, below, n_rows), whole)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dW = x' dz for a few inputs, or db, over the rows of all members.

    Reads x, dz. Writes out. May destroy scratch.
    """
    unit, scratch = unit_at(memory, u), scratch_of(thread, memory, zero)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    workspace, n_all = array_at(memory, op.WORKSPACE, zero), n_rows * operation[op.SIZE1]
    n_in, n_out = widths(operation)
    dz = view(workspace, operation[op.DZ], n_all, n_out)
    if unit[op.UNIT_FIRST] == op.UNIT_VECTORS:
        calls.bias_gradient(memory, dz, n_all, n_out, out, out0)
        return
    x = view(workspace, operation[op.X], n_all, n_in)
    calls.weight_gradient(
        memory, x, dz, n_all, n_out, out, out0, scratch, unit[op.UNIT_FIRST], unit[op.UNIT_LAST],
        -ONE, False,  # dz is packed anew for each piece
        array_at(memory, op.THETA, zero), array_at(memory, op.STATE1, zero),
        array_at(memory, op.STATE2, zero), unit[op.UNIT_START],
    )  # fmt: skip


@inner
def widths(operation):
    """Return the number of inputs and outputs of one member."""
    return (
        operation[op.N_IN] // operation[op.SIZE1],
        operation[op.N_OUT] // operation[op.SIZE1],
    )


@inner
def _rows_at_once(n_members):
    """Return how many rows, with all their members, make about one block of the product."""
    return max(1, BLOCK_ROWS // n_members)


def pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Cut the weight like that of one member."""
    n_members = shape.sizes[0]
    one = shape._replace(n_in=shape.n_in // n_members, n_out=shape.n_out // n_members)
    return affine.pieces(one, weight, bias)


SHARED_AFFINE = Core(
    "shared_affine",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=affine.AFFINE.training_calls,
    inference_calls=affine.AFFINE.inference_calls,
    is_product=True,
    at_lower_precision="shared_affine_bf16",
    gapless=True,
    scratch=lambda shape: int(SCRATCH),
    pieces=pieces,
)
