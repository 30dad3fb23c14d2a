"""An activation that each column mixes with the identity: y = x + a (f(x) - x), with trained a.

Both passes take a grain of rows at a time, which then is in a cache for what follows. The backward
pass also sums the gradient of a over each grain, while f(x) is in registers; `gradient` adds these
sums.
"""

from ..machine.jit import inner, kernel
from ..machine.links import Block
from ..machine.simd import array_at, part, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, reals_at, unit_at
from .core import Core, Memory, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["PARAMETRIC"]

ROWS = 16  # in a grain, at least


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(x + a (f(x) - x)) for this thread's rows. Reads x, theta. Writes y."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y, alpha = y_of(memory, zero, operation, n_rows), reals_at(memory, o, zero)[op.NORM_EPSILON]
    mine = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    for row in range(mine.row, mine.row_end, header[op.ROW_GRAIN]):
        block = _grain(mine, row, header)
        calls.mix(memory, operation[op.SIZE1], alpha, x, _mixing(memory, zero, operation), y, block)
        finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below, and the sums of the gradient of a, for this thread's rows.

    Reads dz, x, theta. Writes dz of the operation below (its own dz if there is none), the sums.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n, workspace = operation[op.N_OUT], array_at(memory, op.WORKSPACE, zero)
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    alpha, below = (
        reals_at(memory, o, zero)[op.NORM_EPSILON],
        operation_at(memory, max(NONE, o - 1)),
    )
    dz, dx = dz_of(memory, zero, operation, n_rows), dz_of(memory, zero, below, n_rows)
    mine = own_block(thread, header, operation, n_rows, n)
    for row in range(mine.row, mine.row_end, header[op.ROW_GRAIN]):
        block = _grain(mine, row, header)
        calls.unmix(
            memory, operation[op.SIZE1], alpha, dz, x, _mixing(memory, zero, operation), dx,
            workspace, operation[op.STATISTICS] + row // header[op.ROW_GRAIN] * n, block,
        )  # fmt: skip
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


@inner
def _grain(block, row, header):
    """Return the grain of a block's rows that begins at ``row``."""
    row_end = min(block.row_end, row + header[op.ROW_GRAIN])
    return Block(row, row_end, block.column, block.column_end)


@inner
def _mixing(memory, zero, operation):
    """Return a, the share of the activation in each column."""
    return part(array_at(memory, op.THETA, zero), operation[op.WEIGHT], operation[op.N_OUT])


def _places(shape: Shape, workspace: Memory, packed: Memory, is_first: bool) -> dict[int, int]:
    return {op.STATISTICS: workspace.take(-(-shape.batch_size // shape.row_grain) * shape.n_out)}


def _pieces(shape: Shape, mixing: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return the vector as the only piece."""
    return [(int(op.UNIT_VECTORS), int(op.UNIT_VECTORS), mixing, shape.n_out)]


PARAMETRIC = Core(
    "parametric",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(calls.BIAS_GRADIENT,),
    backward_first=True,
    row_grain=ROWS,
    places=_places,
    pieces=_pieces,
)
