"""A whole run in one call: epochs of steps, each with its order, validation and stopping rule.

Every thread runs ``train_run``. Between the steps, the validation and the copies, which all threads
share, thread 0 does alone what belongs to an epoch, while the others wait.
"""

import math

from ..machine.atomics import atomic_load, atomic_store, fetch_add
from ..machine.clock import seconds
from ..machine.denormals import flush_denormals, restore_denormals
from ..machine.jit import inner, kernel
from ..machine.links import propagate
from ..machine.simd import array_at, part, view
from ..plan import calls, op
from ..plan.memory import BYTE, INT, NONE, ONE, REAL64, operation_at, reals_at, share_of, wait
from .order import shuffle
from .sums import share, total_of, weighted_mean

__all__ = ["train_run"]

SHARED_BYTES = 4096  # threads share copies in multiples of this


@kernel
def train_run(thread, memory, zero, clip_norm, max_norm):
    """Train ``N_EPOCHS`` epochs, as thread number ``thread`` of ``N_THREADS``.

    The epochs are those that one call of ``train_epoch`` after the other would train, bit for bit;
    each ends with a row of results. run[STATE] says why the run ended: RUN_DONE or RUN_PAUSED after
    an epoch; RUN_PATIENCE_OUT or RUN_TIME_UP by its rules; RUN_INTERRUPTED as soon as control[STOP]
    was set; RUN_DIVERGED if a loss or a parameter was not finite. After the last two,
    control[STEPS_DONE] counts the steps of the incomplete epoch. Does nothing unless it is RUN_ON.
    Reads the plan, the data. Writes what ``train_epoch`` writes, run, results, order, the copies.
    May destroy workspace, scratch, gradient.
    """
    run, control = array_at(memory, op.RUN, INT), array_at(memory, op.CONTROL, INT)
    if run[op.STATE] != op.RUN_ON:
        return
    if thread == 0:
        _begin_run(memory)
        _begin_epoch(memory)
    wait(thread, memory)
    _copy_what_is_due(thread, memory)
    while atomic_load(run, op.STATE) == op.RUN_ON and atomic_load(control, op.ABORT) == 0:
        denormals = flush_denormals()
        outcome = calls.try_train_steps(memory, thread, memory, zero, clip_norm, max_norm)
        restore_denormals(denormals)
        propagate(outcome)
        _look_for_spoilt(thread, memory, zero)
        wait(thread, memory)
        if thread == 0:
            _end_steps(memory)
        wait(thread, memory)
        if _validates(memory) and atomic_load(run, op.STATE) == op.RUN_ON:
            _validate(thread, memory, zero)
            wait(thread, memory)
        if thread == 0 and run[op.STATE] == op.RUN_ON:
            _end_epoch(memory, zero)
            if run[op.STATE] == op.RUN_ON:
                _begin_epoch(memory)
        wait(thread, memory)
        _copy_what_is_due(thread, memory)


@inner
def _begin_run(memory):
    run, reals = array_at(memory, op.RUN, INT), array_at(memory, op.RUN_REALS, REAL64)
    run[op.GOOD_DUE] = run[op.BEST_DUE] = run[op.SPOILT] = NONE
    reals[op.DEADLINE] = seconds() + reals[op.SECONDS_LEFT]


@inner
def _begin_epoch(memory):
    """Have what training changes copied, now and then; draw the order; reset the counters."""
    run, header = array_at(memory, op.RUN, INT), array_at(memory, op.HEADER, INT)
    control = array_at(memory, op.CONTROL, INT)
    if header[op.FIRST_STEP] - run[op.COPIED_STEP] >= run[op.STEPS_BETWEEN_COPIES]:
        run[op.GOOD_DUE] = ONE
        run[op.COPIED_STEP], run[op.COPIED_EPOCH] = header[op.FIRST_STEP], run[op.EPOCHS_DONE]
    if run[op.DRAWS_ORDER] != 0:
        order, rows = array_at(memory, op.ORDER, INT), array_at(memory, op.USED_ROWS, INT)
        for i in range(order.size):
            order[i] = rows[i] if rows.size > 0 else i
        shuffle(order, run[op.ORDER_SEED], run[op.ORDER_EPOCH] + run[op.EPOCHS_DONE])
    control[op.HALT], control[op.STEPS_DONE], control[op.NEXT_VALIDATED] = NONE, NONE, NONE
    for thread in range(header[op.N_THREADS]):
        control[op.N_CONTROL + 8 * thread + 1] = 0
    array_at(memory, op.RUN_REALS, REAL64)[op.STARTED] = seconds()


