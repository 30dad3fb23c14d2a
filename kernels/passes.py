"""The first part of a training step: gather, forward, loss, backward.

Each function is what one thread does; where it needs what another one computes, it waits.
"""

import numpy as np

from .jit import inner
from .links import LINKS
from .memory import (
    BYTE,
    INT,
    NONE,
    PANEL,
    REAL64,
    copy_rows,
    key_of,
    operation_at,
    own_block,
    reals_at,
    scratch_of,
    share_of,
    source_row,
    wait,
)
from .opcodes import (
    ACTIVATION,
    AFFINE,
    ALPHA,
    AS_THEY_ARE,
    BATCH_LABELS,
    BATCH_NORM,
    BATCH_SIZE,
    BIAS,
    CORE,
    DROP,
    DZ,
    DZ_PACKED,
    DZ_ROUNDED,
    FIRST_DENSE,
    HEADER,
    KEEP,
    LABELS,
    LAYER_NORM,
    LD_TARGETS,
    LD_X,
    LD_Y,
    LOSS,
    N_FEATURES,
    N_IN,
    N_OPERATIONS,
    N_OUT,
    N_TARGETS,
    N_THREADS,
    NORM_EPSILON,
    NORM_MOMENTUM,
    ORDER,
    PACKED,
    PACKED_BACKWARD,
    PACKED_FORWARD,
    PARTS,
    RAW,
    RAW_CODE,
    REAL_CODE,
    ROW_GRAIN,
    ROW_HITS,
    ROW_LOSSES,
    ROW_WEIGHTS,
    RUNNING,
    RUNNING_STATISTICS,
    SAVED,
    SCALE,
    SHIFT,
    SPLIT_COLUMNS,
    STANDARDISE,
    STATISTICS,
    TARGET_VALUES,
    TARGETS,
    THETA,
    WEIGHT,
    WEIGHTED,
    WEIGHTS,
    WORKSPACE,
    X_ROUNDED,
    X_TURNED,
    Y_ROUNDED,
    Y_TURNED,
    X,
    Y,
)
from .simd import array_at, n_lanes, part, view

__all__ = [
    "backward",
    "forward",
    "gather",
    "gather_inputs",
    "loss_gradient",
    "round_factor",
    "round_gradient",
]

# Called by address: the table of arrays is their first argument.
gather_rows = LINKS["gather_rows"].call
affine_forward = LINKS["affine_forward"].call
affine_backward = LINKS["affine_backward"].call
prepare_factor = LINKS["prepare_factor"].call
prepare_gradient = LINKS["prepare_gradient"].call
affine_forward_bf16 = LINKS["affine_forward_bf16"].call
affine_backward_bf16 = LINKS["affine_backward_bf16"].call
finish = LINKS["finish"].call
unfinish = LINKS["unfinish"].call
classify_rows = LINKS["classify_rows"].call
regress_rows = LINKS["regress_rows"].call
batch_norm_train = LINKS["batch_norm_train"].call
batch_norm_backward = LINKS["batch_norm_backward"].call
batch_norm_row = LINKS["batch_norm_row"].call
batch_norm_row_backward = LINKS["batch_norm_row_backward"].call
layer_norm_forward = LINKS["layer_norm_forward"].call
layer_norm_backward = LINKS["layer_norm_backward"].call


