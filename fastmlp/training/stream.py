"""Rows that do not fit into memory: what all streams have, and the thread that reads ahead."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

__all__ = ["Ahead", "Stream"]

_STRETCHES = 16  # of neighbouring rows, among which to draw
_WAIT = 0.1  # seconds


class Stream:
    """Stands in for the rows of a fit, and says which to train on next.

    Parameters
    ----------
    batch_size : int
    buffer_rows : int
        Rows among which to draw.
    seed : int or None
        None keeps the order in which the rows are read.

    Attributes
    ----------
    X, targets, weights : numpy.ndarray
        What the rows that `parts` yields are rows of.
    index : None
    reading_seconds : float
        Processor time that reading ahead will take while the next part is trained on, as far as
        is known.

    """

    index = None
    reading_seconds: float = 0.0
    X: Any
    targets: Any
    weights: Any

    def __init__(self, batch_size: int, buffer_rows: int, seed: int | None):
        self._batch_size, self._seed = batch_size, seed
        stretch = max(1, buffer_rows // _STRETCHES)
        self._stretch_rows: int = -(-stretch // batch_size) * batch_size
        n_stretches = max(2, round(buffer_rows / self._stretch_rows))
        self._drawn_from: int = n_stretches * self._stretch_rows

    def __len__(self) -> int:
        """Return the number of rows of an epoch."""
        raise NotImplementedError

    @property
    def n_outputs(self) -> int:
        """Number of target columns; 1 for labels."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    def digest(self) -> str:
        """Return a hash of what decides which rows are trained on in which order."""
        return f"{len(self)} {self._stretch_rows} {self._drawn_from}"

    def parts(
        self, epoch: int, stopped: Callable[[], bool], poll: Callable[[], None]
    ) -> Iterator[np.ndarray]:
        """Yield the rows to train on next, until all rows have had their turn.

        All parts but the last have a multiple of the batch size, and the last has more than one
        row.

        Parameters
        ----------
        epoch : int
            The number of epochs before this one.
        stopped : callable
            Whether to give up waiting for rows, which ends the iteration.
        poll : callable
            Called while waiting.

        """
        raise NotImplementedError


class Ahead:
    """A thread that reads ahead.

    Parameters
    ----------
    work : callable
        ``work(ahead)`` runs in the thread: it calls `take` for what it may do, and `give`.

    Attributes
    ----------
    ended : bool
        Whether the thread should end.
    seconds : float
        Processor time that the thread needed for what it gave last.

    """

    def __init__(self, work: Callable[["Ahead"], None]):
        self.ended: bool = False
        self.seconds: float = 0.0
        self._allowed: SimpleQueue[Any] = SimpleQueue()
        self._read: SimpleQueue[Any] = SimpleQueue()
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def allow(self, task: Any) -> None:
        """Let the thread do something more."""
        self._allowed.put(task)

    def next(self, stopped: Callable[[], bool], poll: Callable[[], None]) -> Any:
        """Wait for what the thread gives next, or raise its error; return None if told to stop."""
        while True:
            if stopped():
                return None
            try:
                found = self._read.get(timeout=_WAIT)
            except Empty:
                poll()
                continue
            if isinstance(found, BaseException):
                raise found
            return found

    def end(self) -> None:
        """End the thread, at the latest after the block that it is reading."""
        self.ended = True
        self._allowed.put(None)
        self._thread.join()

    def take(self) -> Any:
        """In the thread: wait for what it may do next; None if it should end."""
        task = self._allowed.get()
        return None if self.ended else task

    def give(self, result: Any) -> None:
        """In the thread: pass on what has been read."""
        now = time.thread_time()
        self.seconds, self._given = now - self._given, now
        self._read.put(result)

    def _run(self) -> None:
        self._given = time.thread_time()
        try:
            self._work(self)
        except BaseException as error:  # raised where the rows are wanted
            self._read.put(error)
