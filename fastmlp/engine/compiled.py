"""The compiled way to train: a model, loss and optimizer as one plan that ``kernels.engine`` runs.

`CompiledRunner` owns all memory that the kernels touch; the kernels are given addresses.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import layers, losses, ops, optimizers
from fastmlp.engine import threads
from fastmlp.engine.inference import evaluate
from fastmlp.engine.lowering import (
    RAW_CODE_OF,
    Lowered,
    calls_for_training,
    lower,
    useful_threads,
)
from fastmlp.engine.memory import (
    ArrayTable,
    enter_scaling,
    enter_state,
    fused,
    leave_state,
    plan_memory,
)
from fastmlp.engine.runner import EpochResult, Interrupt
from fastmlp.kernels.plan import op

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = [
    "CompiledRunner",
    "bf16_parts",
    "can_compile",
    "warm_up",
]

_FLOPS_A_SECOND = 2e10  # a cautious guess, for the first epoch only
_SHORT_EPOCH = 0.05  # seconds; the main thread then works instead of watching


def can_compile(model: "Model", loss: losses.Loss, optimizer: optimizers.Optimizer) -> bool:
    """Tell whether all of it is ours, so that there is a plan for it."""
    ours = (
        type(loss) in losses.LOSSES.values() and type(optimizer) in optimizers.OPTIMIZERS.values()
    )
    return ours and model.has_plan


class CompiledRunner:
    """Trains an epoch in one compiled call for each thread; see `fastmlp.engine.runner.Runner`.

    With ``joins``, a last batch of one row joins the one before it, see `fastmlp.batches`.
    """

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
        joins: bool = False,
    ):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        X = X.reshape(len(X), -1)
        self._version = model.version
        operations, normalize = fused(model, X.shape[1])
        self.n_threads = useful_threads(operations, batch_size, n_threads)
        n_targets = 0 if loss.takes_labels else y.reshape(len(y), -1).shape[1]
        parts = bf16_parts(precision, model.dtype)
        self._lower = partial(
            lower,
            operations,
            model.slots,
            model.dtype,
            batch_size + joins,
            loss_parameter=loss.parameter,
            n_targets=n_targets,
            parts=parts,
        )
        self._lowered = self._lower(n_threads=self.n_threads)
        self._memory = _training_memory(model, self._lowered, X, y, weights, normalize)
        nothing = np.zeros(1, model.dtype)
        states = list(optimizer.state.values())
        if len(states) != len(optimizer.state_names):  # kernels would write where nothing is
            raise RuntimeError("the optimizer lost its state to another model before it began")
        self._memory[op.STATE1], self._memory[op.STATE2] = (*states, nothing, nothing)[:2]
        self._memory[op.HYPER] = np.empty((self.n_threads, op.N_HYPER))
        self._memory[op.HYPER][:] = ops.hyper(
            0.0, weight_decay=optimizer.weight_decay, l2=l2, **optimizer.hyper()
        )
        self._memory[op.CONTROL] = np.zeros(op.N_CONTROL + 8 * self.n_threads, np.int64)
        scratch_size = self._lowered.scratch_size * self.n_threads
        self._memory[op.SCRATCH] = ops.aligned_zeros(scratch_size, model.dtype)
        self._memory[op.PACKED] = ops.aligned_zeros(self._lowered.packed_size, model.dtype)
        clips = optimizer.clip_norm is not None
        self._memory[op.GRADIENT] = model.grad if clips else nothing
        header = self._lowered.header
        header[op.STEP_ROWS] = batch_size
        header[op.LOSS] = kernels.losses.CODES[loss.kind]
        header[op.OPTIMIZER] = kernels.optimizers.CODES[optimizer.kind]
        header[op.SEED], header[op.STORE_GRADIENT] = seed, clips
        header[op.WEIGHTED], header[op.N_ROWS] = weights is not None, len(X)
        self._done = self._n_steps_at_most = 0
        self._penalty_share = 1.0
        self._order: np.ndarray | None = None
        flops = 6.0 * len(X) * sum(o.n_in * o.n_out for o in operations)
        self._expected_seconds = flops / _FLOPS_A_SECOND
        started = time.perf_counter()
        needed = calls_for_training(operations, loss.kind, optimizer.kind, parts)
        self._memory[op.KERNELS] = kernels.plan.calls.addresses(needed, model.dtype)
        self._run_kernel(0, 0)  # no steps: it only has to be compiled
        self.compile_seconds = time.perf_counter() - started

    def train_epoch(
        self, order: np.ndarray, epoch: int, rates: np.ndarray, poll: Callable[[], None]
    ) -> EpochResult:
        """Make one step for each rate; ``order`` may be any rows, in number at most ``len(X)``."""
        with Interrupt() as interrupt:  # steps and what is written down of them stay one
            return self._make_steps(order, rates, poll, interrupt)

    def _make_steps(
        self, order: np.ndarray, rates: np.ndarray, poll: Callable[[], None], interrupt: Interrupt
    ) -> EpochResult:
        memory, n_steps = self._memory, len(rates)
        if self._version is not self.model.version:
            self._enter_settings()
        self._lowered.header[op.N_ROWS] = len(order)
        self._enter_order(order)
        if n_steps > self._n_steps_at_most:
            self._make_room_for(n_steps)
        memory[op.RATES][:n_steps] = rates
        memory[op.CONTROL].fill(0)
        self._lowered.header[op.FIRST_STEP] = self.optimizer.t
        enter_state(self.model, self._lowered, memory)
        started = time.perf_counter()
        self._run(n_steps, poll, interrupt)
        self._expected_seconds = time.perf_counter() - started
        leave_state(self.model, self._lowered, memory)
        made = int(memory[op.CONTROL][op.STEPS_DONE])
        memory[op.CONTROL][op.STEPS_DONE] = 0
        self._done += made
        self.optimizer.t += made
        penalties = self._penalty_share * memory[op.PENALTIES_OUT][:made]
        losses_made = memory[op.LOSSES_OUT][:made] + penalties
        hits = int(memory[op.HITS_OUT][:made].sum())
        if made and not math.isfinite(losses_made[-1]):
            return EpochResult(losses_made, hits, diverged_step=made - 1)
        return EpochResult(losses_made, hits, interrupted=interrupt.pending)

    def share_penalty(self, l2: float, reported: float = 1.0) -> None:
        """Give each minibatch a penalty of its own, in place of that of the constructor.

        Parameters
        ----------
        l2 : float
            The penalty is 0.5 * l2 * sum(W * W) / n, for n rows or rows whose weights sum to n.
        reported : float, default 1.0
            By how much the penalty is multiplied in the losses of the steps.

        """
        hyper = self._memory[op.HYPER]
        hyper[:, op.L2], hyper[:, op.L2_SHARED], self._penalty_share = 0.0, l2, reported

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return loss, without penalties, and accuracy in inference mode."""
        return evaluate(self.model, self.loss, X, y, weights, self.n_threads)

    def steps_done(self) -> int:
        """Return the steps made."""
        return self._done + int(self._memory[op.CONTROL][op.STEPS_DONE])

    def _enter_settings(self) -> None:
        """Read what a callback may have set, such as a probability of dropping."""
        self._version = self.model.version
        operations, _ = fused(self.model, int(self._lowered.header[op.N_FEATURES]))
        self._lowered.reals[: len(operations)] = [o.reals for o in operations]

    def _enter_order(self, order: np.ndarray) -> None:
        """Tell the engine which rows to visit; for rows as they lie, it takes an empty array."""
        if order is self._order and not order.flags.writeable:
            return  # the same as in the last epoch
        self._order = order
        order = np.ascontiguousarray(order, np.int64)
        n = len(order)
        as_they_lie = n and order[0] == 0 and order[-1] == n - 1 and (order == np.arange(n)).all()
        self._memory[op.ORDER] = order[:0] if as_they_lie else order

    def _make_room_for(self, n_steps: int) -> None:
        """Make the arrays that have a value for each step of an epoch."""
        self._n_steps_at_most = n_steps
        for place in (op.RATES, op.LOSSES_OUT, op.PENALTIES_OUT):
            self._memory[place] = np.empty(n_steps)
        self._memory[op.HITS_OUT] = np.empty(n_steps, np.int64)

    def _run(self, n_steps: int, poll: Callable[[], None], interrupt: Interrupt) -> None:
        """Run the threads to their end, after the present step if there is an interrupt.

        Usually this thread only watches. In a short epoch it works too, and sees Ctrl-C after it.
        """
        works_too = self._expected_seconds < _SHORT_EPOCH
        first = 1 if works_too else 0
        self._lowered.header[op.N_STEPS] = n_steps

        def look() -> None:
            if interrupt.pending:
                self._memory[op.CONTROL][op.STOP] = 1
            poll()

        if works_too and self.n_threads == 1:
            self._run_kernel(0, n_steps)
            return
        with threads.team(self.n_threads - first) as team:
            if team.size + first < self.n_threads:
                works_too = works_too or team.size == 0
                first = 1 if works_too else 0
                self._divide_among(team.size + first)
            try:
                team.start(lambda number: self._run_kernel(number + first, n_steps), self._abort)
                if works_too:
                    self._run_kernel(0, n_steps)
                team.wait(look)
            except BaseException:  # an error in one thread, or a second Ctrl-C
                self._abort()
                raise

    def _divide_among(self, n_threads: int) -> None:
        """Divide the plan anew, among fewer threads: no more can be started."""
        self.n_threads, divided = n_threads, self._lower(n_threads=n_threads)
        self._lowered.header[op.N_THREADS] = n_threads
        columns = int(op.SPLIT_COLUMNS)
        self._lowered.operations[:, columns] = divided.operations[:, columns]
        self._memory[op.UNIT_SHARES] = divided.unit_shares

    def _abort(self) -> None:
        self._memory[op.CONTROL][op.ABORT] = 1

    def _run_kernel(self, thread: int, n_steps: int) -> None:
        self._lowered.header[op.N_STEPS] = n_steps
        kernels.engine.epoch.train_epoch(
            thread,
            self._memory.addresses,
            self.model.dtype.type(0),
            float(self.optimizer.clip_norm or 0.0),
            float(self.optimizer.max_norm or 0.0),
        )


