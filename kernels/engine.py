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

``memory`` is the table of arrays; ``zero`` is a 0 in the working dtype, which says what it is.
"""

import math

import numpy as np

from .dropout import mask_key
from .jit import kernel
from .links import LINKS
from .opcodes import *  # noqa: F403  the fields of a plan; opcodes holds nothing else
from .optimizers import add_scaled, scale, sum_of_squares
from .simd import TILE_VECTORS, array_at, n_lanes, part, row_of, view
from .threads import atomic_load, atomic_store, fetch_add, wait_for_all

__all__ = ["infer_rows", "train_epoch"]

# The kernels, called by address: the table of arrays is their first argument.
gather_rows = LINKS["gather_rows"].call
affine_forward = LINKS["affine_forward"].call
affine_backward = LINKS["affine_backward"].call
weight_gradient = LINKS["weight_gradient"].call
bias_gradient = LINKS["bias_gradient"].call
round_block = LINKS["round_block"].call
affine_forward_bf16 = LINKS["affine_forward_bf16"].call
affine_backward_bf16 = LINKS["affine_backward_bf16"].call
pack_gradient_bf16 = LINKS["pack_gradient_bf16"].call
weight_gradient_bf16 = LINKS["weight_gradient_bf16"].call
finish = LINKS["finish"].call
unfinish = LINKS["unfinish"].call
classify_rows = LINKS["classify_rows"].call
regress_rows = LINKS["regress_rows"].call
batch_norm_train = LINKS["batch_norm_train"].call
batch_norm_inference = LINKS["batch_norm_inference"].call
batch_norm_backward = LINKS["batch_norm_backward"].call
layer_norm_forward = LINKS["layer_norm_forward"].call
layer_norm_backward = LINKS["layer_norm_backward"].call
layer_norm_parameters = LINKS["layer_norm_parameters"].call
update = LINKS["update"].call
limit_column_norms = LINKS["limit_column_norms"].call

COLUMN_GRAIN = np.int64(64)  # columns of a normalisation are shared out by so many
PANEL = np.int64(TILE_VECTORS)
TILE_COLUMNS = np.int64(32)  # of bfloat16 products
NONE, ONE = np.int64(0), np.int64(1)
INT = np.int64(0)
REAL64 = np.float64(0)
BYTE = np.uint8(0)


@kernel
def train_epoch(thread, memory, zero, clip_norm, max_norm):
    """Train ``N_STEPS`` minibatches as thread number ``thread`` of ``N_THREADS``.

    Step s trains the rows order[s * B : (s + 1) * B] at rate rates[s]; losses[s] is their mean
    loss (and penalty), hits[s] how many were right. ``clip_norm`` and ``max_norm``: 0 is none.
    All threads return after the same step: the last, or the one in which control[STOP] was set or
    the loss was not finite; control[STEPS_DONE] counts the finished ones. With control[ABORT] they
    return as soon as they can, and what they computed is of no use.
    Reads the plan, the data. Writes theta, states, running statistics, losses, hits, control. May
    destroy workspace, scratch, gradient.
    """
    header = array_at(memory, HEADER, INT)
    control = array_at(memory, CONTROL, INT)
    hyper, rates = _hyper(thread, memory), array_at(memory, RATES, REAL64)
    for step in range(header[N_STEPS]):
        first = step * header[BATCH_SIZE]
        n_rows = min(header[BATCH_SIZE], header[N_ROWS] - first)
        hyper[LEARNING_RATE] = rates[step]
        hyper[STEP] = header[FIRST_STEP] + step + 1
        _gather(thread, first, n_rows, memory, zero)
        _forward(thread, step, n_rows, memory, zero)
        _loss_gradient(thread, step, first, n_rows, memory, zero)
        _backward(thread, step, n_rows, memory, zero)
        _wait(thread, memory)
        if thread == 0:
            _record(step, n_rows, memory)
        _update(thread, step, n_rows, memory, zero)
        if header[STORE_GRADIENT] != 0:
            _wait(thread, memory)
            _clipped_update(thread, memory, zero, clip_norm)
        _wait(thread, memory)
        if max_norm > 0.0:
            _limit_norms(thread, memory, zero, max_norm)
            _wait(thread, memory)
        if thread == 0:
            _finish_record(step, memory)
        if control[HALT] != 0 or atomic_load(control, ABORT) != 0:
            return


@kernel
def _wait(thread, memory):
    """Wait until all threads are here; each counts its own barriers."""
    n_threads = array_at(memory, HEADER, INT)[N_THREADS]
    if n_threads > 1:
        control = array_at(memory, CONTROL, INT)
        mine = N_CONTROL + 8 * thread
        control[mine] += n_threads
        wait_for_all(control, ARRIVED, control[mine], ABORT)


@kernel
def _share(n, grain, number, n_parts):
    """The range of [0, n) that is part ``number`` of n_parts, in whole grains."""
    grains = (n + grain - 1) // grain
    return (
        min(n, grains * number // n_parts * grain),
        min(n, grains * (number + 1) // n_parts * grain),
    )


@kernel
def _block(thread, header, op, n_rows, n_columns, width):
    """The rows and columns of an operation's output that are this thread's."""
    split_columns = op[SPLIT_COLUMNS]
    split_rows = header[N_THREADS] // split_columns
    number = thread // split_columns
    if number >= split_rows:
        return NONE, NONE, NONE, NONE
    grain = COLUMN_GRAIN
    if op[CORE] == AFFINE:
        grain = width if header[PARTS] == 0 else TILE_COLUMNS
    row, row_end = _share(n_rows, header[ROW_GRAIN], number, split_rows)
    column, column_end = _share(n_columns, grain, thread % split_columns, split_columns)
    return row, row_end, column, column_end


@kernel
def _round(memory, header, x, place, ld, row, row_end, column, column_end):
    """Round a block of a matrix for the product that reads it next, if one does."""
    if place >= 0:
        workspace = array_at(memory, WORKSPACE, x[0, 0])
        rounded = view(workspace, place, header[ROUNDED_ROWS], ld)
        plane = header[ROUNDED_ROWS] * ld
        round_block(memory, x, rounded, plane, header[PARTS], row, row_end, column, column_end)


@kernel
def _gather(thread, first, n_rows, memory, zero):
    """Bring this thread's rows of the batch, and their targets and weights, together."""
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    order, op = array_at(memory, ORDER, INT), _operation(memory, NONE)
    row, row_end = _share(n_rows, header[ROW_GRAIN], thread, header[N_THREADS])
    _gather_inputs(first, n_rows, row, row_end, op, header, memory, workspace)
    x = view(workspace, op[X], n_rows, op[LD_X])
    _round(memory, header, x, op[X_ROUNDED], op[LD_X_ROUNDED], row, row_end, NONE, op[N_IN])
    if header[LOSS] < FIRST_DENSE:
        batch_labels, labels = array_at(memory, BATCH_LABELS, INT), array_at(memory, LABELS, INT)
        for i in range(row, row_end):
            batch_labels[i] = labels[_source(order, first + i)]
    else:
        targets, nothing = view(workspace, header[TARGETS], n_rows, header[LD_TARGETS]), workspace
        gather_rows(
            memory, array_at(memory, TARGET_VALUES, BYTE), header[REAL_CODE], order, first, nothing,
            nothing, False, targets, row, row_end, header[N_TARGETS],
        )  # fmt: skip
    if header[WEIGHTED]:
        weights, place = array_at(memory, WEIGHTS, zero), header[ROW_WEIGHTS]
        for i in range(row, row_end):
            workspace[place + i] = weights[_source(order, first + i)]


