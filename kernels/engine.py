"""Whole epochs in one call: an interpreter of plans (``opcodes`` says what a plan is).

Every thread runs ``train_epoch`` with its own number and the same arrays. A step has two parts,
and a barrier behind each:

1. gather, forward, loss, backward. Rows of a batch do not depend on each other, so each thread
   takes its own rows through all operations. Only where an operation splits its columns over
   threads (few rows, or large weights) or sums over rows (BatchNorm) do threads wait in between.
2. weight gradients and update, piece by piece (``units``): a few rows of a weight's gradient are
   computed into scratch that stays in the second cache, and the optimizer consumes them there.
   Threads take the next piece from a common counter.

Each element is computed by one thread in a fixed order of its sums, so the bits do not depend on
the number of threads.
"""

import math
from typing import NamedTuple

import numpy as np

from .affine import (
    SCRATCH,
    affine_backward,
    affine_forward,
    bias_gradient,
    finish,
    unfinish,
    weight_gradient,
)
from .dropout import mask_key
from .gather import gather_rows
from .jit import kernel
from .losses import classify_rows, regress_rows
from .maths import constant
from .normalization import (
    batch_norm_backward,
    batch_norm_inference,
    batch_norm_train,
    layer_norm_backward,
    layer_norm_forward,
    layer_norm_parameters,
)
from .opcodes import *  # noqa: F403  the fields of a plan; opcodes holds nothing else
from .optimizers import limit_column_norms, scale, sum_of_squares, update
from .simd import TILE_ROWS, TILE_VECTORS, borrow, n_lanes, view
from .threads import atomic_load, atomic_store, fetch_add, wait_for_all

__all__ = ["infer_rows", "train_epoch"]

COLUMN_GRAIN = 64  # columns of a normalisation are shared out by so many


class Plan(NamedTuple):
    """What a step does. All int64, but ``reals``, which is in the working dtype."""

    header: np.ndarray
    operations: np.ndarray  # (operations, fields)
    reals: np.ndarray  # (operations, real fields)
    units: np.ndarray  # (units, fields)


class Store(NamedTuple):
    """What training changes: flat arrays in the working dtype, laid out alike."""

    theta: np.ndarray
    gradient: np.ndarray  # one element where the plan does not store it
    state1: np.ndarray
    state2: np.ndarray
    running: np.ndarray  # statistics of BatchNorm


class Data(NamedTuple):
    """What training reads, in the order of the data set; ``order`` says which row comes when."""

    raw: np.ndarray  # the bytes of X
    shift: np.ndarray
    scale: np.ndarray
    labels: np.ndarray  # int64 (N,)
    targets: np.ndarray  # (N, C)
    weights: np.ndarray  # (N,), or (1,) where all rows count alike
    order: np.ndarray  # int64


class Run(NamedTuple):
    """What one run needs and fills: memory shared by its threads."""

    workspace: np.ndarray
    scratch: np.ndarray  # (threads, SCRATCH)
    labels: np.ndarray  # int64 (batch,)
    row_losses: np.ndarray  # float64 (batch,)
    row_hits: np.ndarray  # int64 (batch,)
    unit_sums: np.ndarray  # float64 (2, units): squares of the weights, of the gradients
    hyper: np.ndarray  # float64 (threads, N_HYPER)
    rates: np.ndarray  # float64 (steps,)
    losses: np.ndarray  # float64 (steps,)
    hits: np.ndarray  # int64 (steps,)
    control: np.ndarray  # int64 (N_CONTROL + 8 * threads,)


