"""Whole runs: many epochs in one compiled call, with nothing of Python in between.

`WholeRunner` trains like `fastmlp.engine.compiled.CompiledRunner`, and also draws the orders,
validates, stops and keeps copies in compiled code.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.common.addresses import address_of
from fastmlp.common.rows import Rows
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.memory import (
    ArrayTable,
    enter_order,
    enter_state,
    leave_state,
    running_pieces,
)
from fastmlp.engine.plan import Plan
from fastmlp.engine.protocols import Copy, Layer
from fastmlp.engine.validating import validation_tables
from fastmlp.kernels.plan import op

__all__ = ["COLUMNS", "MOST_ROWS", "Ending", "Monitoring", "WholeRunner"]

COLUMNS = {
    "loss": int(op.LOSS_MEAN),
    "accuracy": int(op.ACCURACY),
    "val_loss": int(op.VALIDATION_LOSS),
    "val_accuracy": int(op.VALIDATION_ACCURACY),
}
"""The columns of a history that a run computes -> their places in an epoch's results."""

MOST_ROWS = 2**32
"""The most rows that can be put in order in compiled code."""


@dataclass(frozen=True)
class Monitoring:
    """Which epoch is the best, and when to stop.

    Attributes
    ----------
    column : str
        A key of `COLUMNS`.
    sign : float
        1 if lower values are better, else -1.
    min_delta : float
        The smallest change that counts as an improvement.
    patience : int
        Epochs without improvement after which to stop; -1: never.
    later_wins : bool
        Whether the later of equal epochs is the best.

    """

    column: str
    sign: float
    min_delta: float
    patience: int
    later_wins: bool


@dataclass(frozen=True)
class Ending:
    """How a call of `WholeRunner.train_run` ended.

    Attributes
    ----------
    state : int
        One of the states in ``kernels.plan.op``.
    losses : numpy.ndarray, float64
        The loss of each step.
    results : numpy.ndarray, float64
        A row for each complete epoch, whose columns ``kernels.plan.op`` names.

    """

    state: int
    losses: np.ndarray
    results: np.ndarray


