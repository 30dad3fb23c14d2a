"""The progress of the networks of a table, in one line of a terminal; elsewhere it is quiet."""

import math
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from fastmlp.common.errors import counted
from fastmlp.training.callbacks import Callback, TrainingInfo
from fastmlp.training.progress import duration

__all__ = ["Watch"]

_SECONDS = 0.2  # between two versions of the line
_SHARE_TO_TELL_BY = 0.02  # before that, most of the time went into what is done once


class Watch(Callback):
    """Shows the share that is done and the time left on standard error, if it is a terminal.

    Parameters
    ----------
    time_limit : float or None
        Seconds.

    """

    def __init__(self, time_limit: float | None):
        self.time_limit = time_limit
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._next = 0.0
        self._epochs: dict[int, tuple[int, int]] = {}  # thread -> epochs done and planned
        self._done, self._total = 0, 1
        self._shown = False

    def __enter__(self) -> "Watch":
        """Start the clock."""
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: Any) -> None:
        """Remove the line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def begin(self, total: int) -> None:
        """Note how many networks the ensemble will have; with a time limit, at most."""
        with self._lock:
            self._total = total

    def finish(self, member: Any, number: int, total: int) -> None:
        """Note that a network of the ensemble is complete."""
        with self._lock:
            self._done = number

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Note how many epochs a network will have."""
        with self._lock:
            self._epochs[threading.get_ident()] = (0, info.epochs)

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Renew the line, a few times a second."""
        if not sys.stderr.isatty():
            return
        with self._lock:
            key = threading.get_ident()
            self._epochs[key] = (epoch + 1, self._epochs[key][1])
            now = time.monotonic()
            if now < self._next:
                return
            self._next, self._shown = now + _SECONDS, True
            line = self._line(now, shutil.get_terminal_size().columns)
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    def _line(self, now: float, columns: int) -> str:
        """Return what there is to tell at a time, on a terminal with so many columns."""
        running = sum(done / planned for done, planned in self._epochs.values() if done < planned)
        share = min(1.0, (self._done + running) / max(self._total, self._done + 1))
        took = now - self._began
        left = took / share - took if share > _SHARE_TO_TELL_BY else math.inf
        networks = f", {self._done} of {self._total} networks" if self._total > 1 else ""
        if self.time_limit is not None:  # there will be as many networks as it leaves time for
            share = max(share, min(1.0, took / self.time_limit))
            left = min(left, max(0.0, self.time_limit - took))
            networks = f", {counted(self._done, 'network')}" if self._total > 1 else ""
        start, end = f"training: {share:.0%}", f", {duration(left)} left"
        if len(start + networks + end) >= columns:
            networks = ""
        return f"{start}{networks}{end}"[: columns - 1]
