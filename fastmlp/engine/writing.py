"""Writing a plan: the layout of a step's memory, and the integers that ``kernels.engine`` reads.

Only this module writes a plan's header and rows, except for the few header fields that describe the
rows of a run, which `fastmlp.engine.memory` sets.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.engine.calls import calls_for_inference, calls_for_training
from fastmlp.engine.parameters import Slot
from fastmlp.engine.plan import RAW_CODE_OF, Operation, Plan, Training, core_name, core_row
from fastmlp.engine.workspace import LINE, Workspace, whole
from fastmlp.kernels.plan import op

__all__ = ["enter_factors", "write"]

_UNIT_FACTORS, _N_FACTORS = int(op.UNIT_FACTORS), int(op.N_FACTORS)
_Fields = dict[int, int]  # field number from `op` -> value


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
        The positions of the parameters.
    dtype : numpy.dtype
        The working dtype.
    batch_size : int
        The largest number of rows to process at once.
    n_threads : int, default 1
        The number of threads that will run the plan.
    training : Training, optional
        Without it, the plan is for inference.

    """
    kinds = tuple(
        (o.core, o.layer, o.n_in, o.n_out, o.activation, 0.0, 0.0, o.dropout_layer, (), o.sizes,
         o.inner_activation)
        for o in operations
    )  # fmt: skip
    offsets = tuple((slot.layer, slot.offset) for slot in slots)
    seedless = None if training is None else training.without_numbers()
    isa = kernels.machine.isa.current()
    plan = _written(kinds, offsets, dtype, batch_size, n_threads, seedless, isa)
    header = plan.header.copy()
    if training is not None:
        header[op.SEED] = training.seed
    return Plan(
        header,
        plan.operations.copy(),
        _reals(operations, training, dtype),
        plan.units,
        plan.unit_shares,
        np.ones((len(slots), _N_FACTORS)),
        plan.workspace_size,
        plan.scratch_size,
        plan.packed_size,
        plan.running,
        plan.calls,
    )


@lru_cache(maxsize=64)
def _written(
    kinds: tuple[tuple[Any, ...], ...],
    offsets: tuple[tuple[int, int], ...],
    dtype: np.dtype,
    batch_size: int,
    n_threads: int,
    training: Training | None,
    isa: Any,
) -> Plan:
    """Return a plan without its real numbers, factors and seed, whose arrays nobody may change.

    Models of one shape, such as those of a pack, share it.
    """
    operations = [Operation(*kind) for kind in kinds]
    parts = training.parts if training else 0
    cores = [core_row(core_name(o, parts)) for o in operations]
    tile = int(isa.tile_rows)
    grain = max(core.row_grain or tile for core in cores)
    shapes = [
        kernels.cores.Shape(
            o.n_in, o.n_out, batch_size, n_threads, grain, parts, dtype.itemsize, o.sizes
        )
        for o in operations
    ]
    memory, packed = Workspace(), Workspace()
    gapless = [core.gapless for core in cores]
    rows = _places(operations, gapless, batch_size, memory, keeps_all=training is not None)
    units: list[tuple[int, ...]] = []
    running, n_running = [], 0
    for index, (o, core, shape, row) in enumerate(
        zip(operations, cores, shapes, rows, strict=True)
    ):
        own = [offset for layer, offset in offsets if layer == o.layer]
        weight, bias = [*own, -1, -1][:2]
        row |= {op.CORE: kernels.cores.CODES[core.name], op.HOOKS: core.hooks | o.mask_hooks}
        row |= {op.WEIGHT: weight, op.BIAS: bias}
        row |= {op.SIZE1 + i: size for i, size in enumerate(o.all_sizes)}
        row |= {op.SPLIT_COLUMNS: core.split_columns(shape), op.GRAIN: core.grain(shape)}
        row |= core.places(shape, memory, packed, index == 0)
        units += [
            (index, *piece, _slot_at(offsets, piece[2]))
            for piece in core.pieces(shape, weight, bias)
        ]
        n_statistics = core.running(shape)
        if n_statistics:
            row[op.RUNNING] = n_running
            running.append((o.layer, n_running, n_statistics))
            n_running += n_statistics
    header: _Fields = {
        op.N_THREADS: n_threads,
        op.BATCH_SIZE: batch_size,
        op.N_FEATURES: operations[0].n_in,
        op.ROW_GRAIN: grain,
        op.N_OPERATIONS: len(operations),
        op.N_UNITS: len(units),
        op.REAL_CODE: RAW_CODE_OF[dtype],
        op.STANDARDISE: op.AS_THEY_ARE,
    }
    sizes = [unit[op.UNIT_SIZE] for unit in units]
    needed = max(core.scratch(shape) for core, shape in zip(cores, shapes, strict=True))
    header[op.GRADIENT_AT] = whole(needed, LINE)
    header[op.SCRATCH_SIZE] = whole(header[op.GRADIENT_AT] + max(sizes, default=0), LINE)
    if training:
        header |= _training_fields(training, batch_size, memory)
    return Plan(
        _matrix([header], op.N_HEADER_FIELDS, 0)[0],
        _matrix(rows, op.N_OPERATION_FIELDS, -1),
        np.empty(0, dtype),
        np.array(units, np.int64).reshape(-1, op.N_UNIT_FIELDS),
        _unit_shares(sizes, n_threads),
        np.empty((0, op.N_FACTORS)),
        memory.size,
        header[op.SCRATCH_SIZE],
        packed.size,
        tuple(running),
        frozenset(
            calls_for_training(operations, training)
            if training
            else calls_for_inference(operations)
        ),
    )


