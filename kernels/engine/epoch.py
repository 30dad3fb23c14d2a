"""Whole epochs in one call: an interpreter of plans (``plan.op`` says what a plan is).

Every thread runs ``train_epoch`` with its own number and the same memory. A step has two parts,
each followed by a barrier:

1. Gather, forward, loss, backward. Rows of a batch are independent, so each thread takes its own
   rows through all operations. Threads wait in between only if an operation splits its columns
   over threads (few rows, or large weights) or sums over rows (BatchNorm).
2. Weight gradients and update, piece by piece (``units``): a few rows of a weight's gradient are
   computed into scratch that stays in the L2 cache, and the optimizer uses them from there. A
   thread first processes its own pieces and then helps the others.

One thread computes each element, with its sums in a fixed order, so the bits do not depend on the
number of threads.
"""

import math

from ..machine.atomics import atomic_load, atomic_store
from ..machine.denormals import flush_denormals, restore_denormals
from ..machine.jit import inner, kernel
from ..machine.links import propagate
from ..machine.simd import array_at
from ..plan import calls, op
from ..plan.memory import INT, NONE, REAL64, hyper_of, unit_at, wait
from .step import backward, forward, gather, loss_gradient, weight_of_rows
from .update import clipped_update, follow_updates, limit_norms, update_parameters

__all__ = ["train_epoch", "train_steps"]


@kernel
def train_epoch(thread, memory, zero, clip_norm, max_norm):
    """Train ``N_STEPS`` minibatches as thread number ``thread`` of ``N_THREADS``.

    Step s trains on rows order[s * B : (s + 1) * B] with B = ``STEP_ROWS``, or on all remaining
    rows if they are at most ``BATCH_SIZE``, at rate rates[s]. losses[s] is the mean loss of its
    rows, penalties[s] the penalty of the weights before the step, hits[s] the number of correct
    answers, masses[s] the total weight of the rows. A ``clip_norm`` or ``max_norm`` of 0 means no
    limit. All threads return after the same step: the last, or the one in which control[STOP] was
    set or the loss was not finite; control[STEPS_DONE] counts the finished steps. With
    control[ABORT] they return as soon as possible, and their results are not usable. An error in a
    kernel is raised here too.
    Reads the plan, the data. Writes theta, states, running statistics, losses, penalties, hits,
    masses, control. May destroy workspace, scratch, gradient.
    """
    denormals = flush_denormals()
    outcome = calls.try_train_steps(memory, thread, memory, zero, clip_norm, max_norm)
    restore_denormals(denormals)
    propagate(outcome)


@kernel
def train_steps(thread, memory, zero, clip_norm, max_norm):
    """Do the work of `train_epoch`, without changing how denormals are treated."""
    header = array_at(memory, op.HEADER, INT)
    control = array_at(memory, op.CONTROL, INT)
    hyper, rates = hyper_of(thread, memory), array_at(memory, op.RATES, REAL64)
    fades, decay = array_at(memory, op.FADES, REAL64), hyper[op.WEIGHT_DECAY]
    if header[op.N_STEPS] > 0:
        follow_updates(thread, memory, zero)
        wait(thread, memory)
    for step in range(header[op.N_STEPS]):
        first = step * header[op.STEP_ROWS]
        n_rows = header[op.N_ROWS] - first
        if n_rows > header[op.BATCH_SIZE]:
            n_rows = header[op.STEP_ROWS]
        hyper[op.LEARNING_RATE] = rates[step]
        hyper[op.WEIGHT_DECAY] = decay * fades[step]
        hyper[op.STEP] = header[op.FIRST_STEP] + step + 1
        total = weight_of_rows(first, n_rows, memory, zero)
        if hyper[op.L2_SHARED] > 0.0:
            hyper[op.L2] = hyper[op.L2_SHARED] / total if total > 0.0 else 0.0
        gather(thread, first, n_rows, memory, zero)
        forward(thread, step, n_rows, memory, zero)
        loss_gradient(thread, step, n_rows, total, memory, zero)
        backward(thread, step, n_rows, memory, zero)
        wait(thread, memory)
        if thread == 0:
            _record(step, n_rows, total, memory)
        update_parameters(thread, step, n_rows, memory, zero)
        if header[op.STORE_GRADIENT] != 0:
            wait(thread, memory)
            clipped_update(thread, memory, zero, clip_norm)
        wait(thread, memory)
        if max_norm > 0.0:
            limit_norms(thread, memory, zero, max_norm)
            wait(thread, memory)
            follow_updates(thread, memory, zero)
            wait(thread, memory)
        if thread == 0:
            _finish_record(step, memory)
        if control[op.HALT] != 0 or atomic_load(control, op.ABORT) != 0:
            break
    hyper[op.WEIGHT_DECAY] = decay


@inner
def _record(step, n_rows, mass, memory):
    """Sum the rows' losses in order; decide here, between two barriers, whether to continue."""
    row_losses, row_hits = (
        array_at(memory, op.ROW_LOSSES, REAL64),
        array_at(memory, op.ROW_HITS, INT),
    )
    control = array_at(memory, op.CONTROL, INT)
    total, hits = 0.0, 0
    for i in range(n_rows):
        total += row_losses[i]
        hits += row_hits[i]
    array_at(memory, op.LOSSES_OUT, REAL64)[step] = total
    array_at(memory, op.HITS_OUT, INT)[step] = hits
    array_at(memory, op.MASSES_OUT, REAL64)[step] = mass
    if not math.isfinite(total) or atomic_load(control, op.STOP) != 0:
        control[op.HALT] = 1


@inner
def _finish_record(step, memory):
    """Record the penalty 0.5 * l2 * sum(W**2) of the weights before the update; count the step."""
    hyper, sums = hyper_of(NONE, memory), array_at(memory, op.UNIT_SUMS, REAL64)
    penalty = 0.0
    if hyper[op.L2] > 0.0:
        total = 0.0
        for u in range(array_at(memory, op.HEADER, INT)[op.N_UNITS]):
            if unit_at(memory, u)[op.UNIT_FIRST] >= 0:
                total += sums[u]
        penalty = 0.5 * hyper[op.L2] * total
    array_at(memory, op.PENALTIES_OUT, REAL64)[step] = penalty
    atomic_store(array_at(memory, op.CONTROL, INT), op.STEPS_DONE, step + 1)
