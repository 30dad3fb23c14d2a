"""A fully connected layer: y = x W + b, in the working dtype."""

from ..machine import isa
from ..machine.jit import inner, kernel
from ..machine.links import Block
from ..machine.simd import CACHE_LINE, array_at, part, view
from ..optimizers.norms import limit_column_norms
from ..plan import calls, op
from ..plan.memory import (
    INT,
    NONE,
    ONE,
    kept_by,
    operation_at,
    own_block,
    scratch_of,
    share_of,
    unit_at,
)
from ..products.affine import BLOCK_COLUMNS, BLOCK_ROWS, NARROW, SCRATCH
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["AFFINE", "pieces", "split_columns", "vector_gradient"]

NORM_GRAIN = 64  # columns are divided among threads in multiples of this to limit their norms
ROWS_WORTH_PACKING = 128  # with this many rows per thread, packing a whole large weight is cheap
LARGE_WEIGHT = 1 << 20  # elements
ROWS_WORTH_SPLITTING = 32  # a thread with fewer rows spends most of its time packing weights
WIDE = 512  # outputs; rows of so wide a dz fall into few sets of a cache
FEW_PARAMETERS = 1 << 15  # with their states and all else, they stay in a second cache
# Each update piece reads the whole batch, so it has at least the first number of parameters, and up
# to the second if it would take less work (in multiply-adds).
PARAMETERS_OF_A_PIECE = 1024, 4096
WORK_OF_A_PIECE = 1 << 18


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(x W + b)) for this thread's rows and columns.

    Reads x, theta. Writes y, and the values saved for f'. May destroy scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    n_in, n_out, bias = operation[op.N_IN], operation[op.N_OUT], operation[op.BIAS]
    weight = view(theta, operation[op.WEIGHT], n_in, n_out)
    biases, y = part(theta, max(NONE, bias), n_out), y_of(memory, zero, operation, n_rows)
    mine = own_block(thread, header, operation, n_rows, n_out)
    width = _even_columns(mine.column_end - mine.column, operation[op.GRAIN])
    if mine.row_end - mine.row == 1:  # nothing has to stay in a cache
        width = n_out
    for row in range(mine.row, mine.row_end, BLOCK_ROWS):
        for column in range(mine.column, mine.column_end, width):
            block = Block(
                row,
                min(mine.row_end, row + BLOCK_ROWS),
                column,
                min(mine.column_end, column + width),
            )
            calls.affine_forward(memory, x, weight, biases, bias >= 0, y, n_in, scratch, block)
            finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below = dz W' * mask * f'(below) for this thread's rows and columns.

    Reads dz, theta, the values saved for f' below. Writes dz of the operation below. May destroy
    scratch.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    n_in, n_out = operation[op.N_IN], operation[op.N_OUT]
    weight = view(theta, operation[op.WEIGHT], n_in, n_out)
    dz = dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    mine = own_block(thread, header, operation, n_rows, n_in)
    for row in range(mine.row, mine.row_end, BLOCK_ROWS):
        row_end = min(mine.row_end, row + BLOCK_ROWS)
        block = Block(row, row_end, mine.column, mine.column_end)
        calls.affine_backward(memory, dz, weight, dx, n_out, scratch, block)
        unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dW = x' dz for a few inputs, or db = the sum of dz over the rows.

    Reads x, dz. Writes out. May destroy scratch.
    """
    unit, scratch = unit_at(memory, u), scratch_of(thread, memory, zero)
    operation, workspace = (
        operation_at(memory, unit[op.UNIT_OPERATION]),
        array_at(memory, op.WORKSPACE, zero),
    )
    if unit[op.UNIT_FIRST] == op.UNIT_VECTORS:
        vector_gradient(memory, zero, operation, n_rows, out, out0)
        return
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    control, kept = array_at(memory, op.CONTROL, INT), kept_by(thread)
    theta = array_at(memory, op.THETA, zero)
    place = theta.size if _is_near(memory, theta) else unit[op.UNIT_START]
    is_kept = control[kept] == unit[op.UNIT_OPERATION] + 1
    control[kept] = unit[op.UNIT_OPERATION] + 1
    calls.weight_gradient(
        memory, x, dz_of(memory, zero, operation, n_rows), n_rows, operation[op.N_OUT], out, out0,
        scratch, unit[op.UNIT_FIRST], unit[op.UNIT_LAST], operation[op.DZ_PACKED],
        is_kept and operation[op.DZ_PACKED] >= 0, theta, array_at(memory, op.STATE1, zero),
        array_at(memory, op.STATE2, zero), place,
    )  # fmt: skip


@inner
def _is_near(memory, theta):
    """Tell whether this thread has all parameters in its second cache: nothing to prefetch."""
    n_threads = array_at(memory, op.HEADER, INT)[op.N_THREADS]
    return n_threads == 1 and theta.size <= FEW_PARAMETERS


@inner
def vector_gradient(memory, zero, operation, n_rows, out, out0):
    """db = the sum of dz over the rows, to out[out0:]."""
    dz = dz_of(memory, zero, operation, n_rows)
    calls.bias_gradient(memory, dz, n_rows, operation[op.N_OUT], out, out0)


@kernel
def limit_norms(memory, zero, thread, o, max_norm):
    """Scale each unit's incoming weights down to a norm of max_norm.

    Reads and writes theta.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    theta, n_out = array_at(memory, op.THETA, zero), operation[op.N_OUT]
    weight = view(theta, operation[op.WEIGHT], operation[op.N_IN], n_out)
    column, column_end = share_of(n_out, NORM_GRAIN, thread, header[op.N_THREADS])
    limit_column_norms(weight, max_norm, column, column_end)


