"""A fully connected layer whose products use bfloat16 tiles.

Input, gradient and weight are rounded once, right after they are computed, to the layouts that the
products read (``products.affine_bf16``).
"""

from ..machine.jit import kernel
from ..machine.simd import array_at, part, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, scratch_of, unit_at
from ..products.affine import SCRATCH
from ..products.affine_bf16 import (
    BLOCK,
    START,
    affine_backward_bf16,
    affine_forward_bf16,
    pack_weight_bf16,
    prepare_factor,
    prepare_gradient,
    weight_gradient_bf16,
)
from .affine import limit_norms, pieces, split_columns, vector_gradient
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["AFFINE_BF16", "tiles", "whole_blocks"]


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(x W + b)) for this thread's rows and columns; x was rounded beforehand.

    Reads workspace, theta. Writes y, and the values saved for f'. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    n_in, n_out, bias = operation[op.N_IN], operation[op.N_OUT], operation[op.BIAS]
    y = y_of(memory, zero, operation, n_rows)
    block = own_block(thread, header, operation, n_rows, n_out)
    affine_forward_bf16(
        array_at(memory, op.WORKSPACE, zero), operation[op.X_ROUNDED], header[op.BATCH_SIZE],
        header[op.PARTS], array_at(memory, op.PACKED, zero), operation[op.PACKED_FORWARD],
        part(theta, max(NONE, bias), n_out), bias >= 0, y, n_in, n_out, scratch, block,
    )  # fmt: skip
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below = dz W' * mask * f'(below) for this thread's rows and columns.

    Reads workspace. Writes dz of the operation below. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n_in, scratch = operation[op.N_IN], scratch_of(thread, memory, zero)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, n_in)
    affine_backward_bf16(
        array_at(memory, op.WORKSPACE, zero), operation[op.DZ_ROUNDED], header[op.BATCH_SIZE],
        header[op.PARTS], array_at(memory, op.PACKED, zero), operation[op.PACKED_BACKWARD], dx,
        n_in, operation[op.N_OUT], scratch, block,
    )  # fmt: skip
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dW = x' dz for a few inputs, or db = the sum of dz over the rows.

    Reads workspace. Writes out. May destroy scratch.
    """
    unit, header = unit_at(memory, u), array_at(memory, op.HEADER, INT)
    operation, scratch = (
        operation_at(memory, unit[op.UNIT_OPERATION]),
        scratch_of(thread, memory, zero),
    )
    if unit[op.UNIT_FIRST] == op.UNIT_VECTORS:
        vector_gradient(memory, zero, operation, n_rows, out, out0)
        return
    weight_gradient_bf16(
        array_at(memory, op.WORKSPACE, zero), operation[op.X_TURNED], operation[op.DZ_PACKED],
        header[op.BATCH_SIZE], n_rows, operation[op.N_IN], operation[op.N_OUT], header[op.PARTS],
        out, out0, scratch, unit[op.UNIT_FIRST], unit[op.UNIT_LAST],
    )  # fmt: skip


@kernel
def take_input(memory, zero, o, block):
    """Round a block of the input. Reads x. Writes the rounded forms of x."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    workspace, size = array_at(memory, op.WORKSPACE, zero), header[op.BATCH_SIZE]
    x = view(workspace, operation[op.X], size, operation[op.LD_X])
    prepare_factor(
        x, workspace, operation[op.X_ROUNDED], operation[op.X_TURNED], size, operation[op.N_IN],
        header[op.PARTS], block,
    )  # fmt: skip


@kernel
def take_gradient(memory, zero, o, block):
    """Round a block of dz. Reads dz. Writes the rounded forms of dz."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    workspace, size = array_at(memory, op.WORKSPACE, zero), header[op.BATCH_SIZE]
    prepare_gradient(
        dz_of(memory, zero, operation, size), workspace, operation[op.DZ_ROUNDED],
        operation[op.DZ_PACKED], size, operation[op.N_OUT], header[op.PARTS], block,
    )  # fmt: skip


@kernel
def follow_update(memory, zero, thread, u):
    """Round a piece of the weight. Reads theta. Writes packed. May destroy scratch."""
    unit, header = unit_at(memory, u), array_at(memory, op.HEADER, INT)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    if unit[op.UNIT_FIRST] != op.UNIT_VECTORS:
        pack_weight_bf16(
            array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_IN],
            operation[op.N_OUT], header[op.PARTS], array_at(memory, op.PACKED, zero),
            operation[op.PACKED_FORWARD], operation[op.PACKED_BACKWARD],
            scratch_of(thread, memory, zero), unit[op.UNIT_FIRST], unit[op.UNIT_LAST],
        )  # fmt: skip


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    """Allocate the rounded matrices; the first operation needs no backward product."""
    n_in, n_out, n_rows = shape.n_in, shape.n_out, shape.batch_size
    places = {
        op.X_ROUNDED: tiles(workspace, n_rows, n_in, shape.parts),
        op.X_TURNED: tiles(workspace, n_in, n_rows, shape.parts),
        op.DZ_ROUNDED: tiles(workspace, n_rows, n_out, shape.parts),
        op.DZ_PACKED: tiles(workspace, n_rows, n_out, shape.parts),
        op.PACKED_FORWARD: tiles(packed, n_in, n_out, shape.parts),
    }
    if not is_first:
        places[op.PACKED_BACKWARD] = tiles(packed, n_out, n_in, shape.parts)
    return places


def tiles(memory: Memory, n: int, m: int, parts: int) -> int:
    """Allocate a matrix in tiles."""
    return memory.take(parts * whole_blocks(n) * whole_blocks(m) // 2)


def whole_blocks(n: int) -> int:
    """Return n, rounded up to whole blocks."""
    return -(-n // int(BLOCK)) * int(BLOCK)


def _scratch(shape: Shape) -> int:
    rounded = int(BLOCK) * whole_blocks(shape.n_out)  # a block of rows of the weight
    return max(int(SCRATCH), int(START) + whole_blocks(max(shape.n_in, shape.n_out)), rounded)


AFFINE_BF16 = Core(
    "affine_bf16",
    forward=forward,
    infer=None,
    backward=backward,
    gradient=gradient,
    take_input=take_input,
    take_gradient=take_gradient,
    follow_update=follow_update,
    limit_norms=limit_norms,
    training_calls=(calls.BIAS_GRADIENT,),
    is_product=True,
    row_grain=int(BLOCK),
    split_columns=split_columns,
    grain=lambda shape: int(BLOCK),
    scratch=_scratch,
    places=_places,
    pieces=pieces,
)
