"""From a model to a plan: which fused operations a step runs, and where each array lies.

``fuse`` reads the layers and knows nothing of memory; ``lower`` lays out one workspace for a batch
size and a number of threads, and writes the integers that ``kernels.engine`` interprets. What a
core needs of memory, scratch and threads is said in its row of ``kernels.cores``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import layers
from fastmlp.engine import threads
from fastmlp.engine.parameters import Slot
from fastmlp.engine.workspace import LINE, Workspace, whole
from fastmlp.kernels.plan import op

__all__ = [
    "RAW_CODE_OF",
    "Lowered",
    "Operation",
    "calls_for_inference",
    "calls_for_training",
    "fuse",
    "lower",
    "useful_threads",
]

RAW_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}
"""The code of a type of raw input."""

_Fields = dict[int, int]  # number of a field, as `op` has it -> value

_CORES: dict[type[layers.Layer], str] = {
    layers.Linear: "affine",
    layers.BatchNorm: "batch_norm",
    layers.LayerNorm: "layer_norm",
}
"""The name of a layer's core in ``kernels.cores``."""

_ROUNDED = {"affine": "affine_bf16"}  # cores that take another's place at lower precision
_ROUNDED_GRAIN = 32  # rows; what they take of a batch at a time
_FLOPS_WORTH_A_THREAD = 5_000_000


@dataclass
class Operation:
    """A core (product, normalisation or nothing), then an activation, then dropout.

    Which operations a model has depends on its layers alone: their settings (alpha, dropout,
    epsilon, momentum) are real numbers of a plan and may change under it.

    Attributes
    ----------
    core : str
        A name in ``kernels.cores``.
    layer : int
        Index of the layer that the core came from, -1 for "copy".
    n_in, n_out : int
        Features in and out.
    activation, alpha : str or None, float
        A name in ``kernels.activations``, and its parameter.
    dropout, dropout_layer : float, int
        Probability of dropping, and index of the layer that keys the mask, -1 if nothing drops.
    epsilon, momentum : float
        Of a normalisation.

    """

    core: str
    layer: int
    n_in: int
    n_out: int
    activation: str | None = None
    alpha: float = 0.0
    dropout: float = 0.0
    dropout_layer: int = -1
    epsilon: float = 0.0
    momentum: float = 0.0

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
        """Whether it ends in a Dropout, be its probability 0 for now."""
        return self.dropout_layer >= 0

    @property
    def reals(self) -> tuple[float, float, float, float]:
        """Its settings, in the order of ``op``."""
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
            if last is None or last.activation is not None or last.drops:
                last = Operation("copy", -1, width, width)
                operations.append(last)
            last.activation, last.alpha = layer.kind, layer.alpha
        elif isinstance(layer, layers.Dropout) and kind is layers.Dropout:
            if last is None or last.drops:
                last = Operation("copy", -1, width, width)
                operations.append(last)
            last.dropout, last.dropout_layer = layer.p, index
        else:
            return None
    if not operations:
        operations.append(Operation("copy", -1, width, width))
    return operations, normalize


