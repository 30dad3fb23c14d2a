"""The training loop shared by models and estimators: everything around and between the epochs."""

from collections.abc import Callable
from typing import Any, Protocol

from fastmlp.common.validation import is_finite
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.runner import EpochResult
from fastmlp.training.callbacks import Callbacks, TrainingInfo
from fastmlp.training.history import History
from fastmlp.training.reasons import INTERRUPTED, TIME_LIMIT
from fastmlp.training.stopping import Snapshot, StoppingRule

__all__ = ["Epochs", "Loop"]

_STEPS_BETWEEN_COPIES = 64  # at least: a copy moves about as much memory as one step's update


class Epochs(Protocol):
    """Trains epochs of minibatch steps and builds their history records."""

    @property
    def validates(self) -> bool:
        """Whether `validate` has anything to evaluate, which takes time."""
        ...

    def train(self, epoch: int, poll: Callable[[], None]) -> EpochResult:
        """Run the steps of an epoch, counted from 0; call ``poll`` about ten times a second."""
        ...

    def record(self, epoch: int, result: EpochResult) -> dict[str, Any]:
        """Return the history record of the epoch that `train` has just run."""
        ...

    def validate(self, record: dict[str, Any]) -> None:
        """Add the validation results to the record."""
        ...

    def diverged(self, step: int) -> str:
        """Return a message that the epoch's step with that index diverged, or raise."""
        ...


class Loop:
    """One call of ``fit``, after its checks.

    It handles Ctrl-C, callbacks, the stopping rule, the copies to roll back to and the history. The
    function passed to `run` makes the epochs.

    Parameters
    ----------
    info : TrainingInfo
    callbacks : Callbacks
    rule : StoppingRule, optional
    best : Snapshot, optional
        Saves the parameters of the epoch that the rule calls the best; they are restored at the
        end of training.
    last_good : Snapshot, optional
        A copy from before the first step. It is refreshed between epochs, and restored when an
        epoch diverges or fails.
    copies_every_epoch : bool, default False
        Whether to refresh it before every epoch, rather than only after a number of steps.

    Attributes
    ----------
    history : History
    reason : str or None
        Why training stopped, if something stopped it, even after the last epoch.
    after_epoch : callable or None
        Called after each epoch, when the callbacks and the rule have seen it.

    """

    def __init__(
        self,
        info: TrainingInfo,
        callbacks: Callbacks,
        rule: StoppingRule | None = None,
        *,
        best: Snapshot | None = None,
        last_good: Snapshot | None = None,
        copies_every_epoch: bool = False,
    ):
        self.info: TrainingInfo = info
        self.callbacks: Callbacks = callbacks
        self.rule: StoppingRule | None = rule
        self.best: Snapshot | None = best
        self.last_good: Snapshot | None = last_good
        self.steps_between_copies: int = 0 if copies_every_epoch else _STEPS_BETWEEN_COPIES
        self.history: History = History()
        self.reason: str | None = None
        self.after_epoch: Callable[[], None] | None = None
        self._first_epoch, self._midway = 0, False

    def continue_from(self, epoch: int, midway: bool, reason: str | None) -> None:
        """Begin with a later epoch, because a run is resumed.

        Parameters
        ----------
        epoch : int
        midway : bool
            Whether some steps of that epoch are already done. The last good copy is then that of
            its beginning.
        reason : str or None
            Why the run has already been stopped.

        """
        self._first_epoch, self._midway = epoch, midway
        if reason in (None, TIME_LIMIT):  # the rule may have said so at the same time
            reason = None if self.rule is None else self.rule.reason()
        if reason is not None:
            self._first_epoch, self.reason = self.info.epochs, reason
            if epoch < self.info.epochs:
                self.history.stopped = reason

    def run(self, make_epochs: Callable[[], None]) -> None:
        """Call ``make_epochs()`` between the callbacks' `on_train_begin` and `on_train_end`.

        An exception from ``make_epochs`` is raised after `on_train_end`; a KeyboardInterrupt only
        ends training.
        """
        error: BaseException | None = None
        try:
            self.callbacks.begin(self.info)
            make_epochs()
        except KeyboardInterrupt:
            self.reason = self.history.stopped = INTERRUPTED
        except BaseException as failure:
            error = failure
        if self.best is not None and self.rule is not None and self.rule.has_best:
            self.best.restore()
        try:
            error = self.callbacks.end(self.history, error)
            if error is not None:
                raise error
        finally:
            del error  # its traceback would keep this frame, and with it the memory of the run

    def make(self, epochs: Epochs) -> None:
        """Run epochs until all are done or something stops them."""
        if len(self.callbacks) or epochs.validates:
            self._make(epochs)
            return
        with Interrupt() as interrupt:  # nothing between epochs takes long, so one block is enough
            self._make(epochs)
        if interrupt.pending:
            raise KeyboardInterrupt

    def _make(self, epochs: Epochs) -> None:
        for epoch in range(self._first_epoch, self.info.epochs):
            with Interrupt() as interrupt:  # the steps and their record stay in sync
                record = self._train(epochs, epoch)
            if interrupt.pending:
                raise KeyboardInterrupt
            if record is None:
                return
            epochs.validate(record)
            if self.end_epoch(record):
                return

    def _train(self, epochs: Epochs, epoch: int) -> dict[str, Any] | None:
        """Run an epoch and record it; return the record, None if the epoch diverged."""
        result = self._steps(epochs, epoch)
        self.history.add_steps(result.losses)
        if result.interrupted and len(result.losses) < self.info.steps_per_epoch:
            raise KeyboardInterrupt
        step = result.diverged_step
        if step is None and not is_finite(self.info.model.theta):
            step = len(result.losses) - 1
        if step is not None:
            if self.last_good is not None:
                self.last_good.restore()
            self.reason = self.history.stopped = epochs.diverged(step)
            return None
        record = epochs.record(epoch, result)
        self.history.epochs.append(record)
        if result.interrupted:
            raise KeyboardInterrupt
        return record

    def _steps(self, epochs: Epochs, epoch: int) -> EpochResult:
        """Run the steps of an epoch; if they raise, restore the last good copy."""
        good = self.last_good
        if good is not None and good.age >= self.steps_between_copies and not self._midway:
            good.save()
        self._midway = False
        try:
            return epochs.train(epoch, self.callbacks.poll)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait for the end of a step
            raise
        except BaseException:
            if good is not None:
                good.restore()
            raise

    def end_epoch(self, record: dict[str, Any]) -> bool:
        """Pass a complete epoch to the callbacks and the rule; return whether training stops."""
        reason = self.callbacks.end_epoch(record, self.info.model)
        if self.rule is not None:
            with Interrupt() as interrupt:  # the best epoch and its copy stay in sync
                if self.rule.update(record) and self.best is not None:
                    self.best.save()
                self.history.best_epoch = self.rule.best_epoch
                rule_says = self.rule.reason()
            if interrupt.pending:
                raise KeyboardInterrupt
            reason = reason or rule_says
        self.reason = reason
        if reason is not None and record["epoch"] + 1 < self.info.epochs:
            self.history.stopped = reason
        if self.after_epoch is not None:
            with Interrupt() as interrupt:
                self.after_epoch()
            if interrupt.pending:
                raise KeyboardInterrupt
        return reason is not None
