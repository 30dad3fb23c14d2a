"""What a plan is: a model's operations, written down as the integers that ``kernels.engine`` reads.

A layer describes itself as one of `Core`, `Elementwise`, `Drop`, `Standardise` and `Nothing`.
`lowering.fuse` combines these into operations, and `write` lays out the memory of a step and writes
the plan. What a core needs of memory, scratch and threads is in its row of ``kernels.cores``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.engine.parameters import Slot
from fastmlp.engine.workspace import LINE, Workspace, whole
from fastmlp.kernels.plan import op

__all__ = [
    "RAW_CODE_OF",
    "Core",
    "Drop",
    "Elementwise",
    "Nothing",
    "Operation",
    "Part",
    "Plan",
    "Standardise",
    "Training",
    "activation_row",
    "core_name",
    "core_row",
    "write",
]

RAW_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}
"""The code of each dtype that raw input may have."""

_Fields = dict[int, int]  # number of a field, as `op` has it -> value


@dataclass(frozen=True)
class Core:
    """A product or a normalisation. Its parameters, at most two, are those of the layer.

    Attributes
    ----------
    name : str
        Its name in ``kernels.cores``.
    n_out : int
        Output features.
    numbers : tuple of float
        At most two, which its kernels find from ``op.NORM_EPSILON`` on.

    """

    name: str
    n_out: int
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class Elementwise:
    """An activation, by its name in ``kernels.activations``, and its parameter."""

    name: str
    alpha: float = 0.0


@dataclass(frozen=True)
class Drop:
    """Dropout with probability p."""

    p: float


@dataclass(frozen=True)
class Standardise:
    """(x - mean) / std on raw inputs.

    Attributes
    ----------
    mean, std : numpy.ndarray, float64, shape (D,) or ()
        The layer's own arrays: their contents may change after the plan was made.
    dtype_between : callable
        Returns the dtype in which to compute, given that of the model.

    """

    mean: np.ndarray
    std: np.ndarray
    dtype_between: Callable[[np.dtype], np.dtype]


@dataclass(frozen=True)
class Nothing:
    """A layer that leaves rows as they are."""


Part = Core | Elementwise | Drop | Standardise | Nothing


@dataclass
class Operation:
    """A core (product, normalisation or copy), then an activation, then dropout.

    Only the layers' kinds and sizes decide which operations a model has. Settings (alpha, dropout,
    numbers) are real numbers of the plan and may change later.

    Attributes
    ----------
    core : str
        Its name in ``kernels.cores``.
    layer : int
        Index of the layer that the core came from, -1 for "copy".
    n_in, n_out : int
        Input and output features.
    activation, alpha : str or None, float
        A name in ``kernels.activations``, and its parameter.
    dropout, dropout_layer : float, int
        Probability of dropping, and index of the layer that keys the mask, -1 if nothing drops.
    numbers : tuple of float
        The core's.

    """

    core: str
    layer: int
    n_in: int
    n_out: int
    activation: str | None = None
    alpha: float = 0.0
    dropout: float = 0.0
    dropout_layer: int = -1
    numbers: tuple[float, ...] = ()

    @property
    def keep(self) -> int:
        """What the backward pass needs of the activation, besides the output."""
        if self.activation is None:
            return int(op.KEEP_NOTHING)
        elementwise, row = kernels.activations.elementwise, activation_row(self.activation)
        if row.derivative_from == elementwise.INPUT:
            return int(op.KEEP_INPUT)
        from_sign = row.derivative_from == elementwise.SIGN
        return int(op.KEEP_OUTPUT if self.drops and not from_sign else op.KEEP_NOTHING)

    @property
    def drops(self) -> bool:
        """Whether it ends in dropout, even with a probability of 0 for now."""
        return self.dropout_layer >= 0

    @property
    def reals(self) -> list[float]:
        """Its settings, in the order of ``op``."""
        reals = [self.alpha, self.dropout, *self.numbers]
        return reals + [0.0] * (int(op.N_REAL_FIELDS) - len(reals))


@dataclass(frozen=True)
class Training:
    """What a plan for training has, and one for inference has not.

    Attributes
    ----------
    loss, loss_parameter : str, float
        Its name in ``kernels.losses``, and its one number.
    optimizer : str
        Its name in ``kernels.optimizers``.
    n_targets : int, default 0
        Columns of the targets; 0 for labels.
    step_rows : int, optional
        Rows of a step; default the batch size. What is left at the end is one step if the batch
        has room for it.
    parts : int, default 0
        How many bfloat16 numbers represent each float32 in a product, 1 or 2; 0 for products in
        the working dtype.
    seed : int, default 0
        Seed of the dropout masks.
    weighted, clips : bool, default False
        Whether rows have weights, and whether the gradient is clipped.

    """

    loss: str
    optimizer: str
    loss_parameter: float = 0.0
    n_targets: int = 0
    step_rows: int | None = None
    parts: int = 0
    seed: int = 0
    weighted: bool = False
    clips: bool = False


@dataclass(frozen=True)
class Plan:
    """A plan and the sizes of the memory that it works on.

    Attributes
    ----------
    header, operations, reals, units, unit_shares : numpy.ndarray
        As ``op`` describes them. `memory` writes the few numbers of the header that change during
        a run.
    workspace_size, scratch_size, packed_size : int
        In elements of the working dtype; scratch is per thread.
    running : tuple of tuple
        For each layer with running statistics: its index, their offset, and how many there are.

    """

    header: np.ndarray
    operations: np.ndarray
    reals: np.ndarray
    units: np.ndarray
    unit_shares: np.ndarray
    workspace_size: int
    scratch_size: int
    packed_size: int
    running: tuple[tuple[int, int, int], ...]


def core_row(name: str) -> Any:
    """Return a core's row in ``kernels.cores``."""
    return kernels.cores.TABLE[kernels.cores.CODES[name]]


