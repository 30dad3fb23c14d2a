"""Compiling kernels ahead of time."""

import time
from collections.abc import Sequence

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.engine.compiled import bf16_parts
from fastmlp.engine.memory import ArrayTable
from fastmlp.engine.readiness import note_ready
from fastmlp.kernels.plan import op

__all__ = ["warm_up"]


def warm_up(dtypes: Sequence[str] = ("float32", "float64")) -> float:
    """Compile all kernels into the cache.

    Parameters
    ----------
    dtypes : sequence of str, default both

    Returns
    -------
    float
        The time taken, in seconds.

    """
    started = time.perf_counter()
    for dtype in dtypes:
        memory, zero = ArrayTable(), np.dtype(dtype).type(0)
        for place in range(op.N_ARRAYS):
            memory[place] = np.zeros(64, np.int64)
        memory[op.HEADER][op.BATCH_SIZE] = 1  # a plan without steps or rows
        rounded = {row.at_lower_precision for row in kernels.cores.TABLE} - {None}
        left_out = set() if bf16_parts("medium", np.dtype(dtype)) else rounded
        calls = kernels.plan.calls
        memory[op.KERNELS] = calls.addresses(calls.everything(left_out), np.dtype(dtype))
        kernels.engine.epoch.train_epoch(0, memory.addresses, zero, 0.0, 0.0)
        kernels.engine.run.train_run(0, memory.addresses, zero, 0.0, 0.0)
        kernels.engine.inference.infer_rows(memory.addresses, zero, 0, 0)
        mailbox, job = np.zeros((op.N_MAILBOX_ROWS, 2), np.int64), np.zeros(op.N_JOB, np.int64)
        kernels.engine.inference.infer_together(memory.addresses, zero, job, mailbox[:0])
        kernels.engine.inference.take_part(mailbox, zero, 1)
        kernels.engine.inference.withdraw(mailbox)
        kernels.engine.inference.make_offer(mailbox)
        note_ready(np.dtype(dtype))
    return time.perf_counter() - started
