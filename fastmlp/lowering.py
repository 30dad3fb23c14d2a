"""From a model to a plan: which fused operations a step runs, and where each array lies.

``fuse`` reads the layers and knows nothing of memory; ``lower`` lays out one workspace for a batch
size and a number of threads, and writes the integers that ``kernels.engine`` interprets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import layers, threads
from fastmlp.kernels import opcodes as op
from fastmlp.parameters import Slot
from fastmlp.workspace import LINE, TILE, Workspace, whole

__all__ = [
    "RAW_CODE_OF",
    "Lowered",
    "Operation",
    "fuse",
    "links_for_inference",
    "links_for_training",
    "lower",
    "useful_threads",
]

RAW_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}
"""The code of a type of raw input."""

_Fields = dict[int, int]  # number of a field, as `opcodes` has it -> value

_CORES = {
    layers.Linear: op.AFFINE,
    layers.BatchNorm: op.BATCH_NORM,
    layers.LayerNorm: op.LAYER_NORM,
}
_INFERENCE_LINKS = {
    op.AFFINE: {"affine_forward"},
    op.BATCH_NORM: {"batch_norm_inference", "finish"},
    op.LAYER_NORM: {"layer_norm_forward", "finish"},
    op.PASS: {"finish"},
}
_TRAINING_LINKS = {
    op.AFFINE: {"affine_forward", "affine_backward", "weight_gradient", "bias_gradient"},
    op.BATCH_NORM: {
        "batch_norm_train",
        "batch_norm_backward",
        "batch_norm_row",
        "batch_norm_row_backward",
        "finish",
    },
    op.LAYER_NORM: {
        "layer_norm_forward",
        "layer_norm_backward",
        "layer_norm_parameters",
        "finish",
    },
    op.PASS: {"finish"},
}
_BF16_LINKS = {
    "affine_forward_bf16",
    "affine_backward_bf16",
    "pack_weight_bf16",
    "prepare_factor",
    "prepare_gradient",
    "weight_gradient_bf16",
    "bias_gradient",
}
_ROWS_WORTH_PACKING = 128  # with so many rows a thread, packing all of a large weight costs little
_LARGE_WEIGHT = 1 << 20  # elements
_ROWS_WORTH_SPLITTING = 32  # a thread with fewer rows spends its time on packing weights
_FLOPS_WORTH_A_THREAD = 5_000_000
_PARAMETERS_OF_A_PIECE = 1024  # at least, of an update: each piece walks over the whole batch


@dataclass
class Operation:
    """A core (product, normalisation or nothing), then an activation, then dropout.

    Which operations a model has depends on its layers alone: their settings (alpha, dropout,
    epsilon, momentum) are real numbers of a plan and may change under it.

    Attributes
    ----------
    core : int
        ``opcodes.AFFINE``, ``BATCH_NORM``, ``LAYER_NORM`` or ``PASS``.
    layer : int
        Index of the layer that the core came from, -1 for PASS.
    n_in, n_out : int
        Features in and out.
    activation, alpha : int, float
        Code and parameter of the activation.
    dropout, dropout_layer : float, int
        Probability of dropping, and index of the layer that keys the mask, -1 if nothing drops.
    epsilon, momentum : float
        Of a normalisation.

    """

    core: int
    layer: int
    n_in: int
    n_out: int
    activation: int = op.IDENTITY
    alpha: float = 0.0
    dropout: float = 0.0
    dropout_layer: int = -1
    epsilon: float = 0.0
    momentum: float = 0.0

    @property
    def keep(self) -> int:
        """What of the activation the backward pass needs besides the output."""
        if self.activation >= op.NEEDS_INPUT:
            return op.KEEP_INPUT
        from_sign = self.activation in (op.IDENTITY, op.RELU, op.LEAKY_RELU)
        return op.KEEP_OUTPUT if self.drops and not from_sign else op.KEEP_NOTHING

    @property
    def drops(self) -> bool:
        """Whether it ends in a Dropout, be its probability 0 for now."""
        return self.dropout_layer >= 0

    @property
    def reals(self) -> tuple[float, float, float, float]:
        """Its settings, in the order of ``opcodes``."""
        return self.alpha, self.dropout, self.epsilon, self.momentum


@dataclass(frozen=True)
class Lowered:
    """A plan and the sizes of what it works on.

    Attributes
    ----------
    header, operations, reals, units, unit_shares : numpy.ndarray
        The plan; its header is still to be completed with what differs from run to run.
    workspace_size, scratch_size, packed_size : int
        Elements of the working dtype; scratch for each thread.
    running : tuple of tuple
        (layer index, offset, features) of each BatchNorm's running mean and variance.

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