def activation_row(name: str) -> Any:
    """Return an activation's row in ``kernels.activations``."""
    return kernels.activations.TABLE[kernels.activations.CODES[name]]


def core_name(operation: Operation, parts: int) -> str:
    """Return the name of the core that computes an operation with so many bfloat16 parts."""
    return (core_row(operation.core).at_lower_precision if parts else None) or operation.core


def write(
    operations: Sequence[Operation],
    slots: Sequence[Slot],
    dtype: np.dtype,
    batch_size: int,
    n_threads: int = 1,
    training: Training | None = None,
) -> Plan:
    """Lay out the memory of a step and write its plan.

    Parameters
    ----------
    operations : sequence of Operation
    slots : sequence of Slot
        Where the parameters are.
    dtype : numpy.dtype
        The working dtype.
    batch_size : int
        The largest number of rows at once.
    n_threads : int, default 1
        Threads that will run the plan.
    training : Training, optional
        Default: a plan for inference.

    """
    memory, packed = Workspace(), Workspace()
    rows: list[_Fields] = []
    reals: list[list[float]] = []
    units: list[tuple[int, ...]] = []
    running, n_running, gradient_at = [], 0, 0
    of_layer: dict[int, list[Slot]] = {}
    for slot in slots:
        of_layer.setdefault(slot.layer, []).append(slot)
    parts = training.parts if training else 0
    names = [core_name(o, parts) for o in operations]
    grain = int(kernels.machine.isa.current().tile_rows)
    grain = max(core_row(name).row_grain or grain for name in names)
    x, ld_x = memory.inputs(batch_size, operations[0].n_in)
    places = [] if training else memory.turns(batch_size, [o.n_out for o in operations])
    for index, (name, o) in enumerate(zip(names, operations, strict=True)):
        core, real_bytes = core_row(name), np.dtype(dtype).itemsize
        shape = kernels.cores.Shape(
            o.n_in, o.n_out, batch_size, n_threads, grain, parts, real_bytes
        )
        y, ld_y = memory.matrix(batch_size, o.n_out) if training else places[index]
        offsets = [slot.offset for slot in of_layer.get(o.layer, ())]
        weight, bias = [*offsets, -1, -1][:2]
        row: _Fields = {op.CORE: kernels.cores.CODES[name], op.HOOKS: core.hooks}
        row |= {op.N_IN: o.n_in, op.N_OUT: o.n_out, op.LAYER: o.dropout_layer}
        if o.activation is not None:
            row[op.ACTIVATION] = kernels.activations.CODES[o.activation]
        keep = o.keep if training else int(op.KEEP_NOTHING)
        row |= {op.X: x, op.LD_X: ld_x, op.Y: y, op.LD_Y: ld_y, op.KEEP: keep}
        row[op.SAVED] = memory.take(batch_size * ld_y) if keep else y
        row[op.DZ] = memory.take(batch_size * ld_y) if training else -1
        row |= {op.WEIGHT: weight, op.BIAS: bias}
        row |= {op.SPLIT_COLUMNS: core.split_columns(shape), op.GRAIN: core.grain(shape)}
        n_statistics = core.running(shape)
        if n_statistics:
            row[op.RUNNING] = n_running
            running.append((o.layer, n_running, n_statistics))
            n_running += n_statistics
        row |= core.places(shape, memory, packed, index == 0)
        units += [(index, *piece) for piece in core.pieces(shape, weight, bias)]
        gradient_at = max(gradient_at, core.scratch(shape))
        rows.append(row)
        alpha, dropout, *numbers = o.reals
        reals.append([alpha, dropout if training else 0.0, *numbers])
        x, ld_x = y, ld_y
    gradient_at = whole(gradient_at, LINE)
    largest = max((unit[op.UNIT_SIZE] for unit in units), default=0)
    header: _Fields = {
        op.N_THREADS: n_threads,
        op.BATCH_SIZE: batch_size,
        op.N_FEATURES: operations[0].n_in,
        op.ROW_GRAIN: grain,
        op.N_OPERATIONS: len(rows),
        op.N_UNITS: len(units),
        op.GRADIENT_AT: gradient_at,
        op.SCRATCH_SIZE: whole(gradient_at + largest, LINE),
        op.REAL_CODE: RAW_CODE_OF[np.dtype(dtype)],
        op.STANDARDISE: op.AS_THEY_ARE,
    }
    if training:
        header |= _training_fields(training, batch_size, memory)
    behind = [training.loss_parameter if training else 0.0]
    reals.append(behind + [0.0] * (int(op.N_REAL_FIELDS) - 1))
    return Plan(
        _matrix([header], op.N_HEADER_FIELDS, 0)[0],
        _matrix(rows, op.N_OPERATION_FIELDS, -1),
        np.array(reals, dtype),
        np.array(units, np.int64).reshape(-1, op.N_UNIT_FIELDS),
        _unit_shares([unit[op.UNIT_SIZE] for unit in units], n_threads),
        memory.size,
        header[op.SCRATCH_SIZE],
        packed.size,
        tuple(running),
    )


