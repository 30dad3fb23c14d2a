"""Ending many runs at once, from outside."""

import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Halt"]


class Stoppable(Protocol):
    """What trains a model and can be told to stop."""

    def stop(self) -> None:
        """End at the end of the current step."""
        ...


class Halt:
    """A callback that ends all runs that have it, when it is told to.

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
        self._running: list[Stoppable] = []

    def now(self, reason: str) -> None:
        """End all runs for this reason, unless there is one already."""
        self.reason = self.reason or reason
        for runner in tuple(self._running):
            runner.stop()

    def attach(self, runner: Stoppable) -> None:
        """Stop this one too when all runs end."""
        self._running.append(runner)
        if self.reason is not None:
            runner.stop()

    def detach(self, runner: Stoppable) -> None:
        """Forget one that has ended."""
        self._running.remove(runner)

    def seconds_left(self) -> float:
        """Return after how many seconds no new epoch starts."""
        return self._deadline - time.monotonic()

    def ended(self) -> str | None:
        """Return why no new epoch starts, None if it may."""
        return self.reason or ("time limit" if self.seconds_left() <= 0 else None)

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """End a run after an epoch."""
        return self.ended()

    def poll(self) -> None:
        """End a run within an epoch."""
        if self.reason is not None:
            raise KeyboardInterrupt
