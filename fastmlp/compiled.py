"""The compiled way: a model, loss and optimizer as one plan that ``kernels.engine`` runs.

`CompiledRunner` trains, `predict` infers. Both own all memory that the kernels touch; the kernels
are given addresses.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import layers, losses, ops, optimizers, threads
from fastmlp.kernels import opcodes as op
from fastmlp.lowering import (
    ArrayTable,
    Lowered,
    Operation,
    fuse,
    links_for_inference,
    links_for_training,
    lower,
    useful_threads,
)
from fastmlp.runner import EpochResult, Interrupt

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = [
    "CompiledRunner",
    "bf16_parts",
    "can_compile",
    "can_infer",
    "evaluate",
    "predict",
    "warm_up",
]

_INFERENCE_ROWS = 256  # at a time and thread: what they need stays in the second cache
_ROWS_OF_A_SHARE = 32  # a thread gets a multiple of it
_FLOPS_WORTH_A_HELPER = 30_000_000  # a second thread takes some 50 microseconds to start
_RAW, _OUTPUTS, _RAW_CODE = (int(op.RAW), 0), (int(op.OUTPUTS), 0), int(op.RAW_CODE)
_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}
_FLOPS_A_SECOND = 2e10  # a cautious guess, for the first epoch only
_SHORT_EPOCH = 0.05  # seconds; the main thread then works instead of watching


def can_compile(model: "Model", loss: losses.Loss, optimizer: optimizers.Optimizer) -> bool:
    """Tell whether all of it is ours, so that there is a plan for it."""
    ours = (
        type(loss) in losses.LOSSES.values() and type(optimizer) in optimizers.OPTIMIZERS.values()
    )
    return ours and can_infer(model)


def can_infer(model: "Model") -> bool:
    """Tell whether all layers are built in."""
    return fuse(model.stages, 1) is not None


class CompiledRunner:
    """Trains an epoch in one compiled call for each thread; see `fastmlp.runner.Runner`."""

    def __init__(
        self,
        model: "Model",
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        n_threads: int | None,
        precision: str,
        l2: float,
        seed: int,
    ):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.batch_size = batch_size
        X = X.reshape(len(X), -1)
        operations, normalize = _fused(model, X.shape[1])
        self.n_threads = useful_threads(operations, batch_size, n_threads or threads.available())
        n_targets = 0 if loss.takes_labels else y.reshape(len(y), -1).shape[1]
        parts = bf16_parts(precision, model.dtype)
        self._lowered = lower(
            operations,
            model.slots,
            model.dtype,
            batch_size,
            self.n_threads,
            loss.parameter,
            n_targets,
            parts=parts,
        )
        self._memory = _training_memory(model, self._lowered, X, y, weights, normalize)
        nothing = np.zeros(1, model.dtype)
        self._memory[op.STATE1] = nothing if optimizer.state1 is None else optimizer.state1
        self._memory[op.STATE2] = nothing if optimizer.state2 is None else optimizer.state2
        self._memory[op.HYPER] = np.tile(
            ops.hyper(0.0, weight_decay=optimizer.weight_decay, l2=l2, **optimizer.hyper()),
            (self.n_threads, 1),
        )
        self._memory[op.CONTROL] = np.zeros(op.N_CONTROL + 8 * self.n_threads, np.int64)
        scratch_size = self._lowered.scratch_size * self.n_threads
        self._memory[op.SCRATCH] = ops.aligned_zeros(scratch_size, model.dtype)
        self._memory[op.PACKED] = ops.aligned_zeros(self._lowered.packed_size, model.dtype)
        clips = optimizer.clip_norm is not None
        self._memory[op.GRADIENT] = model.grad if clips else nothing
        header = self._lowered.header
        header[op.LOSS] = op.LOSSES[loss.kind]
        header[op.OPTIMIZER] = op.OPTIMIZERS[optimizer.kind]
        header[[op.SEED, op.STORE_GRADIENT]] = seed, clips
        header[[op.WEIGHTED, op.N_ROWS]] = weights is not None, len(X)
        self._done = 0
        flops = 6.0 * len(X) * sum(o.n_in * o.n_out for o in operations)
        self._expected_seconds = flops / _FLOPS_A_SECOND
        started = time.perf_counter()
        names = links_for_training(operations, loss.takes_labels, parts)
        self._memory[op.KERNELS] = kernels.links.addresses(names, model.dtype)
        self._run_kernel(0, 0)  # no steps: it only has to be compiled
        self.compile_seconds = time.perf_counter() - started

    def train_epoch(
        self, order: np.ndarray, epoch: int, rates: np.ndarray, poll: Callable[[], None]
    ) -> EpochResult:
        """Make one step for each rate; ``order`` may be any rows, in number at most ``len(X)``."""
        memory, n_steps = self._memory, len(rates)
        self._lowered.header[op.N_ROWS] = len(order)
        memory[op.ORDER] = _as_order(order)
        memory[op.RATES], memory[op.LOSSES_OUT] = rates, np.zeros(n_steps)
        memory[op.HITS_OUT] = np.zeros(n_steps, np.int64)
        memory[op.CONTROL][:] = 0
        self._lowered.header[op.FIRST_STEP] = self.optimizer.t
        _enter_state(self.model, self._lowered, memory)
        started = time.perf_counter()
        interrupted = self._run(n_steps, poll)
        self._expected_seconds = time.perf_counter() - started
        _leave_state(self.model, self._lowered, memory)
        made = int(memory[op.CONTROL][op.STEPS_DONE])
        memory[op.CONTROL][op.STEPS_DONE] = 0
        self._done += made
        self.optimizer.t += made
        losses_made = memory[op.LOSSES_OUT][:made]
        hits = int(memory[op.HITS_OUT][:made].sum())
        if made and not np.isfinite(losses_made[-1]):
            return EpochResult(losses_made, hits, diverged_step=made - 1)
        return EpochResult(losses_made, hits, interrupted=interrupted)

    def set_l2(self, l2: float) -> None:
        """Change the penalty of the steps to come."""
        self._memory[op.HYPER][:, op.L2] = l2

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return loss, without penalties, and accuracy in inference mode."""
        return evaluate(self.model, self.loss, X, y, weights, self.n_threads)

    def steps_done(self) -> int:
        """Return the steps made."""
        return self._done + int(self._memory[op.CONTROL][op.STEPS_DONE])

    def _run(self, n_steps: int, poll: Callable[[], None]) -> bool:
        """Run the threads to their end; return whether Ctrl-C came meanwhile.

        Usually this thread only watches. In a short epoch it works too, and sees Ctrl-C after it.
        """
        works_too = self._expected_seconds < _SHORT_EPOCH
        first = 1 if works_too else 0
        self._lowered.header[op.N_STEPS] = n_steps
        with Interrupt() as interrupt:

            def look() -> None:
                if interrupt.pending:
                    self._memory[op.CONTROL][op.STOP] = 1
                poll()

            if works_too and self.n_threads == 1:
                self._run_kernel(0, n_steps)
                return interrupt.pending
            with threads.team(self.n_threads - first) as team:
                team.start(lambda number: self._run_kernel(number + first, n_steps), self._abort)
                try:
                    if works_too:
                        self._run_kernel(0, n_steps)
                    team.wait(look)
                except BaseException:  # an error in one thread, or a second Ctrl-C
                    self._abort()
                    raise
            return interrupt.pending

    def _abort(self) -> None:
        self._memory[op.CONTROL][op.ABORT] = 1

    def _run_kernel(self, thread: int, n_steps: int) -> None:
        self._lowered.header[op.N_STEPS] = n_steps
        kernels.engine.train_epoch(
            thread,
            self._memory.addresses,
            self.model.dtype.type(0),
            float(self.optimizer.clip_norm or 0.0),
            float(self.optimizer.max_norm or 0.0),
        )