def enter_factors(plan: Plan, slots: Sequence[Slot], factors: np.ndarray) -> None:
    """Set how each array of parameters is trained; ``factors`` has a row for each slot.

    Raises
    ------
    ValueError
        If two arrays that are updated together have different factors.

    """
    heads, rows = set(plan.units[:, _UNIT_FACTORS].tolist()), factors.tolist()
    for number, slot in enumerate(slots):
        if number not in heads and rows[number] != rows[number - 1]:
            raise ValueError(
                f"{slots[number - 1].name} and {slot.name} are updated together, so they must have "
                "the same factors"
            )
    plan.factors[...] = factors


def _places(
    operations: Sequence[Operation],
    gapless: Sequence[bool],
    batch_size: int,
    memory: Workspace,
    keeps_all: bool,
) -> list[_Fields]:
    """Allocate the operations' inputs and outputs; return the fields that describe them.

    With ``keeps_all``, each array has its own memory, so that the backward pass can read it.
    ``gapless`` says which operations need inputs and outputs without gaps.
    """
    rows: list[_Fields] = []
    x, ld_x = memory.inputs(batch_size, operations[0].n_in, gapless[0])
    exact = [a or b for a, b in zip(gapless, [*gapless[1:], False], strict=True)]
    turns = [] if keeps_all else memory.turns(batch_size, [o.n_out for o in operations], exact)
    for index, o in enumerate(operations):
        y, ld_y = memory.matrix(batch_size, o.n_out, exact[index]) if keeps_all else turns[index]
        row: _Fields = {op.N_IN: o.n_in, op.N_OUT: o.n_out, op.LAYER: o.dropout_layer}
        if o.activation is not None:
            row[op.ACTIVATION] = kernels.activations.CODES[o.activation]
        row |= {op.X: x, op.LD_X: ld_x, op.Y: y, op.LD_Y: ld_y}
        row |= {op.KEEP: int(op.KEEP_NOTHING), op.SAVED: y}
        if keeps_all:
            if o.keep:
                row |= {op.KEEP: o.keep, op.SAVED: memory.take(batch_size * ld_y)}
            row[op.DZ] = memory.take(batch_size * ld_y)
        rows.append(row)
        x, ld_x = y, ld_y
    return rows


def _reals(
    operations: Sequence[Operation], training: Training | None, dtype: np.dtype
) -> np.ndarray:
    """Return the operations' real numbers, followed by the loss's."""
    reals = np.zeros((len(operations) + 1, op.N_REAL_FIELDS), dtype)
    reals[:-1] = [o.reals for o in operations]
    if training:
        reals[-1, 0] = training.loss_parameter
    else:
        reals[:, op.DROP] = 0.0
    return reals


def _training_fields(training: Training, batch_size: int, memory: Workspace) -> _Fields:
    """Return the additional header fields of a training plan."""
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


def _slot_at(offsets: Sequence[tuple[int, int]], element: int) -> int:
    """Return the number of the slot that has this element of theta."""
    return max(i for i, (_, offset) in enumerate(offsets) if offset <= element)


def _matrix(rows: Sequence[_Fields], n_fields: int, missing: int) -> np.ndarray:
    """Return rows of numbered fields as an int64 matrix; building it from lists is faster."""
    matrix = []
    for row in rows:
        numbers = [missing] * int(n_fields)
        for field, value in row.items():
            numbers[field] = value
        matrix.append(numbers)
    return np.array(matrix, np.int64)


def _unit_shares(sizes: Sequence[int], n_threads: int) -> np.ndarray:
    """Return where each thread's units begin, dividing the parameters evenly."""
    if n_threads == 1:
        return np.array([0, len(sizes)], np.int64)
    done = np.cumsum([0, *sizes])
    marks = done[-1] * np.arange(n_threads + 1) / n_threads
    return np.abs(done[:, None] - marks).argmin(axis=0).astype(np.int64)
