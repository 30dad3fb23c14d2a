"""Rows that are read block by block into a buffer, and shuffled there."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fastmlp.training.batches import generator
from fastmlp.training.stream import Ahead, Stream

__all__ = ["BufferedStream"]


class BufferedStream(Stream):
    """Trains on a buffer that a thread fills.

    A part of an epoch is drawn from the buffer at random, trained on, and replaced by the next rows
    that were read meanwhile.

    Parameters
    ----------
    source : ConvertedBlocks or CalledBlocks
    batch_size, buffer_rows, seed
        As in `Stream`.

    """

    reading_seconds: float
    X: Any
    targets: Any
    weights: Any

    def __init__(self, source: Any, batch_size: int, buffer_rows: int, seed: int | None):
        super().__init__(batch_size, buffer_rows, seed)
        self._source = source
        n_slots = min(len(self), self._drawn_from) + 2 * self._stretch_rows
        first = source.first
        # Written to now, because the system takes a while to provide new memory.
        buffer: Any = (
            None if a is None else np.full((n_slots, *a.shape[1:]), 0, a.dtype)
            for a in (first.X, first.targets, first.weights)
        )
        self.X, self.targets, self.weights = buffer

    def __len__(self) -> int:
        """Return the number of rows of an epoch."""
        return self._source.n_rows

    def digest(self) -> str:
        """Return a hash of what decides which rows are trained on in which order."""
        return f"{self._source.digest()} {super().digest()}"

    def parts(
        self, epoch: int, stopped: Callable[[], bool], poll: Callable[[], None]
    ) -> Iterator[np.ndarray]:
        """Yield the rows of the buffer to train on next, see `Stream`."""
        rng = None if self._seed is None else generator(self._seed, epoch)
        starts = self._source.stretches(self._stretch_rows, rng)
        reading = Ahead(partial(self._fill, starts))
        slots = np.arange(len(self.X))
        for start in range(0, len(slots), self._stretch_rows):
            reading.allow(slots[start : start + self._stretch_rows])
        try:
            ready, ended = np.empty(0, np.int64), False
            while not ended or len(ready):
                while not ended and len(ready) < self._drawn_from:
                    filled = reading.next(stopped, poll)
                    if filled is None:
                        return
                    ended = not len(filled)
                    ready = np.concatenate([ready, filled])
                n = self._stretch_rows
                if ended and len(ready) < 2 * n:
                    n = len(ready)  # so that a single last row is never alone
                if not n:
                    return
                drawn = np.arange(n) if rng is None else rng.choice(len(ready), n, replace=False)
                part, left = ready[drawn], np.ones(len(ready), bool)
                left[drawn] = False
                ready = ready[left]
                self.reading_seconds = 0.0 if ended else reading.seconds
                yield part
                reading.allow(part)
        finally:
            reading.end()

    def _fill(self, starts: np.ndarray, reading: Ahead) -> None:
        """Read an epoch's rows into free slots, and give them; in the end, none."""
        slots, n_filled, n_read = np.empty(0, np.int64), 0, 0
        n_rows = len(self)
        for rows in self._source.read(starts, self._stretch_rows):
            n_read += len(rows)
            if n_read > n_rows:
                break
            at = 0
            while at < len(rows):
                if n_filled == len(slots):
                    if n_filled:
                        reading.give(slots)
                    slots, n_filled = reading.take(), 0
                    if slots is None:
                        return
                n = min(len(slots) - n_filled, len(rows) - at)
                self._copy(rows, slice(at, at + n), slots[n_filled : n_filled + n])
                at, n_filled = at + n, n_filled + n
            if reading.ended:
                return
        if n_read != n_rows:
            more = "more" if n_read > n_rows else f"only {n_read:,}"
            raise ValueError(
                f"batches() gave {n_rows:,} rows when they were counted, and now {more}: it must "
                "give the same rows at each call"
            )
        if n_filled:
            reading.give(slots[:n_filled])
        reading.give(slots[:0])

    def _copy(self, rows: Any, part: slice, slots: np.ndarray) -> None:
        self.X[slots] = rows.X[part]
        self.targets[slots] = rows.targets[part]
        if self.weights is not None:
            self.weights[slots] = rows.weights[part]
