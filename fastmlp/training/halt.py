"""Ending many runs at once, from outside."""

import math
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any, Protocol

from fastmlp.training.callbacks import TrainingInfo
from fastmlp.training.history import History
from fastmlp.training.reasons import TIME_LIMIT

__all__ = ["Halt", "HaltedRun"]


class Stoppable(Protocol):
    """What trains a model and can be told to stop."""

    n_threads: int

    def stop(self) -> None:
        """End at the end of the current step."""
        ...

    def pause(self) -> None:
        """Pause at the end of the current epoch."""
        ...

    def useful_threads(self, n_threads: int) -> int:
        """Return how many of so many threads it can use."""
        ...


class Halt:
    """Ends many runs, when it is told to or when their time is up.

    Parameters
    ----------
    seconds : float, optional
        After so many seconds no new epoch starts.

    Attributes
    ----------
    reason : str or None
        Why all runs should end now.

    """

    def __init__(self, seconds: float | None = None):
        self.reason: str | None = None
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._runs: tuple[HaltedRun, ...] = ()
        self._spare = 0  # threads that wait to be lent
        self._lock = Lock()

    def now(self, reason: str) -> None:
        """End all runs for this reason, unless there is one already."""
        self.reason = self.reason or reason
        for run in self._runs:
            run.stop()

    def seconds_left(self) -> float:
        """Return after how many seconds no new epoch starts."""
        return self._deadline - time.monotonic()

    def ended(self) -> str | None:
        """Return why no new epoch starts, None if it may."""
        return self.reason or (TIME_LIMIT if self.seconds_left() <= 0 else None)

    def add(self, run: "HaltedRun") -> None:
        """End this run too."""
        with self._lock:
            self._runs = (*self._runs, run)

    def remove(self, run: "HaltedRun") -> None:
        """Forget a run that has ended."""
        with self._lock:
            self._runs = tuple(each for each in self._runs if each is not run)

    def lend(self, n_threads: int) -> None:
        """Lend more threads to the runs, now or when one can use them."""
        with self._lock:
            self._spare += n_threads
            for run in sorted(self._runs, key=lambda run: run.n_threads):
                self._spare -= run.borrow(self._spare)

    def steps_done(self) -> int:
        """Return how many steps the runs that have not ended have done."""
        return sum(run.steps_done() for run in self._runs)


class HaltedRun:
    """A callback that ends one of the runs when its `Halt` says so.

    Attributes
    ----------
    n_threads : int
        How many threads the run may use; it may grow while the model is trained.
    told : str or None
        Why the run was told to end after an epoch.

    """

    def __init__(self, halt: Halt, n_threads: int):
        self.n_threads: int = n_threads
        self.told: str | None = None
        self._halt = halt
        self._info: TrainingInfo | None = None
        self._runner: Stoppable | None = None

    def attach(self, runner: Stoppable) -> None:
        """Stop what trains the model in compiled code, and lend it threads, now or later."""
        self._runner = runner
        if self._halt.reason is not None:
            runner.stop()
        if runner.useful_threads(self.n_threads) > runner.n_threads:
            runner.pause()
        self._halt.lend(0)

    def stop(self) -> None:
        """End the run at the end of the current step."""
        runner = self._runner
        if runner is not None:
            runner.stop()

    def borrow(self, n_threads: int) -> int:
        """Use more threads from the next epoch on, at most so many; return how many."""
        runner = self._runner
        if runner is None or n_threads == 0:
            return 0
        more = max(0, runner.useful_threads(self.n_threads + n_threads) - self.n_threads)
        if more:
            self.n_threads += more
            runner.pause()
        return more

    def seconds_left(self) -> float:
        """Return after how many seconds no new epoch starts."""
        return self._halt.seconds_left()

    def steps_done(self) -> int:
        """Return how many steps the run has done."""
        info = self._info
        return 0 if info is None else info.steps_done()

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Remember how to count the steps."""
        self._info = info

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """End the run after an epoch."""
        self.told = self._halt.ended()
        return self.told

    def on_train_end(self, history: History) -> None:
        """Let go of the run's memory."""
        self._info = self._runner = None

    def poll(self) -> None:
        """End the run within an epoch."""
        if self._halt.reason is not None:
            raise KeyboardInterrupt
