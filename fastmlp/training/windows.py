"""Large arrays that are trained on where they lie, window by window: nothing is copied."""

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastmlp.common.validation import as_data
from fastmlp.training.batches import generator
from fastmlp.training.blocks import array_digest
from fastmlp.training.mapped import advise
from fastmlp.training.stream import Ahead, Stream

__all__ = ["WindowedStream"]

_PIECE = 1 << 19  # bytes that are checked at a time, while they are in a processor's cache


class WindowedStream(Stream):
    """Trains on some stretches of an array at a time, its window.

    The stretches are drawn from the whole array, and the rows of a window are shuffled. A thread
    brings the next window into memory while one is trained on, and checks it in the first epoch.

    Parameters
    ----------
    model : Sequential
    X : numpy.ndarray
        As the network takes it, see `takes`.
    targets, weights : numpy.ndarray
    batch_size, buffer_rows, seed
        As in `Stream`.

    """

    reading_seconds: float
    X: Any
    targets: Any
    weights: Any

    def __init__(
        self,
        model: Any,
        X: np.ndarray,
        targets: np.ndarray,
        weights: Any,
        batch_size: int,
        buffer_rows: int,
        seed: int | None,
    ):
        super().__init__(batch_size, buffer_rows, seed)
        self._model, self._mapped = model, X
        self.X, self.targets, self.weights = np.asarray(X), targets, weights
        self._is_checked = False  # after the first epoch

    @staticmethod
    def takes(model: Any, X: np.ndarray) -> bool:
        """Return whether kernels can read an array as it is."""
        taken = as_data(X[:1], model.dtype, finite=False, exact=model.takes_exactly)
        flags = X.flags
        return taken.dtype == X.dtype and flags.c_contiguous and flags.aligned

    def __len__(self) -> int:
        """Return the number of rows of an epoch."""
        return len(self.X)

    def digest(self) -> str:
        """Return a hash of what decides which rows are trained on in which order."""
        return f"{array_digest(self.X, self.targets, self.weights)} {super().digest()}"

    def parts(
        self, epoch: int, stopped: Callable[[], bool], poll: Callable[[], None]
    ) -> Iterator[np.ndarray]:
        """Yield the rows of the array to train on next, see `Stream`."""
        rng = None if self._seed is None else generator(self._seed, epoch)
        windows = self._windows(rng)
        reading = Ahead(self._bring_in)
        try:
            for window in windows[:2]:
                reading.allow(window)
            left, n_left = np.empty(0, np.int64), len(self)
            for number, window in enumerate(windows):
                if reading.next(stopped, poll) is None:
                    return
                rows = np.concatenate([left, *(np.arange(a, b) for a, b in window)])
                if rng is not None:
                    rows = rng.permutation(rows)
                n = len(rows)
                if n < n_left:
                    n -= n % self._batch_size
                    n -= self._batch_size * (n_left - n == 1)  # a single row is never alone
                self.reading_seconds = reading.seconds if windows[number + 1 :] else 0.0
                if n:
                    yield rows[:n]
                left, n_left = rows[n:], n_left - n
                for start, stop in window:
                    advise(self._mapped[start:stop], "MADV_DONTNEED")
                for later in windows[number + 2 : number + 3]:
                    reading.allow(later)
            self._is_checked = True
        finally:
            reading.end()

    def _windows(self, rng: "np.random.Generator | None") -> list[list[tuple[int, int]]]:
        """Return where the stretches of each window begin and end."""
        starts = np.arange(0, len(self), self._stretch_rows)
        if rng is not None:
            starts = rng.permutation(starts)
        n_windows = max(1, round(len(starts) * self._stretch_rows / self._drawn_from))
        return [
            [(start, min(start + self._stretch_rows, len(self))) for start in window.tolist()]
            for window in np.array_split(starts, n_windows)
        ]

    def _bring_in(self, reading: Ahead) -> None:
        """Read windows into memory, and give them."""
        n_piece = max(1, _PIECE // max(1, self.X[:1].nbytes))
        while (window := reading.take()) is not None:
            for number, (start, stop) in enumerate(window):
                for first, last in window[number : number + 2]:  # the disk reads the next one too
                    advise(self._mapped[first:last], "MADV_WILLNEED")
                for begin in range(start, stop, n_piece):
                    self._look_at(begin, min(begin + n_piece, stop))
                    if reading.ended:
                        return
            reading.give(window)

    def _look_at(self, start: int, stop: int) -> None:
        """Check rows in the first epoch; later, make sure that they are in memory."""
        rows = self.X[start:stop]
        if not self._is_checked:
            as_data(rows, self._model.dtype, f"X in rows {start} to {stop - 1}")
        elif isinstance(self._mapped, np.memmap):
            rows.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max()