def _core(layer: layers.Layer, index: int) -> Operation:
    if isinstance(layer, layers.Linear):
        return Operation("affine", index, layer.in_features, layer.out_features)
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
    products = sum(o.n_in * o.n_out for o in operations if core_row(o.core).is_product)
    n_worth = int(6 * batch_size * products // _FLOPS_WORTH_A_THREAD)
    if n_worth <= 1:
        return 1
    n_asked = threads.available() if n_threads is None else n_threads
    return min(n_worth, n_asked, threads.MOST)


def calls_for_inference(operations: Sequence[Operation]) -> set[Any]:
    """Return what the forward half calls by address."""
    calls = kernels.plan.calls
    needed: set[Any] = {calls.GATHER, calls.INFER_ROWS}
    for o in operations:
        needed.add((calls.INFER, kernels.cores.CODES[o.core]))
        needed.update(core_row(o.core).inference_calls)
        if o.activation is not None:
            needed.add((calls.ACTIVATE, kernels.activations.CODES[o.activation]))
    return needed


def calls_for_training(
    operations: Sequence[Operation], loss: str, optimizer: str, parts: int = 0
) -> set[Any]:
    """Return what a training step calls by address."""
    calls = kernels.plan.calls
    needed: set[Any] = {
        calls.GATHER,
        calls.TRAIN_STEPS,
        (calls.LOSE, kernels.losses.CODES[loss]),
        (calls.UPDATE, kernels.optimizers.CODES[optimizer]),
    }
    for name in (_core_name(o, parts) for o in operations):
        code, row = kernels.cores.CODES[name], core_row(name)
        families = (calls.FORWARD, calls.BACKWARD, *calls.OPTIONAL)
        needed |= {(family, code) for family in families if getattr(row, family.name) is not None}
        needed.update(row.training_calls)
    for o in operations:
        if o.activation is not None:
            code = kernels.activations.CODES[o.activation]
            needed |= {(calls.ACTIVATE, code), (calls.DIFFERENTIATE, code)}
        if o.drops:
            needed.add(calls.DROP)
    return needed


def core_row(name: str) -> Any:
    """Return what ``kernels.cores`` says of a core."""
    return kernels.cores.TABLE[kernels.cores.CODES[name]]


def activation_row(name: str) -> Any:
    """Return what ``kernels.activations`` says of an activation."""
    return kernels.activations.TABLE[kernels.activations.CODES[name]]


def _core_name(o: Operation, parts: int) -> str:
    """Return the core that an operation gets at a precision."""
    return _ROUNDED.get(o.core, o.core) if parts else o.core


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
    units: list[tuple[int, ...]] = []
    running, n_running, gradient_at = [], 0, 0
    of_layer: dict[int, dict[str, Slot]] = {}
    for slot in slots:
        of_layer.setdefault(slot.layer, {})[slot.local] = slot
    grain = _ROUNDED_GRAIN if parts else int(kernels.machine.isa.current().tile_rows)
    x, ld_x = memory.inputs(batch_size, operations[0].n_in)
    places = [] if training else memory.turns(batch_size, [o.n_out for o in operations])
    for index, o in enumerate(operations):
        name, real_bytes = _core_name(o, parts), np.dtype(dtype).itemsize
        core = core_row(name)
        shape = kernels.cores.Shape(
            o.n_in, o.n_out, batch_size, n_threads, grain, parts, real_bytes
        )
        y, ld_y = memory.matrix(batch_size, o.n_out) if training else places[index]
        mine = of_layer.get(o.layer, {})
        row: _Fields = {op.CORE: kernels.cores.CODES[name], op.HOOKS: core.hooks}
        row |= {op.N_IN: o.n_in, op.N_OUT: o.n_out, op.LAYER: o.dropout_layer}
        if o.activation is not None:
            row[op.ACTIVATION] = kernels.activations.CODES[o.activation]
        keep = o.keep if training else int(op.KEEP_NOTHING)
        row |= {op.X: x, op.LD_X: ld_x, op.Y: y, op.LD_Y: ld_y, op.KEEP: keep}
        row[op.SAVED] = memory.take(batch_size * ld_y) if keep else y
        row[op.DZ] = memory.take(batch_size * ld_y) if training else -1
        row[op.WEIGHT] = _offset(mine, "weight", "gamma")
        row[op.BIAS] = _offset(mine, "bias", "beta")
        row |= {op.SPLIT_COLUMNS: core.split_columns(shape), op.GRAIN: core.grain(shape)}
        n_statistics = core.running(shape)
        if n_statistics:
            row[op.RUNNING] = n_running
            running.append((o.layer, n_running, o.n_out))
            n_running += n_statistics
        row |= core.places(shape, memory, packed, index == 0)
        pieces = core.pieces(shape, row[op.WEIGHT], row[op.BIAS])
        units += [(index, *piece) for piece in pieces]
        gradient_at = max(gradient_at, core.scratch(shape))
        rows.append(row)
        alpha, dropout, *others = o.reals
        reals.append((alpha, dropout if training else 0.0, *others))
        x, ld_x = y, ld_y
    gradient_at = whole(gradient_at, LINE)
    largest = max((unit[op.UNIT_SIZE] for unit in units), default=0)
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


def _unit_shares(sizes: Sequence[int], n_threads: int) -> np.ndarray:
    """Return where each thread's own units begin: as even a share of the parameters as can be."""
    if n_threads == 1:
        return np.array([0, len(sizes)], np.int64)
    done = np.cumsum([0, *sizes])
    marks = done[-1] * np.arange(n_threads + 1) / n_threads
    return np.abs(done[:, None] - marks).argmin(axis=0).astype(np.int64)


def _offset(slots: dict[str, Slot], *names: str) -> int:
    return next((slots[name].offset for name in names if name in slots), -1)