@inner
def gather(thread, first, n_rows, memory, zero):
    """Bring this thread's rows of the batch, and their targets and weights, together."""
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    order, op = array_at(memory, ORDER, INT), operation_at(memory, NONE)
    row, row_end = share_of(n_rows, header[ROW_GRAIN], thread, header[N_THREADS])
    gather_inputs(first, n_rows, row, row_end, op, header, memory, workspace)
    x = view(workspace, op[X], n_rows, op[LD_X])
    round_factor(
        memory, header, x, op[X_ROUNDED], op[X_TURNED], op[N_IN], row, row_end, NONE, op[N_IN]
    )
    if header[LOSS] < FIRST_DENSE:
        batch_labels, labels = array_at(memory, BATCH_LABELS, INT), array_at(memory, LABELS, INT)
        for i in range(row, row_end):
            batch_labels[i] = labels[source_row(order, first + i)]
    else:
        targets, nothing = view(workspace, header[TARGETS], n_rows, header[LD_TARGETS]), workspace
        gather_rows(
            memory, array_at(memory, TARGET_VALUES, BYTE), header[REAL_CODE], order, first, nothing,
            nothing, array_at(memory, SHIFT, REAL64), array_at(memory, SCALE, REAL64), AS_THEY_ARE,
            targets, row, row_end, header[N_TARGETS],
        )  # fmt: skip
    if header[WEIGHTED]:
        weights, place = array_at(memory, WEIGHTS, zero), header[ROW_WEIGHTS]
        for i in range(row, row_end):
            workspace[place + i] = weights[source_row(order, first + i)]


@inner
def forward(thread, step, n_rows, memory, zero):
    """Run all operations forward, in training mode."""
    header, scratch = array_at(memory, HEADER, INT), scratch_of(thread, memory, zero)
    theta, workspace = array_at(memory, THETA, zero), array_at(memory, WORKSPACE, zero)
    running, packed = array_at(memory, RUNNING_STATISTICS, zero), array_at(memory, PACKED, zero)
    width, split_before, parts = PANEL * n_lanes(theta), NONE, header[PARTS]
    for o in range(header[N_OPERATIONS]):
        op, real = operation_at(memory, o), reals_at(memory, o, zero)
        core, n_in, n_out = op[CORE], op[N_IN], op[N_OUT]
        alpha, p, key = real[ALPHA], real[DROP], key_of(header, step, op)
        x = view(workspace, op[X], n_rows, op[LD_X])
        y = view(workspace, op[Y], n_rows, op[LD_Y])
        saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            wait(thread, memory)
        split_before = op[SPLIT_COLUMNS]
        row, row_end, column, column_end = own_block(thread, header, op, n_rows, n_out, width)
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            bias = part(theta, max(NONE, op[BIAS]), n_out)
            if parts > 0:
                affine_forward_bf16(
                    memory, workspace, op[X_ROUNDED], header[BATCH_SIZE], parts, packed,
                    op[PACKED_FORWARD], bias, op[BIAS] >= 0, op[ACTIVATION], alpha, p, key,
                    op[KEEP], saved, y, n_in, n_out, scratch, row, row_end, column, column_end,
                )  # fmt: skip
            else:
                affine_forward(
                    memory, x, weight, bias, op[BIAS] >= 0, op[ACTIVATION], alpha, p, key, op[KEEP],
                    saved, y, n_in, scratch, row, row_end, column, column_end,
                )  # fmt: skip
            round_factor(
                memory, header, y, op[Y_ROUNDED], op[Y_TURNED], n_out, row, row_end, column,
                column_end,
            )  # fmt: skip
            continue
        gamma, beta = part(theta, op[WEIGHT], n_out), part(theta, op[BIAS], n_out)
        if core == BATCH_NORM:
            mean = part(workspace, op[STATISTICS], n_out)
            inv_std = part(workspace, op[STATISTICS] + n_out, n_out)
            running_mean = part(running, op[RUNNING], n_out)
            running_var = part(running, op[RUNNING] + n_out, n_out)
            if n_rows > 1:
                batch_norm_train(
                    memory, x, gamma, beta, running_mean, running_var, mean, inv_std, y,
                    real[NORM_MOMENTUM], real[NORM_EPSILON], row_end, column, column_end,
                )  # fmt: skip
            else:
                batch_norm_row(
                    memory, x, gamma, beta, running_mean, running_var, mean, inv_std, y,
                    real[NORM_MOMENTUM], real[NORM_EPSILON], column, column_end,
                )  # fmt: skip
        elif core == LAYER_NORM:
            mean = part(workspace, op[STATISTICS], n_rows)
            inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
            layer_norm_forward(
                memory, x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], row, row_end, n_out
            )
        else:
            copy_rows(x, y, row, row_end, n_out)
        finish(
            memory, op[ACTIVATION], alpha, p, key, op[KEEP], saved, y, row, row_end, column,
            column_end,
        )  # fmt: skip
        round_factor(
                memory, header, y, op[Y_ROUNDED], op[Y_TURNED], n_out, row, row_end, column,
                column_end,
            )  # fmt: skip
    if split_before > 1:
        wait(thread, memory)