@kernel
def _source(order, i):
    """The row of the data that comes i-th."""
    return order[i] if order.size > 0 else i


@kernel
def _gather_inputs(first, n_rows, row, row_end, op, header, memory, workspace):
    x = view(workspace, op[X], n_rows, op[LD_X])
    gather_rows(
        memory, array_at(memory, RAW, BYTE), header[RAW_CODE], array_at(memory, ORDER, INT), first,
        array_at(memory, SHIFT, workspace[0]), array_at(memory, SCALE, workspace[0]),
        header[STANDARDISE] != 0, x, row, row_end, header[N_FEATURES],
    )  # fmt: skip


@kernel
def _forward(thread, step, n_rows, memory, zero):
    """Run all operations forward, in training mode."""
    header, scratch = array_at(memory, HEADER, INT), _scratch(thread, memory, zero)
    theta, workspace = array_at(memory, THETA, zero), array_at(memory, WORKSPACE, zero)
    running = array_at(memory, RUNNING_STATISTICS, zero)
    width, split_before, parts = PANEL * n_lanes(theta), NONE, header[PARTS]
    for o in range(header[N_OPERATIONS]):
        op, real = _operation(memory, o), _reals(memory, o, zero)
        core, n_in, n_out = op[CORE], op[N_IN], op[N_OUT]
        alpha, p, key = real[ALPHA], real[DROP], _key(header, step, op)
        x = view(workspace, op[X], n_rows, op[LD_X])
        y = view(workspace, op[Y], n_rows, op[LD_Y])
        saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            _wait(thread, memory)
        split_before = op[SPLIT_COLUMNS]
        row, row_end, column, column_end = _block(thread, header, op, n_rows, n_out, width)
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            bias = part(theta, max(NONE, op[BIAS]), n_out)
            if parts > 0:
                rounded = view(workspace, op[X_ROUNDED], header[ROUNDED_ROWS], op[LD_X_ROUNDED])
                plane = header[ROUNDED_ROWS] * op[LD_X_ROUNDED]
                affine_forward_bf16(
                    memory, rounded, plane, parts, weight, bias, op[BIAS] >= 0, op[ACTIVATION],
                    alpha, p, key, op[KEEP], saved, y, n_in, scratch, row, row_end, column,
                    column_end,
                )  # fmt: skip
            else:
                affine_forward(
                    memory, x, weight, bias, op[BIAS] >= 0, op[ACTIVATION], alpha, p, key, op[KEEP],
                    saved, y, n_in, scratch, row, row_end, column, column_end,
                )  # fmt: skip
            _round(memory, header, y, op[Y_ROUNDED], op[LD_Y_ROUNDED], row, row_end, column,
                   column_end)  # fmt: skip
            continue
        gamma, beta = part(theta, op[WEIGHT], n_out), part(theta, op[BIAS], n_out)
        if core == BATCH_NORM:
            mean = part(workspace, op[STATISTICS], n_out)
            inv_std = part(workspace, op[STATISTICS] + n_out, n_out)
            running_mean = part(running, op[RUNNING], n_out)
            running_var = part(running, op[RUNNING] + n_out, n_out)
            batch_norm_train(
                memory, x, gamma, beta, running_mean, running_var, mean, inv_std, y, real[NORM_MOMENTUM],
                real[NORM_EPSILON], row_end, column, column_end,
            )  # fmt: skip
        elif core == LAYER_NORM:
            mean = part(workspace, op[STATISTICS], n_rows)
            inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
            layer_norm_forward(
                memory, x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], row, row_end, n_out
            )
        else:
            _copy_rows(x, y, row, row_end, n_out)
        finish(
            memory, op[ACTIVATION], alpha, p, key, op[KEEP], saved, y, row, row_end, column,
            column_end,
        )  # fmt: skip
        _round(memory, header, y, op[Y_ROUNDED], op[LD_Y_ROUNDED], row, row_end, column, column_end)
    if split_before > 1:
        _wait(thread, memory)


