"""The arrays of a plan, in training and inference, and copying data into and out of them.

`fastmlp.engine.writing` writes a plan, except for the few header fields that describe the rows of a
run and their standardisation. This module sets those along with the arrays.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from fastmlp import ops
from fastmlp.common.addresses import address_of
from fastmlp.engine.plan import RAW_CODE_OF, Plan, Standardise
from fastmlp.engine.protocols import Layer
from fastmlp.kernels.plan import op

__all__ = [
    "ArrayTable",
    "enter_order",
    "enter_scaling",
    "enter_state",
    "expect_dtype",
    "leave_state",
    "plan_memory",
    "running_pieces",
    "start_epoch",
    "training_memory",
]


class ArrayTable:
    """The addresses of a run's arrays, in the form kernels read; keeps the arrays alive."""

    def __init__(self) -> None:
        self.addresses = np.zeros((op.N_ARRAYS, 2), np.int64)
        self._arrays: dict[int, np.ndarray] = {}

    def __setitem__(self, place: int, array: np.ndarray) -> None:
        """Store a contiguous array at an index defined in ``op``."""
        if not array.flags.c_contiguous:
            raise ValueError("an array of a run must be contiguous")
        self._arrays[place] = array
        self.addresses[place] = address_of(array), array.size

    def __contains__(self, place: int) -> bool:
        """Return whether an array is stored at an index."""
        return place in self._arrays

    def __getitem__(self, place: int) -> np.ndarray:
        """Return the array at an index."""
        return self._arrays[place]


def plan_memory(plan: Plan, theta: np.ndarray, calls: np.ndarray) -> ArrayTable:
    """Return the arrays that both training and inference need, except for the rows.

    Parameters
    ----------
    plan : Plan
    theta : numpy.ndarray
        The parameters.
    calls : numpy.ndarray
        Addresses of the kernels that the plan calls.

    """
    dtype, n_threads = theta.dtype, int(plan.header[op.N_THREADS])
    memory = ArrayTable()
    memory[op.KERNELS] = calls
    memory[op.HEADER], memory[op.OPERATIONS] = plan.header, plan.operations
    memory[op.REALS], memory[op.UNITS] = plan.reals, plan.units
    memory[op.UNIT_SHARES], memory[op.FACTORS] = plan.unit_shares, plan.factors
    memory[op.THETA] = theta
    memory[op.WORKSPACE] = ops.aligned_zeros(plan.workspace_size, dtype)
    memory[op.SCRATCH] = ops.aligned_empty(plan.scratch_size * n_threads, dtype)
    n_running = sum(n for _, _, n in plan.running)
    memory[op.RUNNING_STATISTICS] = np.zeros(max(1, n_running), dtype)
    memory[op.SHIFT] = memory[op.SCALE] = _nothing(dtype)
    memory[op.ORDER] = np.empty(0, np.int64)
    return memory


def training_memory(
    plan: Plan,
    theta: np.ndarray,
    calls: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    states: Sequence[np.ndarray],
    hyper: np.ndarray,
    gradient: np.ndarray | None,
) -> ArrayTable:
    """Return all arrays of a training run.

    Parameters
    ----------
    plan, theta, calls
        As in `plan_memory`.
    rows : tuple
        X, targets, and weights or None.
    states : sequence of numpy.ndarray
        The optimizer's state arrays, at most two, laid out like theta.
    hyper : numpy.ndarray
        The optimizer's hyperparameters, see `fastmlp.ops.hyper`.
    gradient : numpy.ndarray or None
        An array for the whole gradient, if the plan stores it.

    """
    dtype, header, (X, targets, weights) = theta.dtype, plan.header, rows
    batch_size, n_threads = int(header[op.BATCH_SIZE]), int(header[op.N_THREADS])
    memory = plan_memory(plan, theta, calls)
    memory[op.PACKED] = ops.aligned_zeros(plan.packed_size, dtype)
    memory[op.GRADIENT] = _nothing(dtype) if gradient is None else gradient
    memory[op.STATE1], memory[op.STATE2] = (*states, _nothing(dtype), _nothing(dtype))[:2]
    memory[op.HYPER] = np.tile(hyper, (n_threads, 1))
    memory[op.CONTROL] = np.zeros(op.N_CONTROL + 8 * n_threads, np.int64)
    memory[op.RAW] = np.ascontiguousarray(X)
    expect_dtype(plan, X.dtype)
    with_labels = header[op.N_TARGETS] == 0
    memory[op.LABELS] = np.zeros(1, np.int64)
    memory[op.TARGET_VALUES] = _nothing(dtype)
    if with_labels:
        memory[op.LABELS] = np.ascontiguousarray(targets, np.int64)
    else:
        memory[op.TARGET_VALUES] = np.ascontiguousarray(targets, dtype)
    memory[op.WEIGHTS] = _nothing(dtype) if weights is None else weights
    row_weights = int(header[op.ROW_WEIGHTS])
    memory[op.WORKSPACE][row_weights : row_weights + batch_size] = 1
    memory[op.BATCH_LABELS] = np.zeros(batch_size, np.int64)
    memory[op.ROW_LOSSES] = np.zeros(batch_size)
    memory[op.ROW_HITS] = np.zeros(batch_size, np.int64)
    memory[op.UNIT_SUMS] = np.zeros(2 * len(plan.units))
    return memory