class WholeRunner(CompiledRunner):
    """Trains many epochs in one compiled call per thread.

    Attributes
    ----------
    ending : Ending or None
        How the last call of `train_run` ended.

    """

    _trains_whole_runs = True
    _pauses = False
    _stops = False
    ending: Ending | None = None

    def prepare(
        self,
        rows: Rows,
        validation: Rows | None,
        seed: int | None,
        n_steps: int,
        n_answers: tuple[int, int],
        monitoring: Monitoring | None,
        good: Copy,
        best: Copy | None,
        steps_between_copies: int,
    ) -> None:
        """Set up what does not change between calls of `train_run`.

        Parameters
        ----------
        rows : Rows
        validation : Rows, optional
            Rows to validate with after each epoch.
        seed : int or None
            Key of the row orders; None to visit the rows in order.
        n_steps : int
            Steps per epoch.
        n_answers : tuple of int
            The number of answers of an epoch, and of a validation, that can be correct.
        monitoring : Monitoring, optional
        good, best : Copy
            Where to copy what training changes, to go back to, and the best parameters.
        steps_between_copies : int
            At least so many steps lie between two of the copies to go back to.

        """
        memory, self._n_steps = self._memory, n_steps
        run, reals = np.zeros(op.N_RUN_FIELDS, np.int64), np.zeros(op.N_RUN_REALS)
        memory[op.RUN], memory[op.RUN_REALS] = run, reals
        run[op.DRAWS_ORDER], run[op.ORDER_SEED] = seed is not None, seed or 0
        run[op.N_ANSWERS], run[op.N_VALIDATION_ANSWERS] = n_answers
        run[op.STEPS_BETWEEN_COPIES], run[op.COPIED_STEP] = steps_between_copies, good.step
        run[op.MONITORED] = run[op.PATIENCE] = run[op.BEST_EPOCH] = -1
        reals[op.BEST_VALUE] = np.inf
        if monitoring is not None:
            run[op.MONITORED], run[op.PATIENCE] = COLUMNS[monitoring.column], monitoring.patience
            run[op.LATER_WINS] = monitoring.later_wins
            reals[op.SIGN], reals[op.MIN_DELTA] = monitoring.sign, monitoring.min_delta
        self._enter_rows(rows, draws_order=seed is not None)
        for place in (op.PENALTIES_OUT, op.MASSES_OUT):
            memory[place] = np.empty(n_steps)
        memory[op.HITS_OUT] = np.empty(n_steps, np.int64)
        self._good = _CopyTable(memory, good, self._plan, self.model.stages)
        memory[op.GOOD], memory[op.BEST] = self._good.table, np.empty(0, np.int64)
        self._best = None
        if best is not None:
            self._best = _CopyTable(memory, best, self._plan, self.model.stages)
            memory[op.BEST] = self._best.table
        self._tables: list[ArrayTable] = []
        if validation is not None:
            started = time.perf_counter()
            self._tables = validation_tables(
                self.model,
                self.loss,
                validation,
                (self._operations, self._standardise),
                memory[op.RUNNING_STATISTICS],
                self.n_threads,
            )
            self.compile_seconds += time.perf_counter() - started
        locations = [(address_of(t.addresses), t.addresses.size) for t in self._tables]
        memory[op.VALIDATION] = np.array(locations, np.int64).reshape(-1, 2)

    def train_run(
        self,
        n_epochs: int,
        rates: np.ndarray,
        fades: np.ndarray,
        seconds_left: float,
        look: Callable[[], None],
        interrupt: Interrupt,
        works_too: bool,
        orders: np.ndarray | None = None,
    ) -> None:
        """Train at most ``n_epochs`` epochs; `ending` says how that ended, even after an error.

        Parameters
        ----------
        n_epochs : int
        rates : numpy.ndarray, shape (n_epochs, n_steps) or (1, n_steps)
            The learning rates of all steps; one row if they are the same in every epoch.
        fades : numpy.ndarray, shape (n_epochs, n_steps) or (1, n_steps)
            Likewise what multiplies weight decay and the probabilities of dropout.
        seconds_left : float
            No epoch starts after so many seconds.
        look : callable
            Called about ten times a second, unless this thread works too.
        interrupt : Interrupt
            Stops the run at the end of a step.
        works_too : bool
            Whether this thread works instead of looking, however long it takes.
        orders : numpy.ndarray, int64, shape (n_epochs, N) or (1, N), optional
            The rows to visit; one row if they are the same in every epoch. Default: as `prepare`
            was told. With orders, what is known of each step is kept, see `steps_of`.

        """
        memory, optimizer = self._memory, self.optimizer
        header, run, control = memory[op.HEADER], memory[op.RUN], memory[op.CONTROL]
        header[op.FIRST_STEP], header[op.N_STEPS] = optimizer.t, self._n_steps
        memory[op.RATES], memory[op.FADES] = rates, fades
        memory[op.LOSSES_OUT] = np.empty(n_epochs * self._n_steps)
        if orders is not None:
            self._enter_orders(orders, n_epochs)
        memory[op.RESULTS] = np.empty((n_epochs, op.N_RESULTS))
        run[op.STATE], run[op.N_EPOCHS], run[op.EPOCHS_DONE] = op.RUN_ON, n_epochs, 0
        run[op.RATES_STRIDE] = self._n_steps if len(rates) > 1 else 0
        run[op.FADES_STRIDE] = self._n_steps if len(fades) > 1 else 0
        run[op.ORDER_EPOCH], run[op.COPIED_EPOCH], run[op.BEST_COPIED] = optimizer.epoch, -1, 0
        memory[op.RUN_REALS][op.SECONDS_LEFT] = seconds_left
        enter_state(memory, self._plan, self.model.stages)
        self._expected_seconds = n_epochs * int(header[op.N_ROWS]) * self._seconds_of_row
        control.fill(0)
        control[op.STOP], control[op.PAUSE] = self._stops, self._pauses
        try:
            self._run(look, interrupt, works_too)
        finally:
            self.ending = self._end()

    def stop(self) -> None:
        """End the run at the end of the current step; may be called from any thread."""
        self._stops = True
        self._memory[op.CONTROL][op.STOP] = 1

    def pause(self) -> None:
        """End calls at the end of an epoch; may be called from any thread."""
        self._pauses = True
        self._memory[op.CONTROL][op.PAUSE] = 1

    def continue_from(self, other: "WholeRunner") -> None:
        """Continue the run of another runner, after `prepare`."""
        run, before = self._memory[op.RUN], other._memory[op.RUN]
        for field in (op.WAITED, op.BEST_EPOCH, op.EPOCHS_BEFORE):
            run[field] = before[field]
        best = other._memory[op.RUN_REALS][op.BEST_VALUE]
        self._memory[op.RUN_REALS][op.BEST_VALUE] = best
        self._done = other._done

    def results(self) -> np.ndarray:
        """Return the results of the complete epochs of the call that is running."""
        return self._memory[op.RESULTS][: int(self._memory[op.RUN][op.EPOCHS_DONE])]

    def steps_done(self) -> int:
        """Return the number of steps done."""
        return super().steps_done() + int(self._memory[op.RUN][op.EPOCHS_DONE]) * self._n_steps

    @property
    def best_epoch(self) -> int | None:
        """The best epoch so far; None if no value was finite, or nothing is monitored."""
        best = int(self._memory[op.RUN][op.BEST_EPOCH])
        return None if best < 0 else best

    @property
    def epochs_waited(self) -> int:
        """Epochs without improvement."""
        return int(self._memory[op.RUN][op.WAITED])

    def _enter_orders(self, orders: np.ndarray, n_epochs: int) -> None:
        """Set which rows each epoch visits, and make room for what is known of their steps."""
        memory, run, n_rows = self._memory, self._memory[op.RUN], orders.shape[1]
        memory[op.HEADER][op.N_ROWS], memory[op.ORDER] = n_rows, orders
        run[op.ORDER_STRIDE] = n_rows if len(orders) > 1 else 0
        run[op.STEPS_STRIDE] = self._n_steps
        for place in (op.PENALTIES_OUT, op.MASSES_OUT):
            memory[place] = np.empty(n_epochs * self._n_steps)
        memory[op.HITS_OUT] = np.empty(n_epochs * self._n_steps, np.int64)

    def _enter_rows(self, rows: Rows, draws_order: bool) -> None:
        """Set which rows an epoch visits."""
        memory = self._memory
        memory[op.USED_ROWS] = np.empty(0, np.int64) if rows.index is None else rows.index
        if draws_order:
            memory[op.HEADER][op.N_ROWS] = len(rows)
            memory[op.ORDER] = np.empty(len(rows), np.int64)
        else:
            enter_order(memory, np.arange(len(rows)) if rows.index is None else rows.index)

    def _end(self) -> Ending:
        """Take over what the run has done, even if an error ended it."""
        memory, optimizer = self._memory, self.optimizer
        run, control, stages = memory[op.RUN], memory[op.CONTROL], self.model.stages
        leave_state(memory, self._plan, stages)
        results = self.results()
        made = len(results) * self._n_steps + int(control[op.STEPS_DONE])
        if run[op.COPIED_EPOCH] >= 0:
            epoch = optimizer.epoch + int(run[op.COPIED_EPOCH])
            self._good.take_over(int(run[op.COPIED_STEP]), epoch)
        if run[op.BEST_COPIED] and self._best is not None:
            self._best.take_over(optimizer.t, optimizer.epoch)
        run[op.EPOCHS_DONE] = control[op.STEPS_DONE] = 0
        run[op.EPOCHS_BEFORE] += len(results)
        self._done += made
        optimizer.t += made
        optimizer.epoch += len(results)
        return Ending(int(run[op.STATE]), memory[op.LOSSES_OUT][:made], results)


class _CopyTable:
    """A copy of what training changes, in the form that compiled code writes."""

    def __init__(self, memory: ArrayTable, copy: Copy, plan: Plan, layers: Sequence[Layer]):
        copies = {id(array): each for array, each in copy.pairs}
        running = memory[op.RUNNING_STATISTICS]
        self._copy, self._running = copy, np.empty_like(running)
        pieces = running_pieces(plan, layers)
        self._pieces = [(copies[id(array)], start) for array, start in pieces]
        arrays = [memory[place] for place in (op.THETA, op.STATE1, op.STATE2)]
        pairs = [(array, copies[id(array)]) for array in arrays if id(array) in copies]
        if self._pieces:
            pairs.append((running, self._running))
        locations = [(address_of(each), each.nbytes) for pair in pairs for each in pair]
        self.table = np.array(locations, np.int64)

    def take_over(self, step: int, epoch: int) -> None:
        """Complete the copy that compiled code has written."""
        for array, start in self._pieces:
            array[...] = self._running[start : start + array.size].reshape(array.shape)
        self._copy.step, self._copy.epoch = step, epoch
