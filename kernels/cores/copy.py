"""The identity core, for an activation or dropout on its own."""

from ..machine.jit import kernel
from ..machine.simd import array_at
from ..plan import op
from ..plan.memory import INT, copy_block, operation_at, own_block
from .core import Core
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["COPY"]


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(x)) for this thread's rows. Reads x. Writes y, and the values saved for f'."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    y = y_of(memory, zero, operation, n_rows)
    copy_block(x, y, block)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below = dz * mask * f'(below). Reads dz. Writes dz of the operation below."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    copy_block(dz_of(memory, zero, operation, n_rows), dx, block)
    unfinish(memory, zero, o - 1, step, dx, block)


COPY = Core("copy", forward=forward, infer=forward, backward=backward)