def _training_fields(training: Training, batch_size: int, memory: Workspace) -> _Fields:
    """Return what the header of a plan for training says besides."""
    targets, row_length = memory.inputs(batch_size, training.n_targets)
    return {
        op.STEP_ROWS: training.step_rows or batch_size,
        op.SEED: training.seed,
        op.LOSS: kernels.losses.CODES[training.loss],
        op.OPTIMIZER: kernels.optimizers.CODES[training.optimizer],
        op.WEIGHTED: training.weighted,
        op.TARGETS: targets,
        op.LD_TARGETS: row_length,
        op.N_TARGETS: training.n_targets,
        op.ROW_WEIGHTS: memory.take(batch_size),
        op.STORE_GRADIENT: training.clips,
        op.PARTS: training.parts,
    }


def _matrix(rows: Sequence[_Fields], n_fields: int, missing: int) -> np.ndarray:
    """Return rows of numbered fields as an int64 matrix; making it in one go is faster."""
    matrix = []
    for row in rows:
        numbers = [missing] * int(n_fields)
        for field, value in row.items():
            numbers[field] = value
        matrix.append(numbers)
    return np.array(matrix, np.int64)


def _unit_shares(sizes: Sequence[int], n_threads: int) -> np.ndarray:
    """Return where each thread's own units begin, so that their parameters are shared evenly."""
    if n_threads == 1:
        return np.array([0, len(sizes)], np.int64)
    done = np.cumsum([0, *sizes])
    marks = done[-1] * np.arange(n_threads + 1) / n_threads
    return np.abs(done[:, None] - marks).argmin(axis=0).astype(np.int64)
