"""Compiled training: ``kernels.engine`` runs a model, a loss and an optimizer as one plan.

`CompiledRunner` owns all the memory that the kernels use, and passes them addresses.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import ops
from fastmlp.engine import threads
from fastmlp.engine.calls import calls_for_inference, calls_for_sharing, calls_for_training
from fastmlp.engine.inference import evaluate
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.lowering import fused, useful_threads
from fastmlp.engine.memory import (
    enter_order,
    enter_scaling,
    enter_state,
    leave_state,
    start_epoch,
    training_memory,
)
from fastmlp.engine.plan import Operation, Training
from fastmlp.engine.protocols import Loss, Model, Optimizer
from fastmlp.engine.runner import EpochResult
from fastmlp.engine.writing import enter_factors, write
from fastmlp.kernels.plan import op

__all__ = ["CompiledRunner", "bf16_parts"]

_FLOPS_PER_SECOND = 2e10  # a cautious guess, for the first epoch only
_OF_STEPS = op.PENALTIES_OUT, op.MASSES_OUT
_SHORT_WORK = 0.05  # seconds; the main thread then works instead of watching


class CompiledRunner:
    """Trains an epoch in one compiled call per thread; see `fastmlp.engine.runner.Runner`.

    The model must have a plan, and the loss and the optimizer must be built in. With ``joins``, a
    single row left over at the end joins the minibatch before it. With ``validates``, what
    `evaluate` needs is compiled too.
    """

    _trains_whole_runs = False

    def __init__(
        self,
        model: Model,
        loss: Loss,
        optimizer: Optimizer,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        n_threads: int | None,
        precision: str,
        l2: float,
        seed: int,
        joins: bool = False,
        validates: bool = False,
    ):
        states = list(optimizer.state.values())
        if len(states) != len(optimizer.state_names):  # kernels would write to a missing array
            raise RuntimeError("the optimizer lost its state to another model before it began")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        X = X.reshape(len(X), -1)
        self._version = model.version
        self._operations, self._standardise = operations, standardise = fused(model, X.shape[1])
        self._batch_size = batch_size
        self.n_threads = self._n_most = self.useful_threads(n_threads)
        training = Training(
            loss.kind,
            optimizer.kind,
            loss_parameter=loss.parameter,
            n_targets=0 if loss.takes_labels else y.reshape(len(y), -1).shape[1],
            step_rows=batch_size,
            parts=bf16_parts(precision, model.dtype),
            seed=seed,
            weighted=weights is not None,
            clips=optimizer.clip_norm is not None,
        )
        self._write = partial(
            write, operations, model.slots, model.dtype, batch_size + joins, training=training
        )
        self._plan = self._write(n_threads=self.n_threads)
        hyper = ops.hyper(0.0, weight_decay=optimizer.weight_decay, l2=l2, **optimizer.hyper())
        self._done = 0
        self._order: np.ndarray | None = None
        flops_of_row = 6.0 * sum(o.n_in * o.n_out for o in operations)
        self._seconds_of_row = flops_of_row / _FLOPS_PER_SECOND
        self._expected_seconds = len(X) * self._seconds_of_row
        started = time.perf_counter()
        addresses = self._compiled(
            self._plan.calls, operations, model.dtype, validates, self.n_threads
        )
        self.compile_seconds = time.perf_counter() - started
        gradient = model.grad if training.clips else None
        self._memory = training_memory(
            self._plan, model.theta, addresses, (X, y, weights), states, hyper, gradient
        )
        self._enter_factors()
        if standardise is not None:
            enter_scaling(self._memory, standardise, X.shape[1])

    @classmethod
    def compile_for(
        cls,
        model: Model,
        loss: Loss,
        optimizer: Optimizer,
        X: np.ndarray,
        precision: str,
        validates: bool,
        n_threads: int,
    ) -> None:
        """Compile what a runner will need, so that making it takes no time."""
        operations, _ = fused(model, X.reshape(len(X), -1).shape[1])
        training = Training(loss.kind, optimizer.kind, parts=bf16_parts(precision, model.dtype))
        needed = frozenset(calls_for_training(operations, training))
        cls._compiled(needed, operations, model.dtype, validates, n_threads)

    @classmethod
    def _compiled(
        cls,
        needed: frozenset[Any],
        operations: Sequence[Operation],
        dtype: np.dtype,
        validates: bool,
        n_threads: int,
    ) -> np.ndarray:
        """Compile the kernels of a step and those around it; return the table of addresses."""
        calls = kernels.plan.calls
        needed |= {calls.TRAIN_RUN if cls._trains_whole_runs else calls.TRAIN_EPOCH}
        if validates:  # these can be compiled at the same time
            needed |= calls_for_inference(operations)
            if n_threads > 1 and not cls._trains_whole_runs:
                needed |= calls_for_sharing()
        return calls.addresses(needed, dtype)

    def train_epoch(
        self,
        order: np.ndarray,
        epoch: int,
        rates: np.ndarray,
        poll: Callable[[], None],
        fades: np.ndarray | None = None,
    ) -> EpochResult:
        """Run one step per rate; ``order`` may hold any rows, at most ``len(X)`` of them."""
        with Interrupt() as interrupt:  # the steps and their record must agree
            return self._make_steps(order, rates, fades, poll, interrupt)

    def _make_steps(
        self,
        order: np.ndarray,
        rates: np.ndarray,
        fades: np.ndarray | None,
        poll: Callable[[], None],
        interrupt: Interrupt,
    ) -> EpochResult:
        memory = self._memory
        if self._version is not self.model.version:
            self._enter_settings()
        if order is not self._order or order.flags.writeable:  # it may have changed
            self._order = order
            enter_order(memory, order)
        start_epoch(memory, self.optimizer.t, rates, fades)
        enter_state(memory, self._plan, self.model.stages)
        started = time.perf_counter()
        interrupted = self._run(poll, interrupt)
        self._expected_seconds = time.perf_counter() - started
        leave_state(memory, self._plan, self.model.stages)
        made = int(memory[op.CONTROL][op.STEPS_DONE])
        memory[op.CONTROL][op.STEPS_DONE] = 0
        self._done += made
        self.optimizer.t += made
        penalties, masses = (memory[place][:made].copy() for place in _OF_STEPS)
        losses, hits = memory[op.LOSSES_OUT][:made] + penalties, memory[op.HITS_OUT][:made]
        n_correct = int(hits.sum())
        if made and not math.isfinite(losses[-1]):
            return EpochResult(losses, penalties, masses, n_correct, diverged_step=made - 1)
        interrupted = interrupted or interrupt.pending
        return EpochResult(losses, penalties, masses, n_correct, interrupted=interrupted)

    def share_penalty(self, l2: float) -> None:
        """Scale the penalty by each minibatch's rows, instead of using the constructor's ``l2``.

        Parameters
        ----------
        l2 : float
            The penalty is 0.5 * l2 * sum(W * W) / n, where n is the number of rows, or the sum of
            their weights.

        """
        hyper = self._memory[op.HYPER]
        hyper[:, op.L2], hyper[:, op.L2_SHARED] = 0.0, l2

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return the loss without penalties and the accuracy, in inference mode."""
        return evaluate(self.model, self.loss, X, y, weights, self.n_threads)

    def useful_threads(self, n_threads: int | None) -> int:
        """Return how many of so many threads a step can use."""
        return useful_threads(self._operations, self._batch_size, n_threads)

    def leave_room(self, leaves: bool, /) -> int:
        """Leave a processor to another thread, or use all again; return the threads used.

        Nothing changes if there are more processors than threads, or only one thread.
        """
        n_threads = self._n_most
        if leaves and n_threads > 1 and n_threads >= threads.available():
            n_threads -= 1
        if n_threads != self.n_threads:
            self._divide_among(n_threads)
        return n_threads

    def steps_done(self) -> int:
        """Return the number of steps done."""
        return self._done + int(self._memory[op.CONTROL][op.STEPS_DONE])

    def _enter_settings(self) -> None:
        """Read settings that a callback may have changed, such as a dropout probability."""
        self._version = self.model.version
        operations, _ = fused(self.model, int(self._plan.header[op.N_FEATURES]))
        self._plan.reals[: len(operations)] = [o.reals for o in operations]
        self._enter_factors()

    def _enter_factors(self) -> None:
        """Read how each array of parameters is trained."""
        enter_factors(self._plan, self.model.slots, self.model.factors)

    def _run(self, poll: Callable[[], None], interrupt: Interrupt, works_too: bool = False) -> bool:
        """Run the threads until they finish, or until the end of the step on an interrupt.

        Usually this thread only watches. If the work is short it also works, and sees Ctrl-C at
        the end. Returns whether there was an interrupt; ``poll`` may raise one too.
        """
        works_too = works_too or self._expected_seconds < _SHORT_WORK
        first, polled_out = 1 if works_too else 0, False

        def look() -> None:
            nonlocal polled_out
            try:
                poll()
            except KeyboardInterrupt:
                polled_out = True
            if interrupt.pending or polled_out:
                self._memory[op.CONTROL][op.STOP] = 1

        if works_too and self.n_threads == 1:
            self._run_kernel(0)
            return interrupt.pending
        with threads.team(self.n_threads - first) as team:
            if team.size + first < self.n_threads:
                works_too = works_too or team.size == 0
                first = 1 if works_too else 0
                self._n_most = team.size + first
                self._divide_among(self._n_most)
            try:
                team.start(lambda number: self._run_kernel(number + first), self._abort)
                if works_too:
                    self._run_kernel(0)
                team.wait(look)
            except BaseException:  # an error in one thread, or a second Ctrl-C
                self._abort()
                raise
        return interrupt.pending or polled_out

    def _divide_among(self, n_threads: int) -> None:
        """Redistribute the work over so many threads, at most as many as at first."""
        self.n_threads, divided = n_threads, self._write(n_threads=n_threads)
        self._plan.header[op.N_THREADS] = n_threads
        columns = int(op.SPLIT_COLUMNS)
        self._plan.operations[:, columns] = divided.operations[:, columns]
        self._memory[op.UNIT_SHARES] = divided.unit_shares

    def _abort(self) -> None:
        self._memory[op.CONTROL][op.ABORT] = 1

    def _run_kernel(self, thread: int) -> None:
        engine = kernels.engine
        train = engine.run.train_run if self._trains_whole_runs else engine.epoch.train_epoch
        train(
            thread,
            self._memory.addresses,
            self.model.dtype.type(0),
            float(self.optimizer.clip_norm or 0.0),
            float(self.optimizer.max_norm or 0.0),
        )


def bf16_parts(precision: str, dtype: np.dtype) -> int:
    """Return how many bfloat16 numbers represent each float32 in a product; 0 for plain products.

    "high" and "medium" need float32 and a processor with bfloat16 tiles; otherwise they run as
    "highest".
    """
    if dtype != np.float32 or not kernels.machine.isa.current().bf16_tiles:
        return 0
    return {"highest": 0, "high": 2, "medium": 1}[precision]