def fuse(
    model_layers: Sequence[layers.Layer], n_features: int
) -> tuple[list[Operation], layers.Normalize | None] | None:
    """Return ``(operations, Normalize or None)``, or None where a layer has no lowering."""
    operations: list[Operation] = []
    normalize: layers.Normalize | None = None
    width = n_features
    for index, layer in enumerate(model_layers):
        kind = type(layer)
        last = operations[-1] if operations else None
        if kind is layers.Flatten:
            continue
        if isinstance(layer, layers.Normalize) and last is None and normalize is None:
            normalize = layer
        elif kind in _CORES:
            operations.append(_core(layer, index))
            width = operations[-1].n_out
        elif isinstance(layer, layers.Activation) and kind in layers.ACTIVATIONS.values():
            if last is None or last.activation != op.IDENTITY or last.drops:
                last = Operation(op.PASS, -1, width, width)
                operations.append(last)
            last.activation, last.alpha = op.ACTIVATIONS[layer.kind], layer.alpha
        elif isinstance(layer, layers.Dropout) and kind is layers.Dropout:
            if last is None or last.drops:
                last = Operation(op.PASS, -1, width, width)
                operations.append(last)
            last.dropout, last.dropout_layer = layer.p, index
        else:
            return None
    if not operations:
        operations.append(Operation(op.PASS, -1, width, width))
    return operations, normalize


def _core(layer: layers.Layer, index: int) -> Operation:
    if isinstance(layer, layers.Linear):
        return Operation(op.AFFINE, index, layer.in_features, layer.out_features)
    assert isinstance(layer, layers.BatchNorm | layers.LayerNorm), "fuse asked for its core"
    core, width = _CORES[type(layer)], layer.n_features
    momentum = getattr(layer, "momentum", 0.0)
    return Operation(core, index, width, width, epsilon=layer.eps, momentum=momentum)


