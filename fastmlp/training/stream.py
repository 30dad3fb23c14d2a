"""Rows that do not fit into memory: read block by block into a buffer, and shuffled there."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from fastmlp.training.batches import generator

__all__ = ["Stream"]

_PIECES = 16  # of the buffer: at a time, one is trained on while another one is read
_WAIT = 0.1  # seconds


class Stream:
    """Stands in for the rows of a fit; the arrays are a buffer that a thread fills.

    A part of an epoch is drawn from the buffer at random, trained on, and replaced by the next rows
    that were read meanwhile.

    Parameters
    ----------
    source : ArrayBlocks or CalledBlocks
    batch_size : int
    buffer_rows : int
        Rows among which to draw.
    seed : int or None
        None keeps the order in which the rows are read.

    Attributes
    ----------
    X, targets, weights : numpy.ndarray
        The buffer.
    index : None

    """

    index = None
    X: Any
    targets: Any
    weights: Any

    def __init__(self, source: Any, batch_size: int, buffer_rows: int, seed: int | None):
        self._source, self._seed = source, seed
        self._part_rows = -(-max(1, buffer_rows // _PIECES) // batch_size) * batch_size
        self._drawn_from = max(2, round(buffer_rows / self._part_rows)) * self._part_rows
        n_slots = min(len(self), self._drawn_from) + 2 * self._part_rows
        first = source.first
        buffer: Any = (
            None if a is None else np.empty((n_slots, *a.shape[1:]), a.dtype)
            for a in (first.X, first.targets, first.weights)
        )
        self.X, self.targets, self.weights = buffer

    def __len__(self) -> int:
        """Return the number of rows of an epoch."""
        return self._source.n_rows

    @property
    def n_outputs(self) -> int:
        """Number of target columns; 1 for labels."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    def digest(self) -> str:
        """Return a hash of what decides which rows are trained on in which order."""
        return f"{self._source.digest()} {len(self)} {self._part_rows} {self._drawn_from}"

    def parts(
        self, epoch: int, stopped: Callable[[], bool], poll: Callable[[], None]
    ) -> Iterator[np.ndarray]:
        """Yield the rows of the buffer to train on next, until all rows have had their turn.

        All parts but the last have a multiple of the batch size.

        Parameters
        ----------
        epoch : int
            The number of epochs before this one.
        stopped : callable
            Whether to give up waiting for rows, which ends the iteration.
        poll : callable
            Called while waiting.

        """
        rng = None if self._seed is None else generator(self._seed, epoch)
        reading = _Reading(self, self._source, rng, self._part_rows)
        try:
            ready, ended = np.empty(0, np.int64), False
            while not ended or len(ready):
                while not ended and len(ready) < self._drawn_from:
                    slots = reading.next(stopped, poll)
                    if slots is None:
                        return
                    ended = not len(slots)
                    ready = np.concatenate([ready, slots])
                n = self._part_rows
                if ended and len(ready) < 2 * n:
                    n = len(ready)  # so that a single last row is never alone
                if not n:
                    return
                drawn = np.arange(n) if rng is None else rng.choice(len(ready), n, replace=False)
                part, left = ready[drawn], np.ones(len(ready), bool)
                left[drawn] = False
                ready = ready[left]
                yield part
                reading.give_back(part)
        finally:
            reading.end()


class _Reading:
    """A thread that reads an epoch's rows into free slots of a buffer."""

    def __init__(
        self, stream: Stream, source: Any, rng: "np.random.Generator | None", part_rows: int
    ):
        self._stream, self._source, self._part_rows = stream, source, part_rows
        self._starts = source.stretches(part_rows, rng)
        self._free: SimpleQueue[np.ndarray | None] = SimpleQueue()
        self._filled: SimpleQueue[np.ndarray | BaseException] = SimpleQueue()
        slots = np.arange(len(stream.X))
        for start in range(0, len(slots), part_rows):
            self._free.put(slots[start : start + part_rows])
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def next(self, stopped: Callable[[], bool], poll: Callable[[], None]) -> np.ndarray | None:
        """Return slots with the next rows, empty after the last one; None if told to stop."""
        while True:
            if stopped():
                return None
            try:
                found = self._filled.get(timeout=_WAIT)
            except Empty:
                poll()
                continue
            if isinstance(found, BaseException):
                raise found
            return found

    def give_back(self, slots: np.ndarray) -> None:
        """Let the slots be filled again."""
        self._free.put(slots)

    def end(self) -> None:
        """End the thread, at the latest after the block that it is reading."""
        self._ended = True
        self._free.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._fill()
        except BaseException as error:  # raised where the rows are wanted
            self._filled.put(error)

    def _fill(self) -> None:
        slots, n_filled, n_read = np.empty(0, np.int64), 0, 0
        n_rows = len(self._stream)
        for rows in self._source.read(self._starts, self._part_rows):
            n_read += len(rows)
            if n_read > n_rows:
                break
            at = 0
            while at < len(rows):
                if n_filled == len(slots):
                    if n_filled:
                        self._filled.put(slots)
                    taken = self._free.get()
                    if taken is None or self._ended:
                        return
                    slots, n_filled = taken, 0
                n = min(len(slots) - n_filled, len(rows) - at)
                self._copy(rows, slice(at, at + n), slots[n_filled : n_filled + n])
                at, n_filled = at + n, n_filled + n
            if self._ended:
                return
        if n_read != n_rows:
            more = "more" if n_read > n_rows else f"only {n_read:,}"
            raise ValueError(
                f"batches() gave {n_rows:,} rows when they were counted, and now {more}: it must "
                "give the same rows at each call"
            )
        if n_filled:
            self._filled.put(slots[:n_filled])
        self._filled.put(slots[:0])

    def _copy(self, rows: Any, part: slice, slots: np.ndarray) -> None:
        stream = self._stream
        stream.X[slots] = rows.X[part]
        stream.targets[slots] = rows.targets[part]
        if stream.weights is not None:
            stream.weights[slots] = rows.weights[part]
