"""The forward half of a plan, for any number of rows."""

import numpy as np

from .jit import inner, kernel
from .links import LINKS
from .memory import (
    INT,
    NONE,
    copy_rows,
    operation_at,
    reals_at,
    scratch_of,
)
from .opcodes import (
    ACTIVATION,
    AFFINE,
    ALPHA,
    BATCH_NORM,
    BATCH_SIZE,
    BIAS,
    CORE,
    HEADER,
    JOB,
    KEEP_NOTHING,
    LAYER_NORM,
    LD_X,
    LD_Y,
    N_ARRAYS,
    N_FEATURES,
    N_IN,
    N_JOB_ROWS,
    N_OPERATIONS,
    N_OUT,
    NEXT_ROW,
    NORM_EPSILON,
    NOTHING,
    OFFER,
    OFFERED,
    OUTPUTS,
    RAW,
    RAW_CODE,
    REAL_CODE,
    ROWS_AT_ONCE,
    RUNNING,
    RUNNING_STATISTICS,
    STANDARDISE,
    STATISTICS,
    TABLE,
    TAKEN,
    THETA,
    WEIGHT,
    WORKSPACE,
    X,
    Y,
)
from .passes import gather_inputs
from .simd import array_at, flat, part, view
from .threads import atomic_load, atomic_store, exchange_if, fetch_add, keep_waiting, relax

__all__ = [
    "infer_rows",
    "infer_together",
    "make_offer",
    "take_part",
    "withdraw",
]

# Called by address: the table of arrays is their first argument.
infer_rows_of = LINKS["infer_rows"].call
affine_forward = LINKS["affine_forward"].call
finish = LINKS["finish"].call
batch_norm_inference = LINKS["batch_norm_inference"].call
layer_norm_forward = LINKS["layer_norm_forward"].call


@kernel
def infer_rows(memory, zero, first, last):
    """outputs[i] = the model's output for row i of X, for i in [first, last), in inference mode.

    Any number of threads may run this at once, each with its own workspace, scratch and rows.
    A row's bits do not depend on what other rows are computed with it.
    Reads the plan, theta, running statistics, X. Writes outputs. May destroy workspace, scratch.
    """
    header, workspace = array_at(memory, HEADER, INT), array_at(memory, WORKSPACE, zero)
    outputs, scratch = array_at(memory, OUTPUTS, zero), scratch_of(NONE, memory, zero)
    theta, running = array_at(memory, THETA, zero), array_at(memory, RUNNING_STATISTICS, zero)
    n_ops, n_features = header[N_OPERATIONS], header[N_FEATURES]
    as_it_lies = header[RAW_CODE] == header[REAL_CODE] and header[STANDARDISE] == 0
    for start in range(first, last, header[BATCH_SIZE]):
        n_rows = min(header[BATCH_SIZE], last - start)
        op = operation_at(memory, NONE)
        if as_it_lies:
            x = view(array_at(memory, RAW, zero), start * n_features, n_rows, n_features)
        else:
            gather_inputs(start, n_rows, NONE, n_rows, op, header, memory, workspace)
            x = view(workspace, op[X], n_rows, op[LD_X])
        for o in range(n_ops):
            op = operation_at(memory, o)
            y = view(workspace, op[Y], n_rows, op[LD_Y])
            _infer(memory, op, reals_at(memory, o, zero), n_rows, x, y, theta, running, workspace,
                   scratch)  # fmt: skip
            x = y
        n_out = op[N_OUT]
        for i in range(n_rows):
            source = part(workspace, op[Y] + i * op[LD_Y], n_out)
            target = part(outputs, (start + i) * n_out, n_out)
            for c in range(n_out):
                target[c] = source[c]


