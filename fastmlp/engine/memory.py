"""The memory that a plan works on, and what layers keep outside of the parameters."""

from typing import TYPE_CHECKING

import numpy as np

from fastmlp import layers, ops
from fastmlp.engine.lowering import Lowered, Operation, fuse
from fastmlp.kernels.plan import op

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = ["ArrayTable", "enter_scaling", "enter_state", "fused", "leave_state", "plan_memory"]


class ArrayTable:
    """The addresses of a run's arrays, as the engine wants them; keeps the arrays alive."""

    def __init__(self) -> None:
        self.addresses = np.zeros((op.N_ARRAYS, 2), np.int64)
        self._arrays: dict[int, np.ndarray] = {}

    def __setitem__(self, place: int, array: np.ndarray) -> None:
        """Put a contiguous array at one of the places that ``op`` names."""
        if not array.flags.c_contiguous:
            raise ValueError("an array of a run must be contiguous")
        self._arrays[place] = array
        self.addresses[place] = array.__array_interface__["data"][0], array.size

    def __getitem__(self, place: int) -> np.ndarray:
        """Return the array at a place."""
        return self._arrays[place]


def fused(model: "Model", width: int) -> tuple[list[Operation], "layers.Normalize | None"]:
    """Return the fused operations of a model for rows of that width, and what standardises them."""
    operations = fuse(model.stages, width)
    assert operations is not None, "can_compile was asked before"
    return operations


def plan_memory(model: "Model", lowered: Lowered) -> ArrayTable:
    """Return a table with the plan, the parameters and a workspace."""
    memory = ArrayTable()
    memory[op.HEADER], memory[op.OPERATIONS] = lowered.header, lowered.operations
    memory[op.REALS], memory[op.UNITS] = lowered.reals, lowered.units
    memory[op.UNIT_SHARES] = lowered.unit_shares
    memory[op.THETA] = model.theta
    memory[op.WORKSPACE] = ops.aligned_zeros(lowered.workspace_size, model.dtype)
    n_running = sum(2 * size for _, _, size in lowered.running)
    memory[op.RUNNING_STATISTICS] = np.zeros(max(1, n_running), model.dtype)
    return memory


def enter_scaling(normalize: "layers.Normalize", width: int, memory: ArrayTable) -> None:
    """Write how the gather standardises, and what it subtracts and multiplies by."""
    dtype = memory[op.THETA].dtype
    between = normalize.dtype_between(dtype)
    memory[op.HEADER][op.STANDARDISE] = op.IN_REAL if between == dtype else op.IN_DOUBLE
    memory[op.SHIFT] = np.array(np.broadcast_to(normalize.mean, width), between)
    memory[op.SCALE] = np.array(np.broadcast_to(1 / normalize.std.astype(between), width))


def enter_state(model: "Model", lowered: Lowered, memory: ArrayTable) -> None:
    """Copy the running statistics of the BatchNorm layers in."""
    running = memory[op.RUNNING_STATISTICS]
    for layer, start, size in lowered.running:
        state = model.stages[layer].state
        running[start : start + size] = state["running_mean"]
        running[start + size : start + 2 * size] = state["running_var"]


def leave_state(model: "Model", lowered: Lowered, memory: ArrayTable) -> None:
    """Copy the running statistics back to the layers."""
    running = memory[op.RUNNING_STATISTICS]
    for layer, start, size in lowered.running:
        state = model.stages[layer].state
        state["running_mean"][...] = running[start : start + size]
        state["running_var"][...] = running[start + size : start + 2 * size]