@kernel
def train_epoch(thread, plan, store, data, run, clip_norm, max_norm):
    """Train ``N_STEPS`` minibatches as thread number ``thread`` of ``N_THREADS``.

    Step s trains the rows order[s * B : (s + 1) * B] at rate rates[s]; losses[s] is their mean
    loss (and penalty), hits[s] how many were right. ``clip_norm`` and ``max_norm``: 0 is none.
    All threads return after the same step: the last, or the one in which control[STOP] was set or
    the loss was not finite; control[STEPS_DONE] counts the finished ones.
    Reads plan, data. Writes store, run. May destroy workspace, scratch.
    """
    plan = Plan(borrow(plan.header), borrow(plan.operations), borrow(plan.reals),
                borrow(plan.units))
    store = Store(borrow(store.theta), borrow(store.gradient), borrow(store.state1),
                  borrow(store.state2), borrow(store.running))
    data = Data(borrow(data.raw), borrow(data.shift), borrow(data.scale), borrow(data.labels),
                borrow(data.targets), borrow(data.weights), borrow(data.order))
    run = Run(borrow(run.workspace), borrow(run.scratch), borrow(run.labels),
              borrow(run.row_losses), borrow(run.row_hits), borrow(run.unit_sums),
              borrow(run.hyper), borrow(run.rates), borrow(run.losses), borrow(run.hits),
              borrow(run.control))
    header = plan.header
    n_threads, batch_size = header[N_THREADS], header[BATCH_SIZE]
    for step in range(header[N_STEPS]):
        first = step * batch_size
        n_rows = min(batch_size, header[N_ROWS] - first)
        run.hyper[thread, LEARNING_RATE] = run.rates[step]
        run.hyper[thread, STEP] = header[FIRST_STEP] + step + 1
        _gather(thread, first, n_rows, plan, data, run)
        _forward(thread, step, n_rows, plan, store, run)
        _loss_gradient(thread, step, first, n_rows, plan, data, run)
        _backward(thread, step, n_rows, plan, store, run)
        _wait(thread, n_threads, run)
        if thread == 0:
            _record(step, n_rows, run)
        _update(thread, step, n_rows, plan, store, run, clip_norm)
        _wait(thread, n_threads, run)
        if max_norm > 0.0:
            _limit_norms(thread, plan, store, max_norm)
            _wait(thread, n_threads, run)
        if thread == 0:
            _finish_record(step, plan, run)
        if run.control[HALT] != 0:
            return


@kernel
def _wait(thread, n_threads, run):
    """Wait until all threads are here; each counts its own barriers."""
    if n_threads > 1:
        mine = N_CONTROL + 8 * thread
        run.control[mine] += n_threads
        wait_for_all(run.control, ARRIVED, run.control[mine])