@inner
def weight_of_rows(first, n_rows, memory, zero):
    """By how much the rows of the batch count together: their number, or the sum of weights.

    It is summed from the data, since other threads may still be gathering.
    """
    if not array_at(memory, HEADER, INT)[WEIGHTED]:
        return np.float64(n_rows)
    weights, order, total = array_at(memory, WEIGHTS, zero), array_at(memory, ORDER, INT), 0.0
    for i in range(n_rows):
        total += np.float64(weights[source_row(order, first + i)])
    return total


@inner
def loss_gradient(thread, step, n_rows, total, memory, zero):
    """Loss of this thread's rows, and the gradient at the last operation's product.

    The rows of the batch weigh ``total`` together.
    """
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    last = header[N_OPERATIONS] - 1
    op, real, parameter = operation_at(memory, last), reals_at(memory, last, zero), zero
    parameter = reals_at(memory, last + 1, zero)[0]
    row, row_end = share_of(n_rows, header[ROW_GRAIN], thread, header[N_THREADS])
    share = workspace.dtype.type(1.0 / total if total > 0.0 else 0.0)
    weights = part(workspace, header[ROW_WEIGHTS], n_rows)
    row_losses, row_hits = array_at(memory, ROW_LOSSES, REAL64), array_at(memory, ROW_HITS, INT)
    y = view(workspace, op[Y], n_rows, op[LD_Y])
    dz = view(workspace, op[DZ], n_rows, op[LD_Y])
    if header[LOSS] < FIRST_DENSE:
        classify_rows(
            memory, header[LOSS], parameter, y, array_at(memory, BATCH_LABELS, INT), weights, share,
            dz, row_losses, row_hits, row, row_end, op[N_OUT],
        )  # fmt: skip
    else:
        targets = view(workspace, header[TARGETS], n_rows, header[LD_TARGETS])
        regress_rows(
            memory, header[LOSS], parameter, y, targets, weights, share, dz, row_losses, row_hits,
            row, row_end, op[N_OUT],
        )  # fmt: skip
    saved = view(workspace, op[SAVED], n_rows, op[LD_Y])
    unfinish(
        memory, op[ACTIVATION], real[ALPHA], real[DROP], key_of(header, step, op), saved, dz, row,
        row_end, NONE, op[N_OUT],
    )  # fmt: skip
    round_gradient(memory, header, dz, op, row, row_end, NONE, op[N_OUT])


