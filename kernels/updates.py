"""The second part of a training step: gradients of the parameters, and their update."""

import math

from .jit import inner
from .links import LINKS
from .memory import (
    COLUMN_GRAIN,
    INT,
    NONE,
    ONE,
    REAL64,
    hyper_of,
    operation_at,
    scratch_of,
    share_of,
    unit_at,
)
from .opcodes import (
    AFFINE,
    BATCH_NORM,
    BATCH_SIZE,
    BIAS,
    CONTROL,
    CORE,
    DZ,
    DZ_PACKED,
    GRADIENT,
    GRADIENT_AT,
    HEADER,
    L2,
    LD_X,
    LD_Y,
    N_CONTROL,
    N_IN,
    N_OPERATIONS,
    N_OUT,
    N_THREADS,
    N_UNITS,
    OPTIMIZER,
    PACKED,
    PACKED_BACKWARD,
    PACKED_FORWARD,
    PARTS,
    STATE1,
    STATE2,
    STATISTICS,
    STORE_GRADIENT,
    THETA,
    UNIT_FIRST,
    UNIT_LAST,
    UNIT_OPERATION,
    UNIT_SHARES,
    UNIT_SIZE,
    UNIT_START,
    UNIT_SUMS,
    UNIT_VECTORS,
    WEIGHT,
    WORKSPACE,
    X_TURNED,
    X,
)
from .optimizers import add_scaled, scale, sum_of_squares
from .simd import array_at, part, view
from .threads import fetch_add

__all__ = [
    "clipped_update",
    "limit_norms",
    "pack_weights",
    "update_parameters",
]

# Called by address: the table of arrays is their first argument.
weight_gradient = LINKS["weight_gradient"].call
bias_gradient = LINKS["bias_gradient"].call
pack_weight_bf16 = LINKS["pack_weight_bf16"].call
weight_gradient_bf16 = LINKS["weight_gradient_bf16"].call
layer_norm_parameters = LINKS["layer_norm_parameters"].call
update = LINKS["update"].call
limit_column_norms = LINKS["limit_column_norms"].call


@inner
def update_parameters(thread, step, n_rows, memory, zero):
    """Gradients of the parameters piece by piece, and the update of each.

    Where the plan stores the gradient (it is to be clipped), the update is left for later.
    """
    header, hyper = array_at(memory, HEADER, INT), hyper_of(thread, memory)
    theta, scratch = array_at(memory, THETA, zero), scratch_of(thread, memory, zero)
    state1, state2 = array_at(memory, STATE1, zero), array_at(memory, STATE2, zero)
    gradient, sums = array_at(memory, GRADIENT, zero), array_at(memory, UNIT_SUMS, REAL64)
    control, n_units = array_at(memory, CONTROL, INT), header[N_UNITS]
    shares, n_threads = array_at(memory, UNIT_SHARES, INT), header[N_THREADS]
    out, out0 = scratch, header[GRADIENT_AT]
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
            unit = unit_at(memory, u)
            start, size, is_weight = unit[UNIT_START], unit[UNIT_SIZE], unit[UNIT_FIRST] >= 0
            if hyper[L2] > 0.0 and is_weight:
                sums[u] = sum_of_squares(theta, start, size)
            if header[STORE_GRADIENT] != 0:
                out, out0 = gradient, start
            _unit_gradient(unit, n_rows, header, memory, out, out0, scratch, theta, state1, state2)
            if header[STORE_GRADIENT] == 0:
                update(
                    memory, header[OPTIMIZER], theta, out, state1, state2, start, out0, size, hyper,
                    is_weight,
                )  # fmt: skip
                _pack_weight(unit, header, memory, theta)
                continue
            if hyper[L2] > 0.0 and is_weight:
                add_scaled(gradient, theta, hyper[L2], start, size)
            sums[n_units + u] = sum_of_squares(gradient, start, size)


@inner
def clipped_update(thread, memory, zero, clip_norm):
    """Scale all gradients so that their norm is at most clip_norm, then update.

    g *= min(1, clip_norm / ||g||). Pascanu et al., 2013, algorithm 1. The stored gradient has the
    penalty's part already.
    """
    header, hyper = array_at(memory, HEADER, INT), hyper_of(thread, memory)
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
        unit = unit_at(memory, u)
        start, size = unit[UNIT_START], unit[UNIT_SIZE]
        if factor != 1.0:
            scale(gradient, factor, start, size)
        update(
            memory, header[OPTIMIZER], theta, gradient, state1, state2, start, start, size, hyper,
            unit[UNIT_FIRST] >= 0,
        )  # fmt: skip
        _pack_weight(unit, header, memory, theta)
    hyper[L2] = l2


@inner
def pack_weights(thread, memory, zero):
    """Pack this thread's share of the weights for the products, if these are of bfloat16."""
    header, theta = array_at(memory, HEADER, INT), array_at(memory, THETA, zero)
    shares = array_at(memory, UNIT_SHARES, INT)
    for u in range(shares[thread], shares[thread + 1]):
        _pack_weight(unit_at(memory, u), header, memory, theta)


@inner
def _pack_weight(unit, header, memory, theta):
    """Pack one piece of the parameters, if it is of a weight."""
    if header[PARTS] > 0 and unit[UNIT_FIRST] >= 0:
        op = operation_at(memory, unit[UNIT_OPERATION])
        pack_weight_bf16(
            memory, theta, op[WEIGHT], op[N_IN], op[N_OUT], header[PARTS],
            array_at(memory, PACKED, theta[0]), op[PACKED_FORWARD], op[PACKED_BACKWARD],
            unit[UNIT_FIRST], unit[UNIT_LAST],
        )  # fmt: skip


@inner
def limit_norms(thread, memory, zero, max_norm):
    """Scale each unit's incoming weights to at most max_norm."""
    header, theta = array_at(memory, HEADER, INT), array_at(memory, THETA, zero)
    for o in range(header[N_OPERATIONS]):
        op = operation_at(memory, o)
        if op[CORE] == AFFINE:
            weight = view(theta, op[WEIGHT], op[N_IN], op[N_OUT])
            column, column_end = share_of(op[N_OUT], COLUMN_GRAIN, thread, header[N_THREADS])
            limit_column_norms(memory, weight, max_norm, column, column_end)


@inner
def _unit_gradient(unit, n_rows, header, memory, out, out0, scratch, theta, state1, state2):
    """Gradient of one piece of the parameters, to out from out0 on."""
    op, workspace = operation_at(memory, unit[UNIT_OPERATION]), array_at(memory, WORKSPACE, out[0])
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
                    memory, workspace, op[X_TURNED], op[DZ_PACKED], header[BATCH_SIZE], n_rows,
                    op[N_IN], n_out, header[PARTS], out, out0, scratch, first, last,
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
        mean, inv_std = (
            part(workspace, statistics, n_rows),
            part(workspace, statistics + n_rows, n_rows),
        )
        dgamma, dbeta = part(out, out0, n_out), part(out, out0 + gap, n_out)
        layer_norm_parameters(memory, dz, x, mean, inv_std, dgamma, dbeta, n_rows, NONE, n_out)