def start_epoch(
    memory: ArrayTable, first_step: int, rates: np.ndarray, fades: np.ndarray | None = None
) -> None:
    """Set the next steps, their learning rates, and their factors of decay and dropout."""
    header, n_steps = memory[op.HEADER], len(rates)
    header[op.FIRST_STEP], header[op.N_STEPS] = first_step, n_steps
    if op.RATES not in memory or n_steps > memory[op.RATES].size:
        _make_room_for_steps(memory, n_steps)
    memory[op.RATES][:n_steps] = rates
    memory[op.FADES][:n_steps] = 1.0 if fades is None else fades
    memory[op.CONTROL].fill(0)


def enter_order(memory: ArrayTable, order: np.ndarray) -> None:
    """Set which rows to visit; an empty array tells kernels to visit all rows in order."""
    n = len(order)
    memory[op.HEADER][op.N_ROWS] = n
    order = np.ascontiguousarray(order, np.int64)
    in_order = n and order[0] == 0 and order[-1] == n - 1 and (order == np.arange(n)).all()
    memory[op.ORDER] = order[:0] if in_order else order


def expect_dtype(plan: Plan, dtype: np.dtype) -> None:
    """Set the dtype of the rows."""
    plan.header[_RAW_CODE] = RAW_CODE_OF[dtype]


def enter_scaling(memory: ArrayTable, standardise: Standardise, width: int) -> None:
    """Set how to standardise rows of that width, and write the shift and scale arrays."""
    dtype = memory[op.THETA].dtype
    between = standardise.dtype_between(dtype)
    memory[op.HEADER][op.STANDARDISE] = op.IN_REAL if between == dtype else op.IN_DOUBLE
    memory[op.SHIFT] = np.array(np.broadcast_to(standardise.mean, width), between)
    memory[op.SCALE] = np.array(np.broadcast_to(1 / standardise.std.astype(between), width))


def enter_state(memory: ArrayTable, plan: Plan, layers: Sequence[Layer]) -> None:
    """Copy the layers' running statistics in."""
    running = memory[op.RUNNING_STATISTICS]
    for array, start in running_pieces(plan, layers):
        running[start : start + array.size] = array.reshape(-1)


def leave_state(memory: ArrayTable, plan: Plan, layers: Sequence[Layer]) -> None:
    """Copy the running statistics back to the layers."""
    running = memory[op.RUNNING_STATISTICS]
    for array, start in running_pieces(plan, layers):
        array[...] = running[start : start + array.size].reshape(array.shape)


def running_pieces(plan: Plan, layers: Sequence[Layer]) -> Iterator[tuple[np.ndarray, int]]:
    """Yield each array of running statistics that a layer holds, and where its values start."""
    for layer, start, _ in plan.running:
        for array in layers[layer].state.values():
            yield array, start
            start += array.size


_RAW_CODE = int(op.RAW_CODE)


def _make_room_for_steps(memory: ArrayTable, n_steps: int) -> None:
    """Allocate the arrays that hold a value for each step of an epoch."""
    for place in (op.RATES, op.FADES, op.LOSSES_OUT, op.PENALTIES_OUT, op.MASSES_OUT):
        memory[place] = np.empty(n_steps)
    memory[op.HITS_OUT] = np.empty(n_steps, np.int64)


@cache
def _nothing(dtype: np.dtype) -> np.ndarray:
    """Return a placeholder for an array that the plan neither reads nor writes."""
    return np.zeros(1, dtype)