def bf16_parts(precision: str, dtype: np.dtype) -> int:
    """Return how many bfloat16 numbers stand for a float32 in products; 0: the float32 itself does.

    "high" and "medium" need a tile unit, and float32; elsewhere they run as "highest".
    """
    if dtype != np.float32 or not kernels.machine.isa.current().bf16_tiles:
        return 0
    return {"highest": 0, "high": 2, "medium": 1}[precision]


def warm_up(dtypes: Sequence[str] = ("float32", "float64")) -> float:
    """Compile all kernels that there are, for both dtypes, into the cache.

    Returns
    -------
    float
        Seconds it took.

    """
    started = time.perf_counter()
    for dtype in dtypes:
        memory, zero = ArrayTable(), np.dtype(dtype).type(0)
        for place in range(op.N_ARRAYS):
            memory[place] = np.zeros(64, np.int64)
        memory[op.HEADER][op.BATCH_SIZE] = 1  # a plan of no steps and no rows
        left_out = () if bf16_parts("medium", np.dtype(dtype)) else ("affine_bf16",)
        calls = kernels.plan.calls
        memory[op.KERNELS] = calls.addresses(calls.everything(left_out), np.dtype(dtype))
        kernels.engine.epoch.train_epoch(0, memory.addresses, zero, 0.0, 0.0)
        kernels.engine.inference.infer_rows(memory.addresses, zero, 0, 0)
        mailbox, job = np.zeros((op.N_MAILBOX_ROWS, 2), np.int64), np.zeros(op.N_JOB, np.int64)
        kernels.engine.inference.infer_together(memory.addresses, zero, job, mailbox[:0])
        kernels.engine.inference.take_part(mailbox, zero, 1)
        kernels.engine.inference.withdraw(mailbox)
        kernels.engine.inference.make_offer(mailbox)
    return time.perf_counter() - started


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
    memory = plan_memory(model, lowered)
    nothing = np.zeros(1, dtype)
    memory[op.RAW] = np.ascontiguousarray(X)
    header[op.RAW_CODE] = RAW_CODE_OF[X.dtype]
    header[op.STANDARDISE] = op.AS_THEY_ARE
    memory[op.SHIFT] = memory[op.SCALE] = nothing
    if normalize is not None:
        enter_scaling(normalize, X.shape[1], memory)
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