@inner
def backward(thread, step, n_rows, memory, zero):
    """From the gradient at each operation's product, that at the product of the one below."""
    header, scratch = array_at(memory, HEADER, INT), scratch_of(thread, memory, zero)
    theta, workspace = array_at(memory, THETA, zero), array_at(memory, WORKSPACE, zero)
    packed = array_at(memory, PACKED, zero)
    width, split_before, parts = PANEL * n_lanes(theta), NONE, header[PARTS]
    for o in range(header[N_OPERATIONS] - 1, -1, -1):
        op = operation_at(memory, o)
        core, n_in, n_out = op[CORE], op[N_IN], op[N_OUT]
        if o == 0 and core != BATCH_NORM:
            return
        below, real = (
            operation_at(memory, max(NONE, o - 1)),
            reals_at(memory, max(NONE, o - 1), zero),
        )
        alpha, p, key = real[ALPHA], real[DROP], key_of(header, step, below)
        dz = view(workspace, op[DZ], n_rows, op[LD_Y])
        dx = view(workspace, below[DZ], n_rows, below[LD_Y])
        saved = view(workspace, below[SAVED], n_rows, below[LD_Y])
        if op[SPLIT_COLUMNS] > 1 or split_before > 1:
            wait(thread, memory)
        split_before = op[SPLIT_COLUMNS]
        row, row_end, column, column_end = own_block(thread, header, op, n_rows, n_in, width)
        if core == AFFINE:
            weight = view(theta, op[WEIGHT], n_in, n_out)
            if parts > 0:
                affine_backward_bf16(
                    memory, workspace, op[DZ_ROUNDED], header[BATCH_SIZE], parts, packed,
                    op[PACKED_BACKWARD], below[ACTIVATION], alpha, p, key, saved, dx, n_in, n_out,
                    scratch, row, row_end, column, column_end,
                )  # fmt: skip
            else:
                affine_backward(
                    memory, dz, weight, below[ACTIVATION], alpha, p, key, saved, dx, n_out, scratch,
                    row, row_end, column, column_end,
                )  # fmt: skip
            round_gradient(memory, header, dx, below, row, row_end, column, column_end)
            continue
        x, gamma = view(workspace, op[X], n_rows, op[LD_X]), part(theta, op[WEIGHT], n_out)
        if core == BATCH_NORM:
            mean = part(workspace, op[STATISTICS], n_out)
            inv_std = part(workspace, op[STATISTICS] + n_out, n_out)
            dgamma = part(workspace, op[STATISTICS] + 2 * n_out, n_out)
            dbeta = part(workspace, op[STATISTICS] + 3 * n_out, n_out)
            target = dz if o == 0 else dx
            if n_rows > 1:
                batch_norm_backward(
                    memory, dz, x, gamma, mean, inv_std, dgamma, dbeta, target, row_end, column,
                    column_end,
                )  # fmt: skip
            else:
                batch_norm_row_backward(
                    memory, dz, x, gamma, mean, inv_std, dgamma, dbeta, target, column, column_end
                )
        elif core == LAYER_NORM:
            mean = part(workspace, op[STATISTICS], n_rows)
            inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
            layer_norm_backward(memory, dz, x, gamma, mean, inv_std, dx, row, row_end, n_out)
        else:
            copy_rows(dz, dx, row, row_end, n_out)
        if o > 0:
            unfinish(
                memory, below[ACTIVATION], alpha, p, key, saved, dx, row, row_end, column,
                column_end,
            )  # fmt: skip
            round_gradient(memory, header, dx, below, row, row_end, column, column_end)


@inner
def gather_inputs(first, n_rows, row, row_end, op, header, memory, workspace):
    x = view(workspace, op[X], n_rows, op[LD_X])
    gather_rows(
        memory, array_at(memory, RAW, BYTE), header[RAW_CODE], array_at(memory, ORDER, INT), first,
        array_at(memory, SHIFT, workspace[0]), array_at(memory, SCALE, workspace[0]),
        array_at(memory, SHIFT, REAL64), array_at(memory, SCALE, REAL64), header[STANDARDISE], x,
        row, row_end, header[N_FEATURES],
    )  # fmt: skip


@inner
def round_factor(memory, header, x, rounded, turned, n_columns, row, row_end, column, column_end):
    """Round a block of what the next operation reads, if that is a product of bfloat16."""
    if rounded >= 0:
        prepare_factor(
            memory, x, array_at(memory, WORKSPACE, x[0, 0]), rounded, turned, header[BATCH_SIZE],
            n_columns, header[PARTS], row, row_end, column, column_end,
        )  # fmt: skip


@inner
def round_gradient(memory, header, dz, op, row, row_end, column, column_end):
    """Round a block of the gradient at an operation, if that is a product of bfloat16."""
    if op[DZ_PACKED] >= 0:
        prepare_gradient(
            memory, dz, array_at(memory, WORKSPACE, dz[0, 0]), op[DZ_ROUNDED], op[DZ_PACKED],
            header[BATCH_SIZE], op[N_OUT], header[PARTS], row, row_end, column, column_end,
        )  # fmt: skip
