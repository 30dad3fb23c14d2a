"""The first part of a training step: gather, forward, loss, backward.

Each function does one thread's share, and waits if it needs the results of other threads.
"""

import numpy as np

from ..cores.ends import dz_of, input_is_there, unfinish, y_of
from ..machine.jit import inner
from ..machine.links import Block
from ..machine.simd import array_at, part, view
from ..plan import calls, op
from ..plan.memory import (
    BYTE,
    INT,
    NONE,
    REAL64,
    operation_at,
    reals_at,
    share_of,
    source_row,
    wait,
)

__all__ = ["backward", "forward", "gather", "gather_inputs", "loss_gradient", "weight_of_rows"]


@inner
def gather(thread, first, n_rows, memory, zero):
    """Gather this thread's rows of the batch with their targets and weights."""
    header, workspace = array_at(memory, op.HEADER, INT), array_at(memory, op.WORKSPACE, zero)
    order, operation = array_at(memory, op.ORDER, INT), operation_at(memory, NONE)
    row, row_end = share_of(n_rows, header[op.ROW_GRAIN], thread, header[op.N_THREADS])
    gather_inputs(first, n_rows, row, row_end, operation, header, memory, zero)
    input_is_there(memory, zero, NONE, Block(row, row_end, NONE, operation[op.N_IN]))
    if header[op.N_TARGETS] == 0:
        labels = array_at(memory, op.LABELS, INT)
        batch_labels = array_at(memory, op.BATCH_LABELS, INT)
        for i in range(row, row_end):
            batch_labels[i] = labels[source_row(order, first + i)]
    else:
        targets = view(workspace, header[op.TARGETS], n_rows, header[op.LD_TARGETS])
        calls.gather_rows(
            memory, array_at(memory, op.TARGET_VALUES, BYTE), header[op.REAL_CODE], order, first,
            workspace, workspace, array_at(memory, op.SHIFT, REAL64),
            array_at(memory, op.SCALE, REAL64), op.AS_THEY_ARE, targets, row, row_end,
            header[op.N_TARGETS],
        )  # fmt: skip
    if header[op.WEIGHTED]:
        weights, place = array_at(memory, op.WEIGHTS, zero), header[op.ROW_WEIGHTS]
        for i in range(row, row_end):
            workspace[place + i] = weights[source_row(order, first + i)]


@inner
def gather_inputs(first, n_rows, row, row_end, operation, header, memory, zero):
    """Gather, convert and standardise rows of X as the first operation's x."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    calls.gather_rows(
        memory, array_at(memory, op.RAW, BYTE), header[op.RAW_CODE],
        array_at(memory, op.ORDER, INT), first, array_at(memory, op.SHIFT, zero),
        array_at(memory, op.SCALE, zero), array_at(memory, op.SHIFT, REAL64),
        array_at(memory, op.SCALE, REAL64), header[op.STANDARDISE], x, row, row_end,
        header[op.N_FEATURES],
    )  # fmt: skip


@inner
def forward(thread, step, n_rows, memory, zero):
    """Run all operations forward, in training mode."""
    header, workspace = array_at(memory, op.HEADER, INT), array_at(memory, op.WORKSPACE, zero)
    split_before = NONE
    for o in range(header[op.N_OPERATIONS]):
        operation = operation_at(memory, o)
        if operation[op.SPLIT_COLUMNS] > 1 or split_before > 1:
            wait(thread, memory)
        split_before = operation[op.SPLIT_COLUMNS]
        x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
        calls.forward(memory, operation[op.CORE], memory, zero, thread, o, step, n_rows, x)
    if split_before > 1:
        wait(thread, memory)


@inner
def weight_of_rows(first, n_rows, memory, zero):
    """Return the total weight of the batch's rows, which is their number if they have no weights.

    It is summed from the data, since other threads may still be gathering.
    """
    if not array_at(memory, op.HEADER, INT)[op.WEIGHTED]:
        return np.float64(n_rows)
    weights, total = array_at(memory, op.WEIGHTS, zero), 0.0
    order = array_at(memory, op.ORDER, INT)
    for i in range(n_rows):
        total += np.float64(weights[source_row(order, first + i)])
    return total


@inner
def loss_gradient(thread, step, n_rows, total, memory, zero):
    """Compute the loss of this thread's rows, and the gradient at the last operation's core.

    ``total`` is the total weight of the batch's rows.
    """
    header, workspace = array_at(memory, op.HEADER, INT), array_at(memory, op.WORKSPACE, zero)
    last = header[op.N_OPERATIONS] - 1
    operation, parameter = (
        operation_at(memory, last),
        reals_at(memory, last + 1, zero)[op.LOSS_PARAMETER],
    )
    row, row_end = share_of(n_rows, header[op.ROW_GRAIN], thread, header[op.N_THREADS])
    share = workspace.dtype.type(1.0 / total if total > 0.0 else 0.0)
    dz = dz_of(memory, zero, operation, n_rows)
    calls.lose(
        memory, header[op.LOSS], parameter, y_of(memory, zero, operation, n_rows),
        array_at(memory, op.BATCH_LABELS, INT),
        view(workspace, header[op.TARGETS], n_rows, header[op.LD_TARGETS]),
        part(workspace, header[op.ROW_WEIGHTS], n_rows), share, dz,
        array_at(memory, op.ROW_LOSSES, REAL64), array_at(memory, op.ROW_HITS, INT), row,
        row_end, operation[op.N_OUT],
    )  # fmt: skip
    unfinish(memory, zero, last, step, dz, Block(row, row_end, NONE, operation[op.N_OUT]))


@inner
def backward(thread, step, n_rows, memory, zero):
    """Compute the gradient at each operation's core from the one above, from the last down."""
    header, split_before = array_at(memory, op.HEADER, INT), NONE
    for o in range(header[op.N_OPERATIONS] - 1, -1, -1):
        operation = operation_at(memory, o)
        if o == 0 and not operation[op.HOOKS] & op.BACKWARD_FIRST:
            return
        if operation[op.SPLIT_COLUMNS] > 1 or split_before > 1:
            wait(thread, memory)
        split_before = operation[op.SPLIT_COLUMNS]
        calls.backward(memory, operation[op.CORE], memory, zero, thread, o, step, n_rows)
