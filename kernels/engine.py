"""Whole epochs in one call: an interpreter of plans (``opcodes`` says what a plan is).

Every thread runs ``train_epoch`` with its own number and the same memory. A step has two parts,
and a barrier behind each:

1. gather, forward, loss, backward. Rows of a batch do not depend on each other, so each thread
   takes its own rows through all operations. Only where an operation splits its columns over
   threads (few rows, or large weights) or sums over rows (BatchNorm) do threads wait in between.
2. weight gradients and update, piece by piece (``units``): a few rows of a weight's gradient are
   computed into scratch that stays in the second cache, and the optimizer consumes them there.
   A thread has its own pieces and then helps the others with theirs.

Each element is computed by one thread in a fixed order of its sums, so the bits do not depend on
the number of threads.
"""

import math

from .denormals import flush_denormals, restore_denormals
from .jit import inner, kernel
from .memory import (
    INT,
    NONE,
    REAL64,
    hyper_of,
    unit_at,
    wait,
)
from .opcodes import (
    ABORT,
    BATCH_SIZE,
    CONTROL,
    FIRST_STEP,
    HALT,
    HEADER,
    HITS_OUT,
    L2,
    L2_REPORTED,
    L2_SHARED,
    LEARNING_RATE,
    LOSSES_OUT,
    N_ROWS,
    N_STEPS,
    N_UNITS,
    RATES,
    ROW_HITS,
    ROW_LOSSES,
    STEP,
    STEP_ROWS,
    STEPS_DONE,
    STOP,
    STORE_GRADIENT,
    UNIT_FIRST,
    UNIT_SUMS,
)
from .passes import backward, forward, gather, loss_gradient, weight_of_rows
from .simd import array_at
from .threads import atomic_load, atomic_store
from .updates import clipped_update, limit_norms, pack_weights, update_parameters

__all__ = [
    "train_epoch",
]


@kernel
def train_epoch(thread, memory, zero, clip_norm, max_norm):
    """Train ``N_STEPS`` minibatches as thread number ``thread`` of ``N_THREADS``.

    Step s trains the rows order[s * B : (s + 1) * B], B = ``STEP_ROWS``, or all that are left where
    they are no more than ``BATCH_SIZE``, at rate rates[s]; losses[s] is their mean loss (and
    penalty), hits[s] how many were right. ``clip_norm`` and ``max_norm``: 0 is none.
    All threads return after the same step: the last, or the one in which control[STOP] was set or
    the loss was not finite; control[STEPS_DONE] counts the finished ones. With control[ABORT] they
    return as soon as they can, and what they computed is of no use.
    Reads the plan, the data. Writes theta, states, running statistics, losses, hits, control. May
    destroy workspace, scratch, gradient.
    """
    header = array_at(memory, HEADER, INT)
    control = array_at(memory, CONTROL, INT)
    hyper, rates = hyper_of(thread, memory), array_at(memory, RATES, REAL64)
    denormals = flush_denormals()
    if header[N_STEPS] > 0:
        pack_weights(thread, memory, zero)
        wait(thread, memory)
    for step in range(header[N_STEPS]):
        first = step * header[STEP_ROWS]
        n_rows = header[N_ROWS] - first
        if n_rows > header[BATCH_SIZE]:
            n_rows = header[STEP_ROWS]
        hyper[LEARNING_RATE] = rates[step]
        hyper[STEP] = header[FIRST_STEP] + step + 1
        total = weight_of_rows(first, n_rows, memory, zero)
        if hyper[L2_SHARED] > 0.0:
            hyper[L2] = hyper[L2_SHARED] / total if total > 0.0 else 0.0
        gather(thread, first, n_rows, memory, zero)
        forward(thread, step, n_rows, memory, zero)
        loss_gradient(thread, step, n_rows, total, memory, zero)
        backward(thread, step, n_rows, memory, zero)
        wait(thread, memory)
        if thread == 0:
            _record(step, n_rows, memory)
        update_parameters(thread, step, n_rows, memory, zero)
        if header[STORE_GRADIENT] != 0:
            wait(thread, memory)
            clipped_update(thread, memory, zero, clip_norm)
        wait(thread, memory)
        if max_norm > 0.0:
            limit_norms(thread, memory, zero, max_norm)
            wait(thread, memory)
            pack_weights(thread, memory, zero)
            wait(thread, memory)
        if thread == 0:
            _finish_record(step, memory)
        if control[HALT] != 0 or atomic_load(control, ABORT) != 0:
            break
    restore_denormals(denormals)


@inner
def _record(step, n_rows, memory):
    """Sum the rows' losses in their order; decide here, between two barriers, whether to go on."""
    row_losses, row_hits = array_at(memory, ROW_LOSSES, REAL64), array_at(memory, ROW_HITS, INT)
    control = array_at(memory, CONTROL, INT)
    total, hits = 0.0, 0
    for i in range(n_rows):
        total += row_losses[i]
        hits += row_hits[i]
    array_at(memory, LOSSES_OUT, REAL64)[step] = total
    array_at(memory, HITS_OUT, INT)[step] = hits
    if not math.isfinite(total) or atomic_load(control, STOP) != 0:
        control[HALT] = 1


@inner
def _finish_record(step, memory):
    """Add the penalty 0.5 * l2 * sum(W**2) of the weights before the update; count the step."""
    hyper, sums = hyper_of(NONE, memory), array_at(memory, UNIT_SUMS, REAL64)
    if hyper[L2] > 0.0:
        total = 0.0
        for u in range(array_at(memory, HEADER, INT)[N_UNITS]):
            if unit_at(memory, u)[UNIT_FIRST] >= 0:
                total += sums[u]
        penalty = 0.5 * hyper[L2] * total
        array_at(memory, LOSSES_OUT, REAL64)[step] += hyper[L2_REPORTED] * penalty
    atomic_store(array_at(memory, CONTROL, INT), STEPS_DONE, step + 1)
