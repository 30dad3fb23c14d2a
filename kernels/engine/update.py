"""The second part of a training step: gradients of the parameters, and their update."""

import math

from ..machine.atomics import fetch_add
from ..machine.jit import inner
from ..machine.simd import array_at
from ..optimizers.norms import add_scaled, scale, sum_of_squares
from ..plan import calls, op
from ..plan.memory import (
    INT,
    ONE,
    REAL64,
    factors_of,
    hyper_of,
    kept_by,
    operation_at,
    scratch_of,
    unit_at,
)

__all__ = ["clipped_update", "follow_updates", "limit_norms", "update_parameters"]


@inner
def update_parameters(thread, step, n_rows, memory, zero):
    """Compute the gradient of each piece of the parameters, and update the piece.

    If the plan stores the gradient, to clip it, the update comes later.
    """
    header, hyper = array_at(memory, op.HEADER, INT), hyper_of(thread, memory)
    theta, scratch = array_at(memory, op.THETA, zero), scratch_of(thread, memory, zero)
    gradient, sums = array_at(memory, op.GRADIENT, zero), array_at(memory, op.UNIT_SUMS, REAL64)
    control, n_units = array_at(memory, op.CONTROL, INT), header[op.N_UNITS]
    shares, n_threads = array_at(memory, op.UNIT_SHARES, INT), header[op.N_THREADS]
    out, out0 = scratch, header[op.GRADIENT_AT]
    control[kept_by(thread)] = 0
    # first the thread's own pieces, always the same ones, with parameters in its caches; then the
    # pieces that other threads have not begun
    for turn in range(n_threads):
        owner = (thread + turn) % n_threads
        ticket, n_own = op.N_CONTROL + 8 * owner + 1, shares[owner + 1] - shares[owner]
        base = step * (n_own + n_threads)  # every thread takes one ticket too many
        while True:
            u = fetch_add(control, ticket, ONE) - base
            if u >= n_own:
                break
            u += shares[owner]
            unit = unit_at(memory, u)
            start, size = unit[op.UNIT_START], unit[op.UNIT_SIZE]
            is_weight = unit[op.UNIT_FIRST] >= 0
            if hyper[op.L2] > 0.0 and is_weight:
                sums[u] = sum_of_squares(theta, start, size)
            if header[op.STORE_GRADIENT] != 0:
                out, out0 = gradient, start
            core = operation_at(memory, unit[op.UNIT_OPERATION])[op.CORE]
            calls.gradient(memory, core, memory, zero, thread, u, n_rows, out, out0)
            if header[op.STORE_GRADIENT] == 0:
                _update(thread, u, unit, out, out0, hyper, memory, zero)
                continue
            if hyper[op.L2] > 0.0 and is_weight:
                add_scaled(gradient, theta, hyper[op.L2], start, size)
            sums[n_units + u] = sum_of_squares(gradient, start, size)


@inner
def clipped_update(thread, memory, zero, clip_norm):
    """Scale all gradients so that their norm is at most clip_norm, then update.

    g *= min(1, clip_norm / ||g||). Pascanu et al., 2013, algorithm 1. The stored gradient already
    includes the penalty's.
    """
    header, hyper = array_at(memory, op.HEADER, INT), hyper_of(thread, memory)
    gradient = array_at(memory, op.GRADIENT, zero)
    sums, n_units = array_at(memory, op.UNIT_SUMS, REAL64), header[op.N_UNITS]
    total, factor = 0.0, 1.0
    for u in range(n_units):
        total += sums[n_units + u]
    if total > clip_norm * clip_norm:
        factor = clip_norm / math.sqrt(total)
    l2, hyper[op.L2] = hyper[op.L2], 0.0
    for u in range(thread, n_units, header[op.N_THREADS]):
        unit = unit_at(memory, u)
        if factor != 1.0:
            scale(gradient, factor, unit[op.UNIT_START], unit[op.UNIT_SIZE])
        _update(thread, u, unit, gradient, unit[op.UNIT_START], hyper, memory, zero)
    hyper[op.L2] = l2


@inner
def follow_updates(thread, memory, zero):
    """Notify the cores of this thread's pieces that all parameters have changed."""
    shares = array_at(memory, op.UNIT_SHARES, INT)
    for u in range(shares[thread], shares[thread + 1]):
        _follow_update(thread, u, unit_at(memory, u), memory, zero)


@inner
def limit_norms(thread, memory, zero, max_norm):
    """Scale each unit's incoming weights down to max_norm."""
    for o in range(array_at(memory, op.HEADER, INT)[op.N_OPERATIONS]):
        operation = operation_at(memory, o)
        if operation[op.HOOKS] & op.LIMITS_NORMS:
            calls.limit_norms(memory, operation[op.CORE], memory, zero, thread, o, max_norm)


@inner
def _update(thread, u, unit, gradient, gradient_start, hyper, memory, zero):
    """Update piece ``u`` of the parameters with its array's own rate, epsilon and decay."""
    factors, is_weight = factors_of(memory, unit), unit[op.UNIT_FIRST] >= 0
    rate, epsilon = hyper[op.LEARNING_RATE], hyper[op.EPSILON]
    decay, l2 = hyper[op.WEIGHT_DECAY], hyper[op.L2]
    hyper[op.LEARNING_RATE] = rate * factors[op.RATE_FACTOR]
    hyper[op.EPSILON] = epsilon * factors[op.EPSILON_FACTOR]
    hyper[op.WEIGHT_DECAY] = decay * factors[op.DECAY_FACTOR]
    hyper[op.L2] = l2 if is_weight else 0.0
    calls.update(
        memory, array_at(memory, op.HEADER, INT)[op.OPTIMIZER], array_at(memory, op.THETA, zero),
        gradient, array_at(memory, op.STATE1, zero), array_at(memory, op.STATE2, zero),
        unit[op.UNIT_START], gradient_start, unit[op.UNIT_SIZE], hyper,
        is_weight or factors[op.DECAY_FACTOR] > 0.0,
    )  # fmt: skip
    hyper[op.LEARNING_RATE], hyper[op.EPSILON] = rate, epsilon
    hyper[op.WEIGHT_DECAY], hyper[op.L2] = decay, l2
    _follow_update(thread, u, unit, memory, zero)


@inner
def _follow_update(thread, u, unit, memory, zero):
    """Notify a core that a piece of its parameters has changed, if it has that hook."""
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    if operation[op.HOOKS] & op.FOLLOWS_UPDATES:
        calls.follow_update(memory, operation[op.CORE], memory, zero, thread, u)