@kernel
def _loss_gradient(thread, step, first, n_rows, memory, zero):
    """Loss of this thread's rows, and the gradient at the last operation's product."""
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    last = header[N_OPERATIONS] - 1
    op, real, parameter = _operation(memory, last), _reals(memory, last, zero), zero
    parameter = _reals(memory, last + 1, zero)[0]
    row, row_end = _share(n_rows, header[ROW_GRAIN], thread, header[N_THREADS])
    total = np.float64(n_rows)
    if header[WEIGHTED]:  # summed from the data: other threads may still be gathering
        weights, order = array_at(memory, WEIGHTS, zero), array_at(memory, ORDER, INT)
        total = 0.0
        for i in range(n_rows):
            total += np.float64(weights[_source(order, first + i)])
    share = workspace.dtype.type(1.0 / total if total > 0.0 else 0.0)
    weights = part(workspace, header[ROW_WEIGHTS], n_rows)
    row_losses, row_hits = array_at(memory, ROW_LOSSES, REAL64), array_at(memory, ROW_HITS, INT)
    y = view(workspace, op[Y], n_rows, op[LD_Y])
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    if header[LOSS] < FIRST_DENSE:
        classify_rows(
            memory, header[LOSS], parameter, y, array_at(memory, BATCH_LABELS, INT), weights, share, dz,
            row_losses, row_hits, row, row_end, op[N_OUT],
        )  # fmt: skip
    else:
        targets = view(workspace, header[TARGETS], n_rows, header[LD_TARGETS])
        regress_rows(
            memory, header[LOSS], parameter, y, targets, weights, share, dz, row_losses, row_hits, row,
            row_end, op[N_OUT],
        )  # fmt: skip
    saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
    unfinish(
        memory, op[ACTIVATION], real[ALPHA], real[DROP], _key(header, step, op), saved, dz, row, row_end,
        NONE, op[N_OUT],
    )  # fmt: skip
    _round(memory, header, dz, op[DZ_ROUNDED], op[LD_Y_ROUNDED], row, row_end, NONE, op[N_OUT])