@inner
def _even_columns(n_columns, grain):
    """Return the width of blocks of so many columns: as few as BLOCK_COLUMNS allows, and even."""
    if n_columns <= BLOCK_COLUMNS:
        return max(ONE, n_columns)
    n_blocks = (n_columns + BLOCK_COLUMNS - 1) // BLOCK_COLUMNS
    return max(ONE, ((n_columns + n_blocks - 1) // n_blocks + grain - 1) // grain * grain)


def split_columns(shape: Shape) -> int:
    """Return the number of threads to split columns over; the rest split rows."""
    n_threads, rows = shape.n_threads, shape.batch_size // shape.n_threads
    if rows < ROWS_WORTH_PACKING and shape.n_in * shape.n_out >= LARGE_WEIGHT:
        return n_threads  # each thread then packs only the weights it uses
    by_rows = max(1, shape.batch_size // ROWS_WORTH_SPLITTING)
    return 1 if by_rows >= n_threads else max(1, n_threads // by_rows)


def pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Cut the weight into ranges of inputs, in whole tiles; the bias is one piece."""
    n_in, n_out, tile = shape.n_in, shape.n_out, shape.row_grain
    fewest, enough = PARAMETERS_OF_A_PIECE
    size = max(fewest, min(enough, WORK_OF_A_PIECE // shape.batch_size))
    step = max(-(-n_in // (4 * tile)), -(-size // (n_out * tile))) * tile
    step = min(step, BLOCK_ROWS // 2 // tile * tile)
    found = []
    for first in range(0, n_in, step):
        last = min(n_in, first + step)
        found.append((first, last, weight + first * n_out, (last - first) * n_out))
    if bias >= 0:
        found.append((int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), bias, n_out))
    return found


def _keeps_dz(shape: Shape) -> bool:
    """Return whether dz is packed once for all pieces of the weight, in a thread's scratch."""
    return shape.n_out >= WIDE and shape.batch_size > NARROW


def _scratch(shape: Shape) -> int:
    if not _keeps_dz(shape):
        return int(SCRATCH)
    return int(SCRATCH) + shape.batch_size * (shape.n_out + 2 * _panel(shape))


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.DZ_PACKED: int(SCRATCH)} if _keeps_dz(shape) else {}


def _line(shape: Shape) -> int:
    """Return how many numbers fill a cache line: whole vectors, which no two threads share."""
    return CACHE_LINE // shape.real_bytes


def _panel(shape: Shape) -> int:
    """Return the width of a panel, the unit in which products process columns."""
    level = isa.current()
    return level.tile_vectors * level.vector_bytes // shape.real_bytes


AFFINE = Core(
    "affine",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    limit_norms=limit_norms,
    training_calls=(
        calls.AFFINE, calls.AFFINE_BACKWARD, calls.WEIGHT_GRADIENT, calls.BIAS_GRADIENT
    ),
    inference_calls=(calls.AFFINE,),
    is_product=True,
    at_lower_precision="affine_bf16",
    split_columns=split_columns,
    grain=_line,
    scratch=_scratch,
    places=_places,
    pieces=pieces,
)  # fmt: skip
