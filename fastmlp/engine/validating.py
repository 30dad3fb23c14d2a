"""The memory of a validation inside a whole run: the forward half of a plan, and the loss."""

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import ops
from fastmlp.common.rows import Rows
from fastmlp.engine.memory import ArrayTable, enter_scaling, expect_dtype, plan_memory
from fastmlp.engine.plan import Operation, Standardise
from fastmlp.engine.protocols import Loss, Model
from fastmlp.engine.writing import write
from fastmlp.kernels.plan import op

__all__ = ["rows_at_once", "validation_tables"]

_ROWS_AT_ONCE = 256  # at most, per thread: their memory stays in the L2 cache


def validation_tables(
    model: Model,
    loss: Loss,
    rows: Rows,
    lowered: tuple[list[Operation], Standardise | None],
    running: np.ndarray,
    n_threads: int,
) -> list[ArrayTable]:
    """Return a table of arrays for each thread that validates.

    Parameters
    ----------
    model : Model
    loss : Loss
        A built-in one.
    rows : Rows
        At least one row.
    lowered : tuple
        The model's operations and standardisation, see `fastmlp.engine.lowering.fused`.
    running : numpy.ndarray
        The running statistics of the training, which validation reads.
    n_threads : int

    """
    (operations, standardise), dtype, n_rows = lowered, model.dtype, len(rows)
    X = rows.X.reshape(rows.X.shape[0], -1)
    n_out = operations[-1].n_out
    plan = write(operations, model.slots, dtype, rows_at_once(n_rows, n_threads))
    weights = np.ones(n_rows, dtype) if rows.weights is None else rows.used(rows.weights)
    total = weights.sum(dtype=np.float64)
    plan.reals[-1, op.LOSS_PARAMETER] = loss.parameter
    plan.reals[-1, op.LOSS_SCALE] = 1 / total if total > 0 else 0
    plan.header[op.LOSS] = kernels.losses.CODES[loss.kind]
    plan.header[op.N_ROWS] = n_rows
    expect_dtype(plan, X.dtype)
    needed = plan.calls | {(kernels.plan.calls.LOSE, plan.header[op.LOSS])}
    addresses = kernels.plan.calls.addresses(needed, dtype)
    shared: dict[int, np.ndarray] = {
        op.RAW: X,
        op.LABELS: np.zeros(1, np.int64),
        op.TARGET_VALUES: np.zeros(1, dtype),
        op.WEIGHTS: weights,
        op.OUTPUTS: np.empty((n_rows, n_out), dtype),
        op.ROW_LOSSES: np.empty(n_rows),
        op.ROW_HITS: np.empty(n_rows, np.int64),
        op.RUNNING_STATISTICS: running,
    }
    targets = rows.used(rows.targets)
    if loss.takes_labels:
        plan.header[op.N_TARGETS] = 0
        shared[op.LABELS] = np.ascontiguousarray(targets, np.int64)
    else:
        plan.header[op.N_TARGETS] = n_out
        shared[op.TARGET_VALUES] = np.ascontiguousarray(targets, dtype)
    if rows.index is not None:
        shared[op.ORDER] = rows.index
    tables = [plan_memory(plan, model.theta, addresses) for _ in range(n_threads)]
    for table in tables:
        if standardise is not None:
            enter_scaling(table, standardise, X.shape[1])
        for place, array in shared.items():
            table[place] = array
        table[op.GRADIENT] = ops.aligned_zeros(int(plan.header[op.BATCH_SIZE]) * n_out, dtype)
    return tables


def rows_at_once(n_rows: int, n_threads: int) -> int:
    """Return into how large blocks to cut the rows, so that all threads have about as many."""
    n_blocks = n_threads * -(-n_rows // (n_threads * _ROWS_AT_ONCE))
    return -(-n_rows // n_blocks)
