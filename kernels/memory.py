"""Where the engine finds things: the arrays of a run, the parts of a plan, a thread's own share.

``memory`` is the table of arrays that ``opcodes`` describes; ``zero`` is a 0 in the working dtype,
which says what it is.
"""

import numpy as np

from .dropout import mask_key
from .jit import inner
from .opcodes import (
    ABORT,
    AFFINE,
    ARRIVED,
    CONTROL,
    CORE,
    FIRST_STEP,
    HEADER,
    HYPER,
    LAYER,
    N_CONTROL,
    N_HYPER,
    N_OPERATION_FIELDS,
    N_REAL_FIELDS,
    N_THREADS,
    N_UNIT_FIELDS,
    OPERATIONS,
    PARTS,
    REALS,
    ROW_GRAIN,
    SCRATCH,
    SCRATCH_SIZE,
    SEED,
    SPLIT_COLUMNS,
    UNITS,
)
from .simd import TILE_VECTORS, array_at, part, row_of
from .threads import wait_for_all

__all__ = [
    "BYTE",
    "COLUMN_GRAIN",
    "INT",
    "NONE",
    "ONE",
    "PANEL",
    "REAL64",
    "copy_rows",
    "hyper_of",
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

# Numbers whose types array_at and the kernels take.
INT, REAL64, BYTE = np.int64(0), np.float64(0), np.uint8(0)
NONE, ONE = np.int64(0), np.int64(1)
COLUMN_GRAIN = np.int64(64)  # columns of a normalisation are shared out by so many
PANEL = np.int64(TILE_VECTORS)  # vectors in a panel of columns
TILE_COLUMNS = np.int64(32)  # of bfloat16 products


@inner
def wait(thread, memory):
    """Wait until all threads are here; each counts its own barriers."""
    n_threads = array_at(memory, HEADER, INT)[N_THREADS]
    if n_threads > 1:
        control = array_at(memory, CONTROL, INT)
        mine = N_CONTROL + 8 * thread
        control[mine] += n_threads
        wait_for_all(control, ARRIVED, control[mine], ABORT)


@inner
def share_of(n, grain, number, n_parts):
    """The range of [0, n) that is part ``number`` of n_parts, in whole grains."""
    grains = (n + grain - 1) // grain
    return (
        min(n, grains * number // n_parts * grain),
        min(n, grains * (number + 1) // n_parts * grain),
    )


@inner
def own_block(thread, header, op, n_rows, n_columns, width):
    """The rows and columns of an operation's output that are this thread's."""
    split_columns = op[SPLIT_COLUMNS]
    split_rows = header[N_THREADS] // split_columns
    number = thread // split_columns
    if number >= split_rows:
        return NONE, NONE, NONE, NONE
    grain = COLUMN_GRAIN
    if op[CORE] == AFFINE:
        grain = width if header[PARTS] == 0 else TILE_COLUMNS
    row, row_end = share_of(n_rows, header[ROW_GRAIN], number, split_rows)
    column, column_end = share_of(n_columns, grain, thread % split_columns, split_columns)
    return row, row_end, column, column_end


@inner
def source_row(order, i):
    """The row of the data that comes i-th."""
    return order[i] if order.size > 0 else i


@inner
def copy_rows(source, target, row, row_end, n_columns):
    for i in range(row, row_end):
        a, b = row_of(source, i, NONE, n_columns), row_of(target, i, NONE, n_columns)
        for j in range(n_columns):
            b[j] = a[j]


@inner
def operation_at(memory, o):
    return part(array_at(memory, OPERATIONS, INT), o * N_OPERATION_FIELDS, N_OPERATION_FIELDS)


@inner
def reals_at(memory, o, zero):
    return part(array_at(memory, REALS, zero), o * N_REAL_FIELDS, N_REAL_FIELDS)


@inner
def unit_at(memory, u):
    return part(array_at(memory, UNITS, INT), u * N_UNIT_FIELDS, N_UNIT_FIELDS)


@inner
def hyper_of(thread, memory):
    return part(array_at(memory, HYPER, REAL64), thread * N_HYPER, N_HYPER)


@inner
def scratch_of(thread, memory, zero):
    size = array_at(memory, HEADER, INT)[SCRATCH_SIZE]
    return part(array_at(memory, SCRATCH, zero), thread * size, size)


@inner
def key_of(header, step, op):
    return mask_key(header[SEED], header[FIRST_STEP] + step, op[LAYER])