def bf16_parts(precision: str, dtype: np.dtype) -> int:
    """Return of how many bfloat16 parts a factor in a product consists; 0: of none, it is whole.

    "high" and "medium" need a tile unit, and float32; elsewhere they run as "highest".
    """
    if dtype != np.float32 or not kernels.isa.current().bf16_tiles:
        return 0
    return {"highest": 0, "high": 2, "medium": 1}[precision]


def predict(model: "Model", X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
    """Return outputs (N, C) in inference mode; several threads may do so at once.

    X is a row-major uint8, float32 or float64 array of rows that fit the model.
    """
    width = X.size // len(X)
    predictor = getattr(model.per_thread, "predictor", None)
    if predictor is None or predictor.width != width:
        predictor = model.per_thread.predictor = _Predictor(model, width)
    return predictor(model, X, n_threads)


def evaluate(
    model: "Model",
    loss: losses.Loss,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    n_threads: int | None = None,
) -> tuple[float, float | None]:
    """Return loss, without penalties, and accuracy in inference mode."""
    outputs = predict(model, X, n_threads)
    value, n_correct = loss.compute(outputs, y, weights)
    return value, loss.accuracy(n_correct, *outputs.shape)


def warm_up() -> float:
    """Compile what `fit` and `predict` need, for both dtypes, into the cache.

    Returns
    -------
    float
        Seconds it took.

    """
    started = time.perf_counter()
    for dtype in ("float32", "float64"):
        memory, zero = ArrayTable(), np.dtype(dtype).type(0)
        for place in range(op.N_ARRAYS):
            memory[place] = np.zeros(64, np.int64)
        memory[op.HEADER][op.BATCH_SIZE] = 1  # a plan of no steps and no rows
        names = set(kernels.links.LINKS)
        if not bf16_parts("medium", np.dtype(dtype)):
            names -= {name for name in names if kernels.links.LINKS[name].subject == "affine_bf16"}
        memory[op.KERNELS] = kernels.links.addresses(names, np.dtype(dtype))
        kernels.engine.train_epoch(0, memory.addresses, zero, 0.0, 0.0)
        kernels.inference.infer_rows(0, memory.addresses, zero, 0, 0)
    return time.perf_counter() - started


class _Predictor:
    """What one Python thread needs to run one model on rows of one width.

    A single row takes microseconds, so nothing is done here that could be done once.
    """

    def __init__(self, model: "Model", width: int):
        self.width = width
        self.operations, self.normalize = _fused(model, width)
        self.lowered = lower(
            self.operations, model.slots, model.dtype, _INFERENCE_ROWS, training=False
        )
        self.n_outputs = self.operations[-1].n_out
        self.zero = model.dtype.type(0)
        self.flops = 2 * sum(o.n_in * o.n_out for o in self.operations)
        self.keeps_state = self.normalize is not None or bool(self.lowered.running)
        self.infer_rows = kernels.inference.infer_rows
        self.tables = [self._make_table(model)]
        self.row_table = self._make_table(model)
        self.row_table[op.OUTPUTS] = self.row = np.zeros((1, self.n_outputs), model.dtype)

    def __call__(self, model: "Model", X: np.ndarray, n_threads: int | None) -> np.ndarray:
        n_rows = len(X)
        if n_rows == 1:
            self._infer_row(model, X)
            return self.row.copy()
        outputs = np.empty((n_rows, self.n_outputs), model.dtype)
        n_useful = 1
        if n_rows * self.flops > _FLOPS_WORTH_A_HELPER:
            n_useful = min(n_threads or threads.available(), -(-n_rows // _ROWS_OF_A_SHARE))
            while len(self.tables) < n_useful:
                self.tables.append(self._make_table(model))
        x, y = (array.__array_interface__["data"][0] for array in (X, outputs))
        for table in self.tables[:n_useful]:
            table.addresses[_RAW], table.addresses[_OUTPUTS] = x, y
            if self.keeps_state:
                self._enter(model, table)
        self.lowered.header[_RAW_CODE] = _CODE_OF[X.dtype]
        if n_useful == 1:
            self.infer_rows(0, self.tables[0].addresses, self.zero, 0, n_rows)
            return outputs
        share = -(-n_rows // (n_useful * _ROWS_OF_A_SHARE)) * _ROWS_OF_A_SHARE
        with threads.team(n_useful - 1) as team:
            team.start(lambda i: self._run_share(i + 1, share, n_rows))
            self._run_share(0, share, n_rows)
            team.wait()
        return outputs

    def _infer_row(self, model: "Model", X: np.ndarray) -> None:
        """Infer one row to a place that is known beforehand."""
        table = self.row_table
        table.addresses[_RAW] = X.__array_interface__["data"][0]
        self.lowered.header[_RAW_CODE] = _CODE_OF[X.dtype]
        if self.keeps_state:
            self._enter(model, table)
        self.infer_rows(0, table.addresses, self.zero, 0, 1)

    def _run_share(self, number: int, share: int, n_rows: int) -> None:
        first, last = number * share, min(n_rows, (number + 1) * share)
        if first < last:
            self.infer_rows(0, self.tables[number].addresses, self.zero, first, last)

    def _make_table(self, model: "Model") -> ArrayTable:
        table = _plan_memory(model, self.lowered)
        table[op.SCRATCH] = ops.aligned_zeros(self.lowered.scratch_size, model.dtype)
        table[op.ORDER] = np.empty(0, np.int64)
        names = links_for_inference(self.operations)
        table[op.KERNELS] = kernels.links.addresses(names, model.dtype)
        self.lowered.header[op.STANDARDISE] = self.normalize is not None
        table[op.SHIFT] = table[op.SCALE] = np.zeros(1, model.dtype)
        return table

    def _enter(self, model: "Model", table: ArrayTable) -> None:
        """Copy in what the layers keep outside of theta; it may have changed."""
        _enter_state(model, self.lowered, table)
        if self.normalize is not None:
            _enter_scaling(self.normalize, self.width, table)


def _as_order(order: np.ndarray) -> np.ndarray:
    """Return the order as the engine takes it: empty for the rows as they lie."""
    order = np.ascontiguousarray(order, np.int64)
    n = len(order)
    if n and order[0] == 0 and order[-1] == n - 1 and (order == np.arange(n)).all():
        return order[:0]
    return order


def _fused(model: "Model", width: int) -> tuple[list[Operation], "layers.Normalize | None"]:
    fused = fuse(model.stages, width)
    assert fused is not None, "can_compile was asked before"
    return fused


def _plan_memory(model: "Model", lowered: Lowered) -> ArrayTable:
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


def _training_memory(
    model: "Model",
    lowered: Lowered,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    normalize: "layers.Normalize | None",
) -> ArrayTable:
    """Return a table with all of a run, but what its number of threads decides."""
    dtype, header = model.dtype, lowered.header
    batch_size = int(header[op.BATCH_SIZE])
    memory = _plan_memory(model, lowered)
    nothing = np.zeros(1, dtype)
    memory[op.RAW] = np.ascontiguousarray(X)
    header[op.RAW_CODE] = op.RAW_CODES[X.dtype.name]
    header[op.STANDARDISE] = normalize is not None
    memory[op.SHIFT] = memory[op.SCALE] = nothing
    if normalize is not None:
        _enter_scaling(normalize, X.shape[1], memory)
    if header[op.N_TARGETS]:
        memory[op.LABELS] = np.zeros(1, np.int64)
        memory[op.TARGET_VALUES] = np.ascontiguousarray(y, dtype)
    else:
        memory[op.LABELS] = np.ascontiguousarray(y, np.int64)
        memory[op.TARGET_VALUES] = nothing
    memory[op.WEIGHTS] = nothing if weights is None else weights
    row_weights = int(header[op.ROW_WEIGHTS])
    memory[op.WORKSPACE][row_weights : row_weights + batch_size] = 1
    memory[op.BATCH_LABELS] = np.zeros(batch_size, np.int64)
    memory[op.ROW_LOSSES] = np.zeros(batch_size)
    memory[op.ROW_HITS] = np.zeros(batch_size, np.int64)
    memory[op.UNIT_SUMS] = np.zeros(2 * len(lowered.units))
    return memory


def _enter_scaling(normalize: "layers.Normalize", width: int, memory: ArrayTable) -> None:
    """Write what the gather subtracts and multiplies by."""
    dtype = memory[op.THETA].dtype
    memory[op.SHIFT] = np.array(np.broadcast_to(normalize.mean, width), dtype)
    memory[op.SCALE] = np.array(np.broadcast_to(1 / normalize.std, width), dtype)


def _enter_state(model: "Model", lowered: Lowered, memory: ArrayTable) -> None:
    """Copy the running statistics of the BatchNorm layers in."""
    running = memory[op.RUNNING_STATISTICS]
    for layer, start, size in lowered.running:
        state = model.stages[layer].state
        running[start : start + size] = state["running_mean"]
        running[start + size : start + 2 * size] = state["running_var"]


def _leave_state(model: "Model", lowered: Lowered, memory: ArrayTable) -> None:
    """Copy the running statistics back to the layers."""
    running = memory[op.RUNNING_STATISTICS]
    for layer, start, size in lowered.running:
        state = model.stages[layer].state
        state["running_mean"][...] = running[start : start + size]
        state["running_var"][...] = running[start + size : start + 2 * size]