@kernel
def infer_together(memory, zero, job, mailboxes):
    """Infer block after block of rows until all are taken, then withdraw what was offered.

    ``mailboxes`` is a table of those that the job was offered to. It is one call, so that nothing
    can come between: a thread that took part must be done before its memory goes.
    Reads what ``infer_rows`` reads. Writes outputs, job, mailboxes. May destroy workspace, scratch.
    """
    _infer_blocks(memory, zero, job)
    for i in range(mailboxes.shape[0]):
        _withdraw(array_at(mailboxes, i, INT))


@kernel
def make_offer(mailbox):
    """Let the thread that looks into a mailbox see all that was written there before.

    Writes mailbox.
    """
    atomic_store(flat(mailbox), OFFER, OFFERED)


@kernel
def withdraw(mailbox):
    """Take an offer back; where it was accepted, return when the thread is done with it.

    Reads and writes mailbox.
    """
    _withdraw(flat(mailbox))


@kernel
def take_part(mailbox, zero, looks):
    """Take part in every job that is offered; return after so many looks in vain.

    Reads mailbox. Writes mailbox, and what ``infer_together`` writes.
    """
    offer, left = flat(mailbox), looks
    while left > 0:
        left -= 1
        if atomic_load(offer, OFFER) == OFFERED and exchange_if(offer, OFFER, OFFERED, TAKEN):
            table = view(array_at(mailbox, TABLE, INT), NONE, N_ARRAYS, 2)
            _infer_blocks(table, zero, array_at(mailbox, JOB, INT))
            atomic_store(offer, OFFER, NOTHING)
            left = looks
        relax()


@inner
def _infer_blocks(memory, zero, job):
    """Take blocks of rows from a job that others may share in, until there are no more."""
    while True:
        first = fetch_add(job, NEXT_ROW, job[ROWS_AT_ONCE])
        if first >= job[N_JOB_ROWS]:
            return
        infer_rows_of(memory, memory, zero, first, min(first + job[ROWS_AT_ONCE], job[N_JOB_ROWS]))


@inner
def _withdraw(offer):
    spins = NONE
    if not exchange_if(offer, OFFER, OFFERED, NOTHING):
        while atomic_load(offer, OFFER) != NOTHING:
            spins = keep_waiting(spins)


@inner
def _infer(memory, op, real, n_rows, x, y, theta, running, workspace, scratch):
    """One operation on n_rows rows: no dropout, running statistics, nothing saved."""
    core, code, n_in, n_out = op[CORE], op[ACTIVATION], op[N_IN], op[N_OUT]
    alpha, no_drop, no_key = real[ALPHA], real[ALPHA] - real[ALPHA], np.uint64(0)
    if core == AFFINE:
        weight = view(theta, op[WEIGHT], n_in, n_out)
        bias = part(theta, max(NONE, op[BIAS]), n_out)
        affine_forward(
            memory, x, weight, bias, op[BIAS] >= 0, code, alpha, no_drop, no_key, KEEP_NOTHING, y,
            y, n_in, scratch, NONE, n_rows, NONE, n_out,
        )  # fmt: skip
        return
    gamma, beta = part(theta, op[WEIGHT], n_out), part(theta, op[BIAS], n_out)
    if core == BATCH_NORM:
        mean, var = part(running, op[RUNNING], n_out), part(running, op[RUNNING] + n_out, n_out)
        batch_norm_inference(
            memory, x, gamma, beta, mean, var, y, real[NORM_EPSILON], NONE, n_rows, n_out
        )
    elif core == LAYER_NORM:
        mean = part(workspace, op[STATISTICS], n_rows)
        inv_std = part(workspace, op[STATISTICS] + n_rows, n_rows)
        layer_norm_forward(
            memory, x, gamma, beta, mean, inv_std, y, real[NORM_EPSILON], NONE, n_rows, n_out
        )
    else:
        copy_rows(x, y, NONE, n_rows, n_out)
    finish(memory, code, alpha, no_drop, no_key, KEEP_NOTHING, y, y, NONE, n_rows, NONE, n_out)