def useful_threads(
    operations: Sequence[Operation], batch_size: int, n_threads: int | None = None
) -> int:
    """Return how many threads a step is worth: small ones are over before a thread has woken.

    At most ``n_threads``, and `threads.MOST`; by default those that the process may use.
    """
    products = sum(o.n_in * o.n_out for o in operations if o.core == op.AFFINE)
    n_worth = int(6 * batch_size * products // _FLOPS_WORTH_A_THREAD)
    if n_worth <= 1:
        return 1
    n_asked = threads.available() if n_threads is None else n_threads
    return min(n_worth, n_asked, threads.MOST)


def links_for_inference(operations: Sequence[Operation]) -> set[str]:
    """Return the names of the kernels that the forward half calls."""
    names = {"gather_rows", "infer_rows"}
    for o in operations:
        names |= _INFERENCE_LINKS[o.core]
    return names


def links_for_training(
    operations: Sequence[Operation], takes_labels: bool, parts: int = 0
) -> set[str]:
    """Return the names of the kernels that a training step calls."""
    names = {"gather_rows", "update", "limit_column_norms", "unfinish"}
    names.add("classify_rows" if takes_labels else "regress_rows")
    for o in operations:
        names |= _BF16_LINKS if parts and o.core == op.AFFINE else _TRAINING_LINKS[o.core]
    return names


def lower(
    operations: Sequence[Operation],
    slots: Sequence[Slot],
    dtype: np.dtype,
    batch_size: int,
    n_threads: int = 1,
    loss_parameter: float = 0.0,
    n_targets: int = 0,
    training: bool = True,
    parts: int = 0,
) -> Lowered:
    """Lay out the workspace of a step and write its plan.

    Parameters
    ----------
    operations : sequence of Operation
    slots : sequence of Slot
        Where the parameters lie.
    dtype : numpy.dtype
        The working type.
    batch_size : int
        Most rows at once.
    n_threads : int
        Threads that will run the plan.
    loss_parameter : float
        Goes behind the operations' real numbers.
    n_targets : int
        Columns of a batch's targets; 0 for labels.
    training : bool, default True
        Whether the backward pass needs its place too.
    parts : int, default 0
        0 for products in the working dtype; 1 or 2 bfloat16 parts of each float32.

    """
    memory, packed = Workspace(), Workspace()
    rows: list[_Fields] = []
    reals: list[tuple[float, ...]] = []
    running, n_running = [], 0
    of_layer: dict[int, dict[str, Slot]] = {}
    for slot in slots:
        of_layer.setdefault(slot.layer, {})[slot.local] = slot
    x, ld_x = memory.inputs(batch_size, operations[0].n_in)
    reads = [parts > 0 and o.core == op.AFFINE for o in operations] + [False]
    rounded = memory.factor(batch_size, operations[0].n_in, parts * reads[0])
    places = [] if training else memory.turns(batch_size, [o.n_out for o in operations])
    for index, o in enumerate(operations):
        y, ld_y = memory.matrix(batch_size, o.n_out) if training else places[index]
        mine = of_layer.get(o.layer, {})
        row: _Fields = {op.CORE: o.core, op.N_IN: o.n_in, op.N_OUT: o.n_out}
        row |= {op.ACTIVATION: o.activation, op.KEEP: o.keep, op.LAYER: o.dropout_layer}
        row |= {op.X: x, op.LD_X: ld_x, op.Y: y, op.LD_Y: ld_y}
        row[op.SAVED] = memory.take(batch_size * ld_y) if o.keep and training else y
        row[op.DZ] = memory.take(batch_size * ld_y) if training else -1
        row[op.WEIGHT] = _offset(mine, "weight", "gamma")
        row[op.BIAS] = _offset(mine, "bias", "beta")
        row[op.SPLIT_COLUMNS] = _split_columns(o, batch_size, n_threads)
        if o.core == op.BATCH_NORM:
            row[op.STATISTICS] = memory.take(4 * o.n_out)
            row[op.RUNNING] = n_running
            running.append((o.layer, n_running, o.n_out))
            n_running += 2 * o.n_out
        elif o.core == op.LAYER_NORM:
            row[op.STATISTICS] = memory.take(2 * batch_size)
        row[op.X_ROUNDED], row[op.X_TURNED] = rounded
        rounded = memory.factor(batch_size, o.n_out, parts * reads[index + 1])
        row[op.Y_ROUNDED], row[op.Y_TURNED] = rounded
        needed = parts * (reads[index] and index > 0)
        row[op.DZ_ROUNDED] = memory.tiles(batch_size, o.n_out, needed)
        row[op.DZ_PACKED] = memory.tiles(batch_size, o.n_out, parts * reads[index])
        row[op.PACKED_FORWARD] = packed.tiles(o.n_in, o.n_out, parts * reads[index])
        row[op.PACKED_BACKWARD] = packed.tiles(o.n_out, o.n_in, needed)
        rows.append(row)
        reals.append(o.reals)
        x, ld_x = y, ld_y
    grain = TILE if parts else int(kernels.isa.current().tile_rows)
    units = _units(rows, grain)
    largest = max((unit[op.UNIT_SIZE] for unit in units), default=0)
    gradient_at = _scratch_size(operations, parts)
    scratch_size = whole(gradient_at + largest, LINE)
    header: _Fields = {op.N_THREADS: n_threads, op.BATCH_SIZE: batch_size, op.PARTS: parts}
    header[op.STEP_ROWS] = batch_size
    header |= {op.N_FEATURES: operations[0].n_in, op.N_TARGETS: n_targets, op.ROW_GRAIN: grain}
    header[op.TARGETS], header[op.LD_TARGETS] = memory.inputs(batch_size, n_targets)
    header[op.ROW_WEIGHTS] = memory.take(batch_size)
    header |= {op.N_OPERATIONS: len(rows), op.N_UNITS: len(units)}
    header |= {op.GRADIENT_AT: gradient_at, op.SCRATCH_SIZE: scratch_size}
    header[op.REAL_CODE] = RAW_CODE_OF[np.dtype(dtype)]
    return Lowered(
        _matrix([header], op.N_HEADER_FIELDS, 0)[0],
        _matrix(rows, op.N_OPERATION_FIELDS, -1),
        np.array([*reals, (loss_parameter, 0.0, 0.0, 0.0)], dtype),
        np.array(units, np.int64).reshape(-1, op.N_UNIT_FIELDS),
        _unit_shares([unit[op.UNIT_SIZE] for unit in units], n_threads),
        memory.size,
        scratch_size,
        packed.size,
        tuple(running),
    )


def _matrix(rows: Sequence[_Fields], n_fields: int, missing: int) -> np.ndarray:
    """Return rows of numbered fields as an int64 matrix, made in one go: that is quicker."""
    matrix = []
    for row in rows:
        numbers = [missing] * int(n_fields)
        for field, value in row.items():
            numbers[field] = value
        matrix.append(numbers)
    return np.array(matrix, np.int64)


def _scratch_size(operations: Sequence[Operation], parts: int) -> int:
    """Return how much scratch the products of a thread need."""
    if not parts:
        return kernels.affine.SCRATCH
    products = [o for o in operations if o.core == op.AFFINE]
    widest = max((max(o.n_in, o.n_out) for o in products), default=0)
    return max(kernels.affine.SCRATCH, int(kernels.affine_bf16.START) + whole(widest, TILE))


def _units(rows: Sequence[_Fields], tile: int) -> list[tuple[int, ...]]:
    """Cut the update into pieces of whole tiles; they depend on the shapes alone."""
    units: list[tuple[int, ...]] = []
    for index, row in enumerate(rows):
        n_in, n_out, weight, bias = row[op.N_IN], row[op.N_OUT], row[op.WEIGHT], row[op.BIAS]
        if row[op.CORE] == op.AFFINE:
            step = max(-(-n_in // (4 * tile)), -(-_PARAMETERS_OF_A_PIECE // (n_out * tile))) * tile
            step = int(min(step, kernels.affine.BLOCK_ROWS // 2 // tile * tile))
            for first in range(0, n_in, step):
                last = min(n_in, first + step)
                units.append((index, first, last, weight + first * n_out, (last - first) * n_out))
            if bias >= 0:
                units.append((index, op.UNIT_VECTORS, op.UNIT_VECTORS, bias, n_out))
        elif row[op.CORE] != op.PASS:
            units.append((index, op.UNIT_VECTORS, op.UNIT_VECTORS, weight, bias + n_out - weight))
    return units


def _unit_shares(sizes: Sequence[int], n_threads: int) -> np.ndarray:
    """Return where each thread's own units begin: as even a share of the parameters as can be."""
    if n_threads == 1:
        return np.array([0, len(sizes)], np.int64)
    done = np.cumsum([0, *sizes])
    marks = done[-1] * np.arange(n_threads + 1) / n_threads
    return np.abs(done[:, None] - marks).argmin(axis=0).astype(np.int64)


def _split_columns(o: Operation, batch_size: int, n_threads: int) -> int:
    """Return over how many threads an operation's columns are shared out; rows take the rest."""
    if o.core == op.BATCH_NORM:
        return n_threads
    if o.core != op.AFFINE:
        return 1
    rows = batch_size // n_threads
    if rows < _ROWS_WORTH_PACKING and o.n_in * o.n_out >= _LARGE_WEIGHT:
        return n_threads  # each thread then packs only the weights that it multiplies with
    by_rows = max(1, batch_size // _ROWS_WORTH_SPLITTING)
    return 1 if by_rows >= n_threads else max(1, n_threads // by_rows)


def _offset(slots: dict[str, Slot], *names: str) -> int:
    return next((slots[name].offset for name in names if name in slots), -1)
