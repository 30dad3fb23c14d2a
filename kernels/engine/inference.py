"""The forward half of a plan, for any number of rows."""

from ..cores.ends import y_of
from ..machine.atomics import (
    atomic_load,
    atomic_store,
    exchange_if,
    fetch_add,
    keep_waiting,
    relax,
)
from ..machine.jit import inner, kernel
from ..machine.links import propagate
from ..machine.simd import array_at, flat, part, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, ONE, operation_at
from .step import gather_inputs

__all__ = [
    "infer_rows",
    "infer_together",
    "make_offer",
    "take_part",
    "withdraw",
]

NO_ERROR = (NONE, NONE)  # what `attempt` returns if there was no error


@kernel
def infer_rows(memory, zero, first, last):
    """outputs[i] = the model's output for row order[i] of X, for i in [first, last).

    An empty order means all rows in order.

    Any number of threads may run this at once, each with its own workspace, scratch and rows.
    A row's bits do not depend on which other rows are computed with it.
    Reads the plan, theta, running statistics, X, order. Writes outputs. May destroy workspace,
    scratch.
    """
    header, workspace = array_at(memory, op.HEADER, INT), array_at(memory, op.WORKSPACE, zero)
    outputs, n_features = array_at(memory, op.OUTPUTS, zero), header[op.N_FEATURES]
    in_place = (
        header[op.RAW_CODE] == header[op.REAL_CODE]
        and header[op.STANDARDISE] == op.AS_THEY_ARE
        and array_at(memory, op.ORDER, INT).size == 0
    )
    for start in range(first, last, header[op.BATCH_SIZE]):
        n_rows = min(header[op.BATCH_SIZE], last - start)
        operation = operation_at(memory, NONE)
        if in_place:
            x = view(array_at(memory, op.RAW, zero), start * n_features, n_rows, n_features)
        else:
            gather_inputs(start, n_rows, NONE, n_rows, operation, header, memory, zero)
            x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
        for o in range(header[op.N_OPERATIONS]):
            operation = operation_at(memory, o)
            calls.infer(memory, operation[op.CORE], memory, zero, NONE, o, NONE, n_rows, x)
            x = y_of(memory, zero, operation, n_rows)
        n_out = operation[op.N_OUT]
        for i in range(n_rows):
            source = part(workspace, operation[op.Y] + i * operation[op.LD_Y], n_out)
            target = part(outputs, (start + i) * n_out, n_out)
            for c in range(n_out):
                target[c] = source[c]


@kernel
def infer_together(memory, zero, job, mailboxes):
    """Infer blocks of rows until all are taken, then withdraw the offers.

    ``mailboxes`` is a table of the mailboxes that hold an offer of the job. This is a single call
    so that nothing can interrupt it: a thread that takes part must finish before its memory is
    freed. An error in a kernel on any thread is raised here too.
    Reads what ``infer_rows`` reads. Writes outputs, job, mailboxes. May destroy workspace, scratch.
    """
    outcome = _infer_blocks(memory, zero, job)
    for i in range(mailboxes.shape[0]):
        _withdraw(array_at(mailboxes, i, INT))
    propagate(outcome)
    if job[op.FAILED] != 0:
        raise RuntimeError("a prediction failed on another thread")


@kernel
def make_offer(mailbox):
    """Publish an offer: the thread that watches the mailbox then sees its contents.

    Writes mailbox.
    """
    atomic_store(flat(mailbox), op.OFFER, op.OFFERED)


@kernel
def withdraw(mailbox):
    """Withdraw an offer; if a thread has accepted it, wait until the thread is done.

    Reads and writes mailbox.
    """
    _withdraw(flat(mailbox))


@kernel
def take_part(mailbox, zero, looks):
    """Take part in every job that is offered; return after ``looks`` looks without an offer.

    Reads mailbox. Writes mailbox, and what ``infer_together`` writes.
    """
    offer, left = flat(mailbox), looks
    while left > 0:
        left -= 1
        offered = atomic_load(offer, op.OFFER) == op.OFFERED
        if offered and exchange_if(offer, op.OFFER, op.OFFERED, op.TAKEN):
            table = view(array_at(mailbox, op.TABLE, INT), NONE, op.N_ARRAYS, 2)
            _infer_blocks(table, zero, array_at(mailbox, op.JOB, INT))
            atomic_store(offer, op.OFFER, op.NOTHING)
            left = looks
        relax()


@inner
def _infer_blocks(memory, zero, job):
    """Take blocks of rows from a job, which other threads may share, until none are left.

    Returns the status. After an error no thread takes another block.
    """
    outcome = NO_ERROR
    while atomic_load(job, op.FAILED) == 0:
        first = fetch_add(job, op.NEXT_ROW, job[op.ROWS_AT_ONCE])
        if first >= job[op.N_JOB_ROWS]:
            break
        last = min(first + job[op.ROWS_AT_ONCE], job[op.N_JOB_ROWS])
        outcome = calls.try_infer_rows(memory, memory, zero, first, last)
        if outcome[0] != 0:
            atomic_store(job, op.FAILED, ONE)
    return outcome


@inner
def _withdraw(offer):
    spins = NONE
    if not exchange_if(offer, op.OFFER, op.OFFERED, op.NOTHING):
        while atomic_load(offer, op.OFFER) != op.NOTHING:
            spins = keep_waiting(spins)
