"""Epochs of an estimator, several in one compiled call where nothing looks in between.

scikit-learn's rule stops training after ``n_iter_no_change`` epochs without improvement. So it is
known how many epochs pass before it can: these are trained at once, and looked at afterwards.
"""

from typing import Any, Protocol

from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.runner import EpochResult
from fastmlp.sklearn._rules import NoImprovement
from fastmlp.training.callbacks import TimeLimit
from fastmlp.training.loop import Loop

__all__ = ["Ahead"]

_SECONDS = 0.1  # after which no epoch starts without a look at those before
_MOST_NUMBERS = 2**18  # in the orders of epochs trained at once


class Epochs(Protocol):
    """Trains epochs and records them."""

    n_rows: int

    def train_several(self, n_epochs: int, seconds: float) -> list[EpochResult]:
        """Train epochs until all are done, or time is up, or something ends one early."""
        ...

    def record(self, epoch: int, result: EpochResult) -> dict[str, Any]:
        """Return the history record of the next epoch that `train_several` has run."""
        ...

    def diverged(self, step: int) -> str:
        """Return a message that the epoch's step with that index diverged, or raise."""
        ...


class Ahead:
    """Makes the epochs of a loop, with the bits and records that they would have one by one.

    Parameters
    ----------
    loop : Loop
        Its callbacks need not be asked after every single epoch.
    epochs : Epochs
    rule : NoImprovement
        The loop's rule.
    limits : sequence of TimeLimit

    """

    def __init__(self, loop: Loop, epochs: Epochs, rule: NoImprovement, limits: list[TimeLimit]):
        self._loop, self._epochs, self._rule, self._limits = loop, epochs, rule, limits
        self._most = max(1, _MOST_NUMBERS // epochs.n_rows)

    def make(self) -> None:
        """Run epochs until all are done or something stops them."""
        while len(self._loop.history) < self._loop.info.epochs:
            with Interrupt() as interrupt:  # all that is trained is also recorded
                goes_on = self._call()
            if interrupt.pending:
                raise KeyboardInterrupt
            if not goes_on:
                return

    def _call(self) -> bool:
        """Train as many epochs as may be trained at once; return whether training goes on."""
        loop = self._loop
        n_left = loop.info.epochs - len(loop.history)
        n = int(min(n_left, self._most, self._rule.epochs_to_end))
        seconds = min([_SECONDS, *(limit.seconds_left() for limit in self._limits)])
        results = self._epochs.train_several(n, seconds)
        if len(results) < n:
            self._most = 2 * len(results)
        for result in results:
            if not self._add(result):
                return False
        return loop.reason is None

    def _add(self, result: EpochResult) -> bool:
        """Add an epoch to the history; return whether it is complete."""
        loop, history, rule = self._loop, self._loop.history, self._rule
        history.add_steps(result.losses)
        if result.diverged_step is not None:
            loop.reason = history.stopped = self._epochs.diverged(result.diverged_step)
            return False
        if len(result.losses) < loop.info.steps_per_epoch:
            return False  # Ctrl-C
        record = self._epochs.record(len(history), result)
        history.epochs.append(record)
        reason = loop.callbacks.end_epoch(record, loop.info.model)
        rule.update(record)
        history.best_epoch = rule.best_epoch
        rule_says = rule.reason()
        loop.reason = reason or rule_says
        if loop.reason is not None and len(history) < loop.info.epochs:
            history.stopped = loop.reason
        return True