@kernel
def _share(n, grain, part, n_parts):
    """The range of [0, n) that is this part's, in whole grains."""
    grains = (n + grain - 1) // grain
    return (
        min(n, grains * part // n_parts * grain),
        min(n, grains * (part + 1) // n_parts * grain),
    )


@kernel
def _block(thread, n_threads, split_columns, n_rows, n_columns, grain):
    """The rows and columns of an operation's output that are this thread's."""
    split_rows = n_threads // split_columns
    part = thread // split_columns
    if part >= split_rows:
        return 0, 0, 0, 0
    row, row_end = _share(n_rows, TILE_ROWS, part, split_rows)
    column, column_end = _share(n_columns, grain, thread % split_columns, split_columns)
    return row, row_end, column, column_end


@kernel
def _gather(thread, first, n_rows, plan, data, run):
    """Bring this thread's rows of the batch, and their targets and weights, together."""
    header, op = plan.header, plan.operations[0]
    row, row_end = _share(n_rows, TILE_ROWS, thread, header[N_THREADS])
    x = view(run.workspace, op[X], n_rows, op[LD_X])
    gather_rows(data.raw, header[RAW_CODE], data.order, first, data.shift, data.scale,
                header[STANDARDISE], x, row, row_end, header[N_FEATURES])
    weights = header[ROW_WEIGHTS]
    for i in range(row, row_end):
        source = data.order[first + i]
        run.workspace[weights + i] = data.weights[source if header[WEIGHTED] else 0]
        if header[LOSS] < FIRST_DENSE:
            run.labels[i] = data.labels[source]
        else:
            base = header[TARGETS] + i * header[LD_TARGETS]
            for c in range(data.targets.shape[1]):
                run.workspace[base + c] = data.targets[source, c]


@kernel
def _forward(thread, step, n_rows, plan, store, run):
    """Run all operations forward, in training mode."""
    header, theta, workspace = plan.header, store.theta, run.workspace
    n_threads, width = header[N_THREADS], TILE_VECTORS * n_lanes(theta)
    split_before = 1
    for o in range(plan.operations.shape[0]):
        op, real = plan.operations[o], plan.reals[o]
        core, code, n_in, n_out = op[CORE], op[ACTIVATION], op[N_IN], op[N_OUT]
        key = _key(header, step, op)
        x = view(workspace, op[X], n_rows, op[LD_X])
        y = view(workspace, op[Y], n_rows, op[LD_Y])
        saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            _wait(thread, n_threads, run)
        split_before = op[SPLIT_COLUMNS]
        grain = width if core == AFFINE else COLUMN_GRAIN
        row, row_end, column, column_end = _block(
            thread, n_threads, op[SPLIT_COLUMNS], n_rows, n_out, grain
        )
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            bias = theta[max(0, op[BIAS]) : max(0, op[BIAS]) + n_out]
            affine_forward(x, weight, bias, op[BIAS] >= 0, code, real[ALPHA], real[DROP], key,
                           op[KEEP], saved, y, n_in, run.scratch[thread], row, row_end, column,
                           column_end)
            continue
        if core == BATCH_NORM:
            gamma = theta[op[WEIGHT] : op[WEIGHT] + n_out]
            beta = theta[op[BIAS] : op[BIAS] + n_out]
            mean = workspace[op[STATISTICS] : op[STATISTICS] + n_out]
            inv_std = workspace[op[STATISTICS] + n_out : op[STATISTICS] + 2 * n_out]
            running = store.running[op[RUNNING] : op[RUNNING] + n_out]
            running_var = store.running[op[RUNNING] + n_out : op[RUNNING] + 2 * n_out]
            if row == 0:
                batch_norm_train(x, gamma, beta, running, running_var, mean, inv_std, y,
                                 real[NORM_MOMENTUM], real[NORM_EPSILON], n_rows, column,
                                 column_end)
        elif core == LAYER_NORM:
            gamma = theta[op[WEIGHT] : op[WEIGHT] + n_out]
            beta = theta[op[BIAS] : op[BIAS] + n_out]
            mean = workspace[op[STATISTICS] : op[STATISTICS] + n_rows]
            inv_std = workspace[op[STATISTICS] + n_rows : op[STATISTICS] + 2 * n_rows]
            layer_norm_forward(x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], row, row_end,
                               n_out)
        else:
            _copy_rows(x, y, row, row_end, n_out)
        finish(code, real[ALPHA], real[DROP], key, op[KEEP], saved, y, row, row_end, column,
               column_end)
    if split_before > 1:
        _wait(thread, n_threads, run)


@kernel
def _loss_gradient(thread, step, first, n_rows, plan, data, run):
    """Loss of this thread's rows, and the gradient at the last operation's product."""
    header, workspace = plan.header, run.workspace
    last = plan.operations.shape[0] - 1
    op, real = plan.operations[last], plan.reals[last]
    row, row_end = _share(n_rows, TILE_ROWS, thread, header[N_THREADS])
    weights = workspace[header[ROW_WEIGHTS] : header[ROW_WEIGHTS] + n_rows]
    total = np.float64(n_rows)
    if header[WEIGHTED]:  # other threads still gather: sum what they read
        total = 0.0
        for i in range(n_rows):
            total += np.float64(data.weights[data.order[first + i]])
    share = weights.dtype.type(1.0 / total if total > 0.0 else 0.0)
    y = view(workspace, op[Y], n_rows, op[LD_Y])
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    if header[LOSS] < FIRST_DENSE:
        classify_rows(header[LOSS], plan.reals[last + 1, 0], y, run.labels, weights, share, dz,
                      run.row_losses, run.row_hits, row, row_end, op[N_OUT])
    else:
        targets = view(workspace, header[TARGETS], n_rows, header[LD_TARGETS])
        regress_rows(header[LOSS], plan.reals[last + 1, 0], y, targets, weights, share, dz,
                     run.row_losses, run.row_hits, row, row_end, op[N_OUT])
    saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
    unfinish(op[ACTIVATION], real[ALPHA], real[DROP], _key(header, step, op), saved, dz, row,
             row_end, 0, op[N_OUT])


@kernel
def _backward(thread, step, n_rows, plan, store, run):
    """From the gradient at each operation's product, that at the product of the one below."""
    header, theta, workspace = plan.header, store.theta, run.workspace
    n_threads, width = header[N_THREADS], TILE_VECTORS * n_lanes(theta)
    split_before = 1
    for o in range(plan.operations.shape[0] - 1, -1, -1):
        op = plan.operations[o]
        core, n_in, n_out = op[CORE], op[N_IN], op[N_OUT]
        if o == 0 and core != BATCH_NORM:
            return
        below, real = plan.operations[max(0, o - 1)], plan.reals[max(0, o - 1)]
        key = _key(header, step, below)
        dz = view(workspace, op[DZ], n_rows, op[LD_Y])
        dx = view(workspace, below[DZ], n_rows, below[LD_Y])
        saved = view(workspace, below[SAVED], n_rows, below[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            _wait(thread, n_threads, run)
        split_before = op[SPLIT_COLUMNS]
        grain = width if core == AFFINE else COLUMN_GRAIN
        row, row_end, column, column_end = _block(
            thread, n_threads, op[SPLIT_COLUMNS], n_rows, n_in, grain
        )
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            affine_backward(dz, weight, below[ACTIVATION], real[ALPHA], real[DROP], key, saved,
                            dx, n_out, run.scratch[thread], row, row_end, column, column_end)
            continue
        x = view(workspace, op[X], n_rows, op[LD_X])
        if core == BATCH_NORM:
            gamma = theta[op[WEIGHT] : op[WEIGHT] + n_out]
            mean = workspace[op[STATISTICS] : op[STATISTICS] + n_out]
            inv_std = workspace[op[STATISTICS] + n_out : op[STATISTICS] + 2 * n_out]
            dgamma = workspace[op[STATISTICS] + 2 * n_out : op[STATISTICS] + 3 * n_out]
            dbeta = workspace[op[STATISTICS] + 3 * n_out : op[STATISTICS] + 4 * n_out]
            if row == 0:
                batch_norm_backward(dz, x, gamma, mean, inv_std, dgamma, dbeta,
                                    dz if o == 0 else dx, n_rows, column, column_end)
        elif core == LAYER_NORM:
            gamma = theta[op[WEIGHT] : op[WEIGHT] + n_out]
            mean = workspace[op[STATISTICS] : op[STATISTICS] + n_rows]
            inv_std = workspace[op[STATISTICS] + n_rows : op[STATISTICS] + 2 * n_rows]
            layer_norm_backward(dz, x, gamma, mean, inv_std, dx, row, row_end, n_out)
        else:
            _copy_rows(dz, dx, row, row_end, n_out)
        if o > 0:
            unfinish(below[ACTIVATION], real[ALPHA], real[DROP], key, saved, dx, row, row_end,
                     column, column_end)


@kernel
def _update(thread, step, n_rows, plan, store, run, clip_norm):
    """Gradients of the parameters and their update, piece by piece.

    With a norm to clip to, the update has to wait for all gradients.
    """
    header = plan.header
    n_threads, n_units = header[N_THREADS], plan.units.shape[0]
    keeps = header[STORE_GRADIENT] != 0
    # every thread draws one ticket too many
    base = step * (n_units + n_threads)
    while True:
        u = fetch_add(run.control, TICKET, 1) - base
        if u >= n_units:
            break
        start, size = plan.units[u, UNIT_START], plan.units[u, UNIT_SIZE]
        is_weight = plan.units[u, UNIT_FIRST] != UNIT_VECTORS
        if run.hyper[thread, L2] > 0.0 and is_weight:
            run.unit_sums[0, u] = sum_of_squares(store.theta, start, size)
        if keeps:
            _unit_gradient(u, n_rows, plan, store.gradient, start, run.workspace,
                           run.scratch[thread])
            run.unit_sums[1, u] = sum_of_squares(store.gradient, start, size)
        else:
            scratch = run.scratch[thread]
            _unit_gradient(u, n_rows, plan, scratch, SCRATCH, run.workspace, scratch)
            update(header[OPTIMIZER], store.theta, scratch, store.state1, store.state2, start,
                   SCRATCH, size, run.hyper[thread], is_weight)
    if keeps:
        _wait(thread, n_threads, run)
        _clipped_update(thread, plan, store, run, clip_norm)


@kernel
def _unit_gradient(u, n_rows, plan, out, out0, workspace, scratch):
    """Gradient of one piece of the parameters, to out from out0 on."""
    unit = plan.units[u]
    op = plan.operations[unit[UNIT_OPERATION]]
    n_out = op[N_OUT]
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    x = view(workspace, op[X], n_rows, op[LD_X])
    if op[CORE] == AFFINE:
        if unit[UNIT_FIRST] == UNIT_VECTORS:
            bias_gradient(dz, n_rows, n_out, out, out0)
        else:
            weight_gradient(x, dz, n_rows, n_out, out, out0, scratch, unit[UNIT_FIRST],
                            unit[UNIT_LAST])
        return
    gap = op[BIAS] - op[WEIGHT]  # gamma, padding, beta
    statistics = op[STATISTICS]
    if op[CORE] == BATCH_NORM:
        for j in range(n_out):
            out[out0 + j] = workspace[statistics + 2 * n_out + j]
            out[out0 + gap + j] = workspace[statistics + 3 * n_out + j]
    else:
        mean = workspace[statistics : statistics + n_rows]
        inv_std = workspace[statistics + n_rows : statistics + 2 * n_rows]
        layer_norm_parameters(dz, x, mean, inv_std, out[out0 : out0 + n_out],
                              out[out0 + gap : out0 + gap + n_out], n_rows, 0, n_out)
    for j in range(n_out, gap):
        out[out0 + j] = constant(out[out0], 0.0, 0.0)


@kernel
def _clipped_update(thread, plan, store, run, clip_norm):
    """Scale all gradients so that their norm is at most clip_norm, then update.

    g *= min(1, clip_norm / ||g||). Pascanu et al., 2013, algorithm 1.
    """
    header, units = plan.header, plan.units
    total = 0.0
    for u in range(units.shape[0]):
        total += run.unit_sums[1, u]
    factor = 1.0
    if clip_norm > 0.0 and total > clip_norm * clip_norm:
        factor = clip_norm / math.sqrt(total)
    for u in range(thread, units.shape[0], header[N_THREADS]):
        start, size = units[u, UNIT_START], units[u, UNIT_SIZE]
        if factor != 1.0:
            scale(store.gradient, factor, start, size)
        update(header[OPTIMIZER], store.theta, store.gradient, store.state1, store.state2, start,
               start, size, run.hyper[thread], units[u, UNIT_FIRST] != UNIT_VECTORS)


@kernel
def _limit_norms(thread, plan, store, max_norm):
    """Scale each unit's incoming weights to at most max_norm."""
    for o in range(plan.operations.shape[0]):
        op = plan.operations[o]
        if op[CORE] == AFFINE:
            weight = view(store.theta, op[WEIGHT], op[N_IN], op[N_OUT])
            column, column_end = _share(op[N_OUT], COLUMN_GRAIN, thread, plan.header[N_THREADS])
            limit_column_norms(weight, max_norm, column, column_end)


@kernel
def _record(step, n_rows, run):
    """Sum the rows' losses in their order; decide here, between two barriers, whether to go on."""
    total = 0.0
    hits = 0
    for i in range(n_rows):
        total += run.row_losses[i]
        hits += run.row_hits[i]
    run.losses[step] = total
    run.hits[step] = hits
    if not math.isfinite(total) or atomic_load(run.control, STOP) != 0:
        run.control[HALT] = 1


@kernel
def _finish_record(step, plan, run):
    """Add the penalty 0.5 * l2 * sum(W**2) of the weights before the update; count the step."""
    if run.hyper[0, L2] > 0.0:
        total = 0.0
        for u in range(plan.units.shape[0]):
            if plan.units[u, UNIT_FIRST] != UNIT_VECTORS:
                total += run.unit_sums[0, u]
        run.losses[step] += 0.5 * run.hyper[0, L2] * total
    atomic_store(run.control, STEPS_DONE, step + 1)


@kernel
def _copy_rows(source, target, row, row_end, n_columns):
    for i in range(row, row_end):
        for j in range(n_columns):
            target[i, j] = source[i, j]


@kernel
def _key(header, step, op):
    return mask_key(header[SEED], header[FIRST_STEP] + step, op[LAYER])


@kernel
def infer_rows(plan, store, data, workspace, scratch, outputs, first, last):
    """outputs[i] = the model's output for row i of X, for i in [first, last), in inference mode.

    Any number of threads may run this at once, each with its own workspace, scratch and rows.
    A row's bits do not depend on what other rows are computed with it.
    Reads plan, store, data. Writes outputs. May destroy workspace, scratch.
    """
    header, theta, n_ops = plan.header, borrow(store.theta), plan.operations.shape[0]
    workspace, scratch = borrow(workspace), borrow(scratch)
    for start in range(first, last, header[BATCH_SIZE]):
        n_rows = min(header[BATCH_SIZE], last - start)
        op = plan.operations[0]
        x = view(workspace, op[X], n_rows, op[LD_X])
        gather_rows(data.raw, header[RAW_CODE], data.order, start, data.shift, data.scale,
                    header[STANDARDISE], x, 0, n_rows, header[N_FEATURES])
        for o in range(n_ops):
            _infer_operation(plan.operations[o], plan.reals[o], n_rows, theta, store.running,
                             workspace, scratch)
        op = plan.operations[n_ops - 1]
        y = view(workspace, op[Y], n_rows, op[LD_Y])
        for i in range(n_rows):
            for c in range(op[N_OUT]):
                outputs[start + i, c] = y[i, c]


@kernel
def _infer_operation(op, real, n_rows, theta, running, workspace, scratch):
    """One operation on n_rows rows: no dropout, running statistics, nothing saved."""
    core, code, n_in, n_out = op[CORE], op[ACTIVATION], op[N_IN], op[N_OUT]
    alpha, no_drop, no_key = real[ALPHA], constant(real[ALPHA], 0.0, 0.0), np.uint64(0)
    x = view(workspace, op[X], n_rows, op[LD_X])
    y = view(workspace, op[Y], n_rows, op[LD_Y])
    if core == AFFINE:
        weight = view(theta, op[WEIGHT], n_in, n_out)
        bias = theta[max(0, op[BIAS]) : max(0, op[BIAS]) + n_out]
        affine_forward(x, weight, bias, op[BIAS] >= 0, code, alpha, no_drop, no_key, KEEP_NOTHING,
                       y, y, n_in, scratch, 0, n_rows, 0, n_out)
        return
    if core == PASS:
        _copy_rows(x, y, 0, n_rows, n_out)
    else:
        gamma = theta[op[WEIGHT] : op[WEIGHT] + n_out]
        beta = theta[op[BIAS] : op[BIAS] + n_out]
        if core == BATCH_NORM:
            mean = running[op[RUNNING] : op[RUNNING] + n_out]
            var = running[op[RUNNING] + n_out : op[RUNNING] + 2 * n_out]
            batch_norm_inference(x, gamma, beta, mean, var, y, real[NORM_EPSILON], 0, n_rows,
                                 n_out)
        else:
            mean = workspace[op[STATISTICS] : op[STATISTICS] + n_rows]
            inv_std = workspace[op[STATISTICS] + n_rows : op[STATISTICS] + 2 * n_rows]
            layer_norm_forward(x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], 0, n_rows,
                               n_out)
    finish(code, alpha, no_drop, no_key, KEEP_NOTHING, y, y, 0, n_rows, 0, n_out)