@inner
def _end_steps(memory):
    """Record the steps; stop if they diverged or were interrupted."""
    run, control = array_at(memory, op.RUN, INT), array_at(memory, op.CONTROL, INT)
    reals, results = array_at(memory, op.RUN_REALS, REAL64), _results(memory)
    losses, penalties = (
        array_at(memory, op.LOSSES_OUT, REAL64),
        array_at(memory, op.PENALTIES_OUT, REAL64),
    )
    results[op.STEPS_SECONDS] = seconds() - reals[op.STARTED]
    run[op.GOOD_DUE] = run[op.BEST_DUE] = NONE
    made, hits = control[op.STEPS_DONE], NONE
    for step in range(made):
        losses[step] += penalties[step]
        hits += array_at(memory, op.HITS_OUT, INT)[step]
    if made > 0 and not math.isfinite(losses[made - 1]):
        atomic_store(run, op.STATE, op.RUN_DIVERGED)
    elif made < array_at(memory, op.HEADER, INT)[op.N_STEPS]:
        atomic_store(run, op.STATE, op.RUN_INTERRUPTED)
    elif run[op.SPOILT] != 0:
        atomic_store(run, op.STATE, op.RUN_DIVERGED)
    else:
        results[op.LOSS_MEAN] = weighted_mean(losses, array_at(memory, op.MASSES_OUT, REAL64), made)
        results[op.ACCURACY] = share(hits, run[op.N_ANSWERS])
        results[op.VALIDATED] = 0.0
        if atomic_load(control, op.STOP) != 0:
            _complete_epoch(memory)
            atomic_store(run, op.STATE, op.RUN_INTERRUPTED)


@inner
def _validates(memory):
    return array_at(memory, op.VALIDATION, INT).size > 0


@inner
def _validate(thread, memory, zero):
    """Infer blocks of validation rows and compute their losses, until none are left."""
    control, n_threads = (
        array_at(memory, op.CONTROL, INT),
        array_at(memory, op.HEADER, INT)[op.N_THREADS],
    )
    table = _validation_table(thread, n_threads, memory)
    header = array_at(table, op.HEADER, INT)
    n_rows = header[op.N_ROWS]
    while atomic_load(control, op.STOP) == 0 and atomic_load(control, op.ABORT) == 0:
        first = fetch_add(control, op.NEXT_VALIDATED, header[op.BATCH_SIZE])
        if first >= n_rows:
            return
        last = min(first + header[op.BATCH_SIZE], n_rows)
        calls.infer_rows(table, table, zero, first, last)
        _lose(table, zero, first, last - first)


@inner
def _lose(table, zero, first, n):
    """Compute the losses and hits of n validation rows from their outputs."""
    header, n_operations = (
        array_at(table, op.HEADER, INT),
        array_at(table, op.HEADER, INT)[op.N_OPERATIONS],
    )
    n_out, of_loss = (
        operation_at(table, n_operations - 1)[op.N_OUT],
        reals_at(table, n_operations, zero),
    )
    n_targets, labels = header[op.N_TARGETS], array_at(table, op.LABELS, INT)
    if n_targets == 0:
        labels = part(labels, first, n)
    calls.lose(
        table, header[op.LOSS], of_loss[op.LOSS_PARAMETER],
        view(array_at(table, op.OUTPUTS, zero), first * n_out, n, n_out), labels,
        view(array_at(table, op.TARGET_VALUES, zero), first * n_targets, n, n_targets),
        part(array_at(table, op.WEIGHTS, zero), first, n), of_loss[op.LOSS_SCALE],
        view(array_at(table, op.GRADIENT, zero), NONE, n, n_out),
        part(array_at(table, op.ROW_LOSSES, REAL64), first, n),
        part(array_at(table, op.ROW_HITS, INT), first, n), NONE, n, n_out,
    )  # fmt: skip


@inner
def _end_epoch(memory, zero):
    """Complete the results of the epoch; keep the best parameters; decide whether to continue."""
    run, control = array_at(memory, op.RUN, INT), array_at(memory, op.CONTROL, INT)
    results, reals = _results(memory), array_at(memory, op.RUN_REALS, REAL64)
    if _validates(memory):
        if atomic_load(control, op.STOP) != 0:  # some rows may be missing
            _complete_epoch(memory)
            atomic_store(run, op.STATE, op.RUN_INTERRUPTED)
            return
        _sum_up_validation(memory, zero, results)
    if run[op.MONITORED] >= 0:
        run[op.WAITED] += 1
        value = reals[op.SIGN] * results[run[op.MONITORED]]
        if math.isfinite(value) and value < reals[op.BEST_VALUE] - reals[op.MIN_DELTA]:
            reals[op.BEST_VALUE], run[op.WAITED] = value, NONE
            run[op.BEST_EPOCH] = run[op.EPOCHS_BEFORE] + run[op.EPOCHS_DONE]
            run[op.BEST_COPIED] = run[op.BEST_DUE] = ONE
        elif run[op.LATER_WINS] != 0 and math.isfinite(value) and value == reals[op.BEST_VALUE]:
            run[op.BEST_EPOCH] = run[op.EPOCHS_BEFORE] + run[op.EPOCHS_DONE]
            run[op.BEST_COPIED] = run[op.BEST_DUE] = ONE
    _complete_epoch(memory)
    if seconds() >= reals[op.DEADLINE]:
        atomic_store(run, op.STATE, op.RUN_TIME_UP)
    elif run[op.PATIENCE] >= 0 and run[op.WAITED] >= run[op.PATIENCE]:
        atomic_store(run, op.STATE, op.RUN_PATIENCE_OUT)
    elif run[op.EPOCHS_DONE] == run[op.N_EPOCHS]:
        atomic_store(run, op.STATE, op.RUN_DONE)
    elif atomic_load(control, op.PAUSE) != 0:
        atomic_store(run, op.STATE, op.RUN_PAUSED)


