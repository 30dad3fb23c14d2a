"""Locating the arrays of a run, the parts of a plan, and a thread's share of them.

``memory`` is the table of arrays that ``op`` describes; ``zero`` is a 0 in the working dtype, which
tells kernels that type.
"""

import numpy as np

from ..dropout import mask_key
from ..machine.atomics import wait_for_all
from ..machine.jit import inner
from ..machine.links import Block
from ..machine.simd import array_at, part, row_of
from . import op

__all__ = [
    "BYTE",
    "INT",
    "NONE",
    "ONE",
    "REAL64",
    "copy_block",
    "factors_of",
    "fade_at",
    "hyper_of",
    "kept_by",
    "key_of",
    "operation_at",
    "own_block",
    "reals_at",
    "scratch_of",
    "share_of",
    "source_row",
    "unit_at",
    "wait",
]

# Numbers that pass a type to array_at and the kernels.
INT, REAL64, BYTE = np.int64(0), np.float64(0), np.uint8(0)
NONE, ONE = np.int64(0), np.int64(1)


@inner
def wait(thread, memory):
    """Wait until all threads arrive; each counts its own barriers."""
    n_threads = array_at(memory, op.HEADER, INT)[op.N_THREADS]
    if n_threads > 1:
        control = array_at(memory, op.CONTROL, INT)
        mine = op.N_CONTROL + 8 * thread
        control[mine] += n_threads
        wait_for_all(control, op.ARRIVED, control[mine], op.ABORT)


@inner
def kept_by(thread):
    """Return where a thread notes in ``control`` which operation's dz its scratch holds.

    It is the operation's number plus 1, or 0 for none.
    """
    return op.N_CONTROL + 8 * thread + 2


@inner
def share_of(n, grain, number, n_parts):
    """Divide [0, n) into n_parts ranges of whole grains; return range ``number``."""
    if n_parts == 1:  # the usual case; divisions are slow
        return NONE, n
    grains = (n + grain - 1) // grain
    return (
        min(n, grains * number // n_parts * grain),
        min(n, grains * (number + 1) // n_parts * grain),
    )


@inner
def own_block(thread, header, operation, n_rows, n_columns):
    """Return this thread's block of an operation's output (n_rows, n_columns)."""
    split_columns = operation[op.SPLIT_COLUMNS]
    if header[op.N_THREADS] == 1:  # divisions take long
        return Block(NONE, n_rows, NONE, n_columns)
    split_rows = header[op.N_THREADS] // split_columns
    number = thread // split_columns
    if number >= split_rows:
        return Block(NONE, NONE, NONE, NONE)
    row, row_end = share_of(n_rows, header[op.ROW_GRAIN], number, split_rows)
    column, column_end = share_of(
        n_columns, operation[op.GRAIN], thread % split_columns, split_columns
    )
    return Block(row, row_end, column, column_end)


@inner
def source_row(order, i):
    """Return the data row at position i of the order."""
    return order[i] if order.size > 0 else i


@inner
def copy_block(source, target, block):
    """target = source in a block of rows and columns."""
    n = block.column_end - block.column
    for i in range(block.row, block.row_end):
        a, b = row_of(source, i, block.column, n), row_of(target, i, block.column, n)
        for j in range(n):
            b[j] = a[j]


@inner
def operation_at(memory, o):
    """Return the fields of operation ``o``."""
    n = op.N_OPERATION_FIELDS
    return part(array_at(memory, op.OPERATIONS, INT), o * n, n)


@inner
def reals_at(memory, o, zero):
    """Return the real numbers of operation ``o``; the loss's follow those of the last one."""
    return part(array_at(memory, op.REALS, zero), o * op.N_REAL_FIELDS, op.N_REAL_FIELDS)


@inner
def unit_at(memory, u):
    """Return the fields of piece ``u`` of the update."""
    return part(array_at(memory, op.UNITS, INT), u * op.N_UNIT_FIELDS, op.N_UNIT_FIELDS)


@inner
def fade_at(memory, step, zero):
    """Return what multiplies the probabilities of dropout in a step, in the type of ``zero``."""
    return array_at(memory, op.THETA, zero).dtype.type(array_at(memory, op.FADES, REAL64)[step])


@inner
def factors_of(memory, unit):
    """Return what the piece multiplies the optimizer's numbers by."""
    n = op.N_FACTORS
    return part(array_at(memory, op.FACTORS, REAL64), unit[op.UNIT_FACTORS] * n, n)


@inner
def hyper_of(thread, memory):
    """Return a thread's own copy of the optimizer's hyperparameters."""
    return part(array_at(memory, op.HYPER, REAL64), thread * op.N_HYPER, op.N_HYPER)


@inner
def scratch_of(thread, memory, zero):
    """Return a thread's own scratch memory."""
    size = array_at(memory, op.HEADER, INT)[op.SCRATCH_SIZE]
    return part(array_at(memory, op.SCRATCH, zero), thread * size, size)


@inner
def key_of(header, step, operation):
    """Return the key of an operation's dropout mask in a step."""
    return mask_key(header[op.SEED], header[op.FIRST_STEP] + step, operation[op.LAYER])