@kernel
def _backward(thread, step, n_rows, memory, zero):
    """From the gradient at each operation's product, that at the product of the one below."""
    header, scratch = array_at(memory, HEADER, INT), _scratch(thread, memory, zero)
    theta, workspace = array_at(memory, THETA, zero), array_at(memory, WORKSPACE, zero)
    width, split_before, parts = PANEL * n_lanes(theta), NONE, header[PARTS]
    for o in range(header[N_OPERATIONS] - 1, -1, -1):
        op = _operation(memory, o)
        core, n_in, n_out = op[CORE], op[N_IN], op[N_OUT]
        if o == 0 and core != BATCH_NORM:
            return
        below, real = _operation(memory, max(NONE, o - 1)), _reals(memory, max(NONE, o - 1), zero)
        alpha, p, key = real[ALPHA], real[DROP], _key(header, step, below)
        dz = view(workspace, op[DZ], n_rows, op[LD_Y])
        dx = view(workspace, below[DZ], n_rows, below[LD_Y])
        saved = view(workspace, below[SAVED], n_rows, below[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            _wait(thread, memory)
        split_before = op[SPLIT_COLUMNS]
        row, row_end, column, column_end = _block(thread, header, op, n_rows, n_in, width)
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            if parts > 0:
                rounded = view(workspace, op[DZ_ROUNDED], header[ROUNDED_ROWS], op[LD_Y_ROUNDED])
                plane = header[ROUNDED_ROWS] * op[LD_Y_ROUNDED]
                affine_backward_bf16(
                    memory, rounded, plane, parts, weight, below[ACTIVATION], alpha, p, key, saved,
                    dx, n_out, scratch, row, row_end, column, column_end,
                )  # fmt: skip
            else:
                affine_backward(
                    memory, dz, weight, below[ACTIVATION], alpha, p, key, saved, dx, n_out, scratch,
                    row, row_end, column, column_end,
                )  # fmt: skip
            _round(memory, header, dx, below[DZ_ROUNDED], below[LD_Y_ROUNDED], row, row_end, column,
                   column_end)  # fmt: skip
            continue
        x, gamma = view(workspace, op[X], n_rows, op[LD_X]), part(theta, op[WEIGHT], n_out)
        if core == BATCH_NORM:
            mean = part(workspace, op[STATISTICS], n_out)
            inv_std = part(workspace, op[STATISTICS] + n_out, n_out)
            dgamma = part(workspace, op[STATISTICS] + 2 * n_out, n_out)
            dbeta = part(workspace, op[STATISTICS] + 3 * n_out, n_out)
            batch_norm_backward(
                memory, dz, x, gamma, mean, inv_std, dgamma, dbeta, dz if o == 0 else dx, row_end, column,
                column_end,
            )  # fmt: skip
        elif core == LAYER_NORM:
            mean = part(workspace, op[STATISTICS], n_rows)
            inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
            layer_norm_backward(memory, dz, x, gamma, mean, inv_std, dx, row, row_end, n_out)
        else:
            _copy_rows(dz, dx, row, row_end, n_out)
        if o > 0:
            unfinish(
                memory, below[ACTIVATION], alpha, p, key, saved, dx, row, row_end, column,
                column_end,
            )  # fmt: skip
            _round(memory, header, dx, below[DZ_ROUNDED], below[LD_Y_ROUNDED], row, row_end, column,
                   column_end)  # fmt: skip


@kernel
def _update(thread, step, n_rows, memory, zero):
    """Gradients of the parameters piece by piece, and the update of each.

    Where the plan stores the gradient (it is to be clipped), the update is left for later.
    """
    header, hyper = array_at(memory, HEADER, INT), _hyper(thread, memory)
    theta, scratch = array_at(memory, THETA, zero), _scratch(thread, memory, zero)
    state1, state2 = array_at(memory, STATE1, zero), array_at(memory, STATE2, zero)
    gradient, sums = array_at(memory, GRADIENT, zero), array_at(memory, UNIT_SUMS, REAL64)
    control, n_units = array_at(memory, CONTROL, INT), header[N_UNITS]
    shares, n_threads = array_at(memory, UNIT_SHARES, INT), header[N_THREADS]
    out, out0, packed_for = scratch, header[GRADIENT_AT], -ONE
    # first the thread's own pieces, always the same, whose parameters are in its caches; then
    # what the others have not begun
    for turn in range(n_threads):
        owner = (thread + turn) % n_threads
        ticket, n_own = N_CONTROL + 8 * owner + 1, shares[owner + 1] - shares[owner]
        base = step * (n_own + n_threads)  # every thread draws one ticket too many
        while True:
            u = fetch_add(control, ticket, ONE) - base
            if u >= n_own:
                break
            u += shares[owner]
            unit = _unit(memory, u)
            start, size, is_weight = unit[UNIT_START], unit[UNIT_SIZE], unit[UNIT_FIRST] >= 0
            if hyper[L2] > 0.0 and is_weight:
                sums[u] = sum_of_squares(theta, start, size)
            if header[PARTS] > 0 and is_weight and packed_for != unit[UNIT_OPERATION]:
                packed_for = unit[UNIT_OPERATION]
                _pack_gradient(packed_for, n_rows, header, memory, scratch)
            if header[STORE_GRADIENT] != 0:
                out, out0 = gradient, start
            _unit_gradient(unit, n_rows, header, memory, out, out0, scratch, theta, state1, state2)
            if header[STORE_GRADIENT] == 0:
                update(
                    memory, header[OPTIMIZER], theta, out, state1, state2, start, out0, size, hyper,
                    is_weight,
                )  # fmt: skip
                continue
            if hyper[L2] > 0.0 and is_weight:
                add_scaled(gradient, theta, hyper[L2], start, size)
            sums[n_units + u] = sum_of_squares(gradient, start, size)


@kernel
def _pack_gradient(o, n_rows, header, memory, scratch):
    """Pack the gradient at a layer's product for all pieces of its weight."""
    op, workspace = _operation(memory, o), array_at(memory, WORKSPACE, scratch[0])
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    pack_gradient_bf16(memory, dz, n_rows, op[N_OUT], header[PARTS], scratch, header[PACKED_AT])


@kernel
def _unit_gradient(unit, n_rows, header, memory, out, out0, scratch, theta, state1, state2):
    """Gradient of one piece of the parameters, to out from out0 on."""
    op, workspace = _operation(memory, unit[UNIT_OPERATION]), array_at(memory, WORKSPACE, out[0])
    n_out, statistics = op[N_OUT], op[STATISTICS]
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    x = view(workspace, op[X], n_rows, op[LD_X])
    if op[CORE] == AFFINE:
        if unit[UNIT_FIRST] == UNIT_VECTORS:
            bias_gradient(memory, dz, n_rows, n_out, out, out0, scratch)
        else:
            first, last, place = unit[UNIT_FIRST], unit[UNIT_LAST], unit[UNIT_START]
            if header[PARTS] > 0:
                weight_gradient_bf16(
                    memory, x, n_rows, n_out, header[PARTS], out, out0, scratch, header[PACKED_AT],
                    first, last, theta, state1, state2, place,
                )  # fmt: skip
            else:
                weight_gradient(
                    memory, x, dz, n_rows, n_out, out, out0, scratch, first, last, theta, state1,
                    state2, place,
                )  # fmt: skip
        return
    gap = op[BIAS] - op[WEIGHT]  # gamma, padding, beta
    for j in range(n_out, gap):
        out[out0 + j] = 0
    if op[CORE] == BATCH_NORM:
        dgamma = part(workspace, statistics + 2 * n_out, n_out)
        dbeta = part(workspace, statistics + 3 * n_out, n_out)
        for j in range(n_out):
            out[out0 + j] = dgamma[j]
            out[out0 + gap + j] = dbeta[j]
    else:
        mean, inv_std = part(workspace, statistics, n_rows), part(workspace, statistics + n_rows, n_rows)
        dgamma, dbeta = part(out, out0, n_out), part(out, out0 + gap, n_out)
        layer_norm_parameters(memory, dz, x, mean, inv_std, dgamma, dbeta, n_rows, NONE, n_out)


@kernel
def _clipped_update(thread, memory, zero, clip_norm):
    """Scale all gradients so that their norm is at most clip_norm, then update.

    g *= min(1, clip_norm / ||g||). Pascanu et al., 2013, algorithm 1. The stored gradient has the
    penalty's part already.
    """
    header, hyper = array_at(memory, HEADER, INT), _hyper(thread, memory)
    theta, gradient = array_at(memory, THETA, zero), array_at(memory, GRADIENT, zero)
    state1, state2 = array_at(memory, STATE1, zero), array_at(memory, STATE2, zero)
    sums, n_units = array_at(memory, UNIT_SUMS, REAL64), header[N_UNITS]
    total, factor = 0.0, 1.0
    for u in range(n_units):
        total += sums[n_units + u]
    if total > clip_norm * clip_norm:
        factor = clip_norm / math.sqrt(total)
    l2, hyper[L2] = hyper[L2], 0.0
    for u in range(thread, n_units, header[N_THREADS]):
        unit = _unit(memory, u)
        start, size = unit[UNIT_START], unit[UNIT_SIZE]
        if factor != 1.0:
            scale(gradient, factor, start, size)
        update(
            memory, header[OPTIMIZER], theta, gradient, state1, state2, start, start, size, hyper,
            unit[UNIT_FIRST] >= 0,
        )  # fmt: skip
    hyper[L2] = l2


@kernel
def _limit_norms(thread, memory, zero, max_norm):
    """Scale each unit's incoming weights to at most max_norm."""
    header, theta = array_at(memory, HEADER, INT), array_at(memory, THETA, zero)
    for o in range(header[N_OPERATIONS]):
        op = _operation(memory, o)
        if op[CORE] == AFFINE:
            weight = view(theta, op[WEIGHT], op[N_IN], op[N_OUT])
            column, column_end = _share(op[N_OUT], COLUMN_GRAIN, thread, header[N_THREADS])
            limit_column_norms(memory, weight, max_norm, column, column_end)


@kernel
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


@kernel
def _finish_record(step, memory):
    """Add the penalty 0.5 * l2 * sum(W**2) of the weights before the update; count the step."""
    hyper, sums = _hyper(NONE, memory), array_at(memory, UNIT_SUMS, REAL64)
    if hyper[L2] > 0.0:
        total = 0.0
        for u in range(array_at(memory, HEADER, INT)[N_UNITS]):
            if _unit(memory, u)[UNIT_FIRST] >= 0:
                total += sums[u]
        array_at(memory, LOSSES_OUT, REAL64)[step] += 0.5 * hyper[L2] * total
    atomic_store(array_at(memory, CONTROL, INT), STEPS_DONE, step + 1)


@kernel
def infer_rows(thread, memory, zero, first, last):
    """outputs[i] = the model's output for row i of X, for i in [first, last), in inference mode.

    Any number of threads may run this at once, each with its own workspace, scratch and rows.
    A row's bits do not depend on what other rows are computed with it.
    Reads the plan, theta, running statistics, X. Writes outputs. May destroy workspace, scratch.
    """
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    outputs, scratch = array_at(memory, OUTPUTS, zero), _scratch(thread, memory, zero)
    theta, running = array_at(memory, THETA, zero), array_at(memory, RUNNING_STATISTICS, zero)
    n_ops, n_features = header[N_OPERATIONS], header[N_FEATURES]
    as_it_lies = header[RAW_CODE] == header[REAL_CODE] and header[STANDARDISE] == 0
    for start in range(first, last, header[BATCH_SIZE]):
        n_rows = min(header[BATCH_SIZE], last - start)
        op = _operation(memory, NONE)
        if as_it_lies:
            x = view(array_at(memory, RAW, zero), start * n_features, n_rows, n_features)
        else:
            _gather_inputs(start, n_rows, NONE, n_rows, op, header, memory, workspace)
            x = view(workspace, op[X], n_rows, op[LD_X])
        for o in range(n_ops):
            op = _operation(memory, o)
            y = view(workspace, op[Y], n_rows, op[LD_Y])
            _infer(memory, op, _reals(memory, o, zero), n_rows, x, y, theta, running, workspace,
                   scratch)  # fmt: skip
            x = y
        n_out = op[N_OUT]
        for i in range(n_rows):
            source = part(workspace, op[Y] + i * op[LD_Y], n_out)
            target = part(outputs, (start + i) * n_out, n_out)
            for c in range(n_out):
                target[c] = source[c]


@kernel
def _infer(memory, op, real, n_rows, x, y, theta, running, workspace, scratch):
    """One operation on n_rows rows: no dropout, running statistics, nothing saved."""
    core, code, n_in, n_out = op[CORE], op[ACTIVATION], op[N_IN], op[N_OUT]
    alpha, no_drop, no_key = real[ALPHA], real[ALPHA] - real[ALPHA], np.uint64(0)
    if core == AFFINE:
        weight = view(theta, op[WEIGHT], n_in, n_out)
        bias = part(theta, max(NONE, op[BIAS]), n_out)
        affine_forward(
            memory, x, weight, bias, op[BIAS] >= 0, code, alpha, no_drop, no_key, KEEP_NOTHING, y, y, n_in,
            scratch, NONE, n_rows, NONE, n_out,
        )  # fmt: skip
        return
    gamma, beta = part(theta, op[WEIGHT], n_out), part(theta, op[BIAS], n_out)
    if core == BATCH_NORM:
        mean, var = part(running, op[RUNNING], n_out), part(running, op[RUNNING] + n_out, n_out)
        batch_norm_inference(memory, x, gamma, beta, mean, var, y, real[NORM_EPSILON], NONE, n_rows, n_out)
    elif core == LAYER_NORM:
        mean = part(workspace, op[STATISTICS], n_rows)
        inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
        layer_norm_forward(
            memory, x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], NONE, n_rows, n_out
        )
    else:
        _copy_rows(x, y, NONE, n_rows, n_out)
    finish(memory, code, alpha, no_drop, no_key, KEEP_NOTHING, y, y, NONE, n_rows, NONE, n_out)


@kernel
def _copy_rows(source, target, row, row_end, n_columns):
    for i in range(row, row_end):
        a, b = row_of(source, i, NONE, n_columns), row_of(target, i, NONE, n_columns)
        for j in range(n_columns):
            b[j] = a[j]


@kernel
def _operation(memory, o):
    return part(array_at(memory, OPERATIONS, INT), o * N_OPERATION_FIELDS, N_OPERATION_FIELDS)


@kernel
def _reals(memory, o, zero):
    return part(array_at(memory, REALS, zero), o * N_REAL_FIELDS, N_REAL_FIELDS)


@kernel
def _unit(memory, u):
    return part(array_at(memory, UNITS, INT), u * N_UNIT_FIELDS, N_UNIT_FIELDS)


@kernel
def _hyper(thread, memory):
    return part(array_at(memory, HYPER, REAL64), thread * N_HYPER, N_HYPER)


@kernel
def _scratch(thread, memory, zero):
    size = array_at(memory, HEADER, INT)[SCRATCH_SIZE]
    return part(array_at(memory, SCRATCH, zero), thread * size, size)


@kernel
def _key(header, step, op):
    return mask_key(header[SEED], header[FIRST_STEP] + step, op[LAYER])