@inner
def _sum_up_validation(memory, zero, results):
    """Add the validation's loss and accuracy to the results of an epoch."""
    table = _validation_table(NONE, ONE, memory)
    row_losses = array_at(table, op.ROW_LOSSES, REAL64)
    row_hits, hits = array_at(table, op.ROW_HITS, INT), NONE
    for i in range(row_hits.size):
        hits += row_hits[i]
    results[op.VALIDATION_LOSS] = total_of(row_losses)
    n_answers = array_at(memory, op.RUN, INT)[op.N_VALIDATION_ANSWERS]
    results[op.VALIDATION_ACCURACY] = share(hits, n_answers)
    results[op.VALIDATED] = 1.0


@inner
def _complete_epoch(memory):
    """Count the epoch, and move on to the next one's steps, order, rates and results."""
    run, header = array_at(memory, op.RUN, INT), array_at(memory, op.HEADER, INT)
    n_steps = header[op.N_STEPS]
    header[op.FIRST_STEP] += n_steps
    memory[op.RATES, 0] += 8 * run[op.RATES_STRIDE]
    memory[op.FADES, 0] += 8 * run[op.FADES_STRIDE]
    memory[op.ORDER, 0] += 8 * run[op.ORDER_STRIDE]
    memory[op.LOSSES_OUT, 0] += 8 * n_steps
    memory[op.PENALTIES_OUT, 0] += 8 * run[op.STEPS_STRIDE]
    memory[op.MASSES_OUT, 0] += 8 * run[op.STEPS_STRIDE]
    memory[op.HITS_OUT, 0] += 8 * run[op.STEPS_STRIDE]
    array_at(memory, op.CONTROL, INT)[op.STEPS_DONE] = 0
    atomic_store(run, op.EPOCHS_DONE, run[op.EPOCHS_DONE] + 1)


@inner
def _results(memory):
    """Return the results of the current epoch."""
    epoch = array_at(memory, op.RUN, INT)[op.EPOCHS_DONE]
    return part(array_at(memory, op.RESULTS, REAL64), epoch * op.N_RESULTS, op.N_RESULTS)


@inner
def _validation_table(thread, n_threads, memory):
    """Return a thread's own table of the arrays that validation needs."""
    tables = view(array_at(memory, op.VALIDATION, INT), NONE, n_threads, 2)
    return view(array_at(tables, thread, INT), NONE, op.N_ARRAYS, 2)


@inner
def _copy_what_is_due(thread, memory):
    """Copy this thread's share, and wait until the others have copied theirs."""
    run = array_at(memory, op.RUN, INT)
    if run[op.GOOD_DUE] != 0:
        _copy(thread, memory, op.GOOD)
    if run[op.BEST_DUE] != 0:
        _copy(thread, memory, op.BEST)
    if run[op.GOOD_DUE] != 0 or run[op.BEST_DUE] != 0:
        wait(thread, memory)


@inner
def _copy(thread, memory, place):
    """Copy this thread's share of the bytes that a table of sources and targets lists."""
    listed = array_at(memory, place, INT)
    n_copies, n_threads = listed.size // 4, array_at(memory, op.HEADER, INT)[op.N_THREADS]
    table = view(listed, NONE, 2 * n_copies, 2)
    for i in range(n_copies):
        source, target = array_at(table, 2 * i, BYTE), array_at(table, 2 * i + 1, BYTE)
        first, last = share_of(source.size, SHARED_BYTES, thread, n_threads)
        mine, copied = part(source, first, last - first), part(target, first, last - first)
        for j in range(mine.size):
            copied[j] = mine[j]


@inner
def _look_for_spoilt(thread, memory, zero):
    """Tell thread 0 if a parameter of this thread's share is not finite: 0 times it is not 0."""
    theta, n_threads = (
        array_at(memory, op.THETA, zero),
        array_at(memory, op.HEADER, INT)[op.N_THREADS],
    )
    first, last = share_of(theta.size, SHARED_BYTES, thread, n_threads)
    mine, total = part(theta, first, last - first), zero
    for i in range(mine.size):
        total += mine[i] * zero
    if total != zero:
        atomic_store(array_at(memory, op.RUN, INT), op.SPOILT, ONE)
