"""Training whole runs in compiled code, if nothing has to look at the model between epochs."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from fastmlp.common.rows import Rows
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.whole import MOST_ROWS, Monitoring, WholeRunner
from fastmlp.kernels.plan import op
from fastmlp.losses import Loss
from fastmlp.optimizers import Optimizer
from fastmlp.schedules import Schedule, is_built_in
from fastmlp.training.batches import Batches
from fastmlp.training.callbacks import TimeLimit
from fastmlp.training.halt import HaltedRun
from fastmlp.training.loop import Loop
from fastmlp.training.progress import Progress
from fastmlp.training.reasons import EARLY_STOPPING, TIME_LIMIT, diverged
from fastmlp.training.stopping import Monitor

__all__ = ["WholeRun", "nobody_looks"]

_STEPS_AT_ONCE = 1 << 17  # in one call: their rates and losses are laid out before it


class Epochs(Protocol):
    """The epochs of a fit, see `fastmlp.training.fitting`."""

    runner: Any
    loss: Loss
    rows: Rows
    validation: Rows | None
    batches: Batches
    optimizer: Optimizer
    schedule: Schedule
    fade: Schedule | None
    order_seed: int | None

    def rates_from(self, first_step: int) -> np.ndarray:
        """Return the learning rates of an epoch."""
        ...

    def fades_from(self, first_step: int) -> np.ndarray | None:
        """Return the factors of decay and dropout of an epoch; None if all are 1."""
        ...

    def regroup(self, n_threads: int) -> None:
        """Replace the runner by one with so many threads."""
        ...


def nobody_looks(
    rows: Rows, schedules: Sequence[Schedule | None], listeners: Sequence[Any]
) -> bool:
    """Return whether epochs can follow one another without Python in between.

    The listeners may show progress or limit the time; a schedule of the user's own may depend on
    anything.
    """
    return (
        all(type(listener) in (Progress, TimeLimit, HaltedRun) for listener in listeners)
        and all(schedule is None or is_built_in(schedule) for schedule in schedules)
        and len(rows) <= MOST_ROWS
    )


class WholeRun:
    """All epochs of one call of ``fit``, in as few compiled calls as possible.

    It keeps the loop's history and stopping rule up to date, as `fastmlp.training.loop.Loop.make`
    does.

    Parameters
    ----------
    loop : Loop
        With a copy to go back to.
    epochs : Epochs
        Their runner is a `WholeRunner`.
    listeners : sequence
        What `nobody_looks` allows.

    """

    def __init__(self, loop: Loop, epochs: Epochs, listeners: Sequence[Any]):
        self._loop, self._epochs = loop, epochs
        self._halted = [each for each in listeners if type(each) is HaltedRun]
        self._limits = [each for each in listeners if type(each) in (TimeLimit, HaltedRun)]
        assert loop.last_good is not None, "a fit always has a copy to go back to"
        self._good = loop.last_good
        self._prepare()

    def _prepare(self) -> None:
        """Set up the runner."""
        epochs, loop = self._epochs, self._loop
        self._runner: WholeRunner = epochs.runner
        self._runner.prepare(
            epochs.rows,
            epochs.validation,
            epochs.order_seed,
            epochs.batches.count,
            (
                _n_answers(epochs.loss, epochs.rows, epochs.batches.n_used),
                _n_answers(epochs.loss, epochs.validation),
            ),
            _monitoring(loop.rule),
            self._good,
            loop.best,
            loop.steps_between_copies,
        )
        for halted in self._halted:
            halted.attach(self._runner)

    def make(self) -> None:
        """Run epochs until all are done or something stops them."""
        while len(self._loop.history) < self._loop.info.epochs:
            for halted in self._halted:  # not even a step, if it is too late for one
                halted.poll()
            self._regroup()
            with Interrupt() as interrupt:  # the steps and their records stay in sync
                goes_on = self._call(interrupt)
            if interrupt.pending:
                raise KeyboardInterrupt
            if not goes_on:
                return

    def _regroup(self) -> None:
        """Go on with more threads, if there are some to borrow."""
        before = self._runner
        for halted in self._halted:
            if before.useful_threads(halted.n_threads) > before.n_threads:
                self._epochs.regroup(halted.n_threads)
                self._prepare()
                self._runner.continue_from(before)

    def _call(self, interrupt: Interrupt) -> bool:
        """Train as many epochs as one call can; return whether training goes on."""
        self._told = 0
        try:
            self._rates, fades = self._rates_ahead()
            self._runner.train_run(
                self._n_epochs,
                self._rates,
                fades,
                min((limit.seconds_left() for limit in self._limits), default=math.inf),
                self._look,
                interrupt,
                works_too=bool(self._halted),  # another thread looks
            )
        except KeyboardInterrupt:  # a second Ctrl-C does not wait for the end of a step
            self._take_over()
            raise
        except BaseException:
            self._take_over()
            self._good.restore()
            raise
        return self._goes_on(self._take_over())

    def _rates_ahead(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rates and the fades of the next epochs, and set how many these are.

        What is the same in all epochs is returned once.
        """
        epochs, n = self._epochs, self._epochs.batches.count
        n_left = self._loop.info.epochs - len(self._loop.history)
        self._n_epochs = min(n_left, max(1, _STEPS_AT_ONCE // n))
        t = epochs.optimizer.t
        rates, fades = [epochs.rates_from(t)], [epochs.fades_from(t)]
        changing = not epochs.schedule.is_constant
        fading = epochs.fade is not None and not epochs.fade.is_constant
        for epoch in range(1, self._n_epochs if changing or fading else 1):
            try:
                rates += [epochs.rates_from(t + epoch * n)] if changing else []
                fades += [epochs.fades_from(t + epoch * n)] if fading else []
            except Exception:  # raised again when that epoch is the next
                self._n_epochs = epoch
                break
        if fades[0] is None:
            return np.array(rates[: self._n_epochs]), np.ones((1, n))
        return np.array(rates[: self._n_epochs]), np.array(fades[: self._n_epochs])

    def _look(self) -> None:
        """Show progress while the threads work."""
        self._tell(self._runner.results())
        self._loop.callbacks.poll()

    def _take_over(self) -> int:
        """Add what the last call has done to the history; return the state it ended in."""
        ending, history, rule = self._runner.ending, self._loop.history, self._loop.rule
        if ending is None:
            return int(op.RUN_INTERRUPTED)
        self._runner.ending = None
        self._tell(ending.results)
        history.add_steps(ending.losses)
        if isinstance(rule, Monitor):
            rule.best_epoch, rule.waited = self._runner.best_epoch, self._runner.epochs_waited
            history.best_epoch = rule.best_epoch
        return ending.state

    def _tell(self, results: np.ndarray) -> None:
        """Add the epochs that are not there yet to the history, and show them."""
        loop = self._loop
        while self._told < len(results):
            rates = self._rates[min(self._told, len(self._rates) - 1)]
            record = self._record(results[self._told], rates)
            self._told += 1
            loop.history.epochs.append(record)
            loop.callbacks.end_epoch(record, loop.info.model)

    def _record(self, results: np.ndarray, rates: np.ndarray) -> dict[str, Any]:
        """Return the history's record of an epoch."""
        judged = self._epochs.loss.has_accuracy
        validated = results[op.VALIDATED] == 1
        return {
            "epoch": len(self._loop.history),
            "loss": float(results[op.LOSS_MEAN]),
            "accuracy": float(results[op.ACCURACY]) if judged else None,
            "val_loss": float(results[op.VALIDATION_LOSS]) if validated else None,
            "val_accuracy": (
                float(results[op.VALIDATION_ACCURACY]) if validated and judged else None
            ),
            "seconds": float(results[op.STEPS_SECONDS]),
            "learning_rate": float(rates[-1]),
        }

    def _goes_on(self, state: int) -> bool:
        """Do what the end of a call asks for; return whether training goes on."""
        loop, reason = self._loop, None
        if state == op.RUN_INTERRUPTED:
            raise KeyboardInterrupt
        if state == op.RUN_DIVERGED:
            reason = diverged(f"at step {self._epochs.optimizer.t}")
            self._good.restore()
            loop.history.stopped = reason
        elif state == op.RUN_TIME_UP:
            reason = TIME_LIMIT
        elif state == op.RUN_PATIENCE_OUT:
            reason = EARLY_STOPPING
        loop.reason = reason
        if reason is not None and len(loop.history) < loop.info.epochs:
            loop.history.stopped = reason
        return reason is None


def _n_answers(loss: Loss, rows: Rows | None, n_used: int | None = None) -> int:
    """Return how many answers for these rows, or so many of them, can be correct."""
    if rows is None:
        return 1
    n_rows = len(rows) if n_used is None else n_used
    return n_rows * (1 if loss.takes_labels else rows.n_outputs)


def _monitoring(rule: Any) -> Monitoring | None:
    """Return a stopping rule in the form that compiled code follows."""
    if not isinstance(rule, Monitor):
        return None
    patience = int(rule.patience) if math.isfinite(rule.patience) else -1
    return Monitoring(rule.column, rule.sign, rule.min_delta, patience, rule.later_wins)
