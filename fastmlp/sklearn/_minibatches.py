"""Minibatches of the rows, and dense windows on large sparse ones."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastmlp.common.rows import Rows
from fastmlp.common.trainable import Trainable
from fastmlp.sklearn._data import WINDOW
from fastmlp.training.batches import Batches

__all__ = ["Window", "minibatches"]


def minibatches(model: Trainable, asked: Any, n_rows: int) -> Batches:
    """Return the minibatches for the argument ``batch_size``, clipped to the number of rows."""
    if isinstance(asked, str):
        return Batches.of(model, n_rows, min(200, n_rows))
    if asked > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=8,
        )
    return Batches.of(model, n_rows, min(int(asked), n_rows))


class Window:
    """Copies a large sparse matrix to the same dense arrays, some rows at a time.

    Parameters
    ----------
    rows : Rows
        Rows with a sparse X, already cast to the runner's dtype.
    batches : Batches
        A window holds a whole number of minibatches.

    Attributes
    ----------
    rows : Rows
        The current window's rows, for a runner to read.

    """

    def __init__(self, rows: Rows, batches: Batches):
        self.source, self.batches = rows, batches
        row_bytes = rows.X.shape[1] * rows.X.dtype.itemsize
        self.n_rows = max(1, WINDOW // (row_bytes * batches.size)) * batches.size
        n = self.n_rows + batches.joins
        weights = None if rows.weights is None else np.empty_like(rows.weights, shape=n)
        self.rows = Rows(
            np.empty((n, rows.X.shape[1]), rows.X.dtype),
            np.empty_like(rows.targets, shape=(n, *rows.targets.shape[1:])),
            weights,
        )

    def slide(self, order: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
        """Move the window over the rows, in the given order.

        Yields
        ------
        order : numpy.ndarray, int64
            Order of the rows within the window.
        n_steps : int
            Number of minibatches in the window.

        """
        joins = self.batches.joins
        last = len(order) - joins  # a row that joins the last minibatch must not start a new window
        for start in range(0, last, self.n_rows):
            stop = start + self.n_rows
            indices = order[start : stop if stop < last else len(order)]
            n = len(indices)
            self.source.X[indices].toarray(out=self.rows.X[:n])
            self.rows.targets[:n] = self.source.targets[indices]
            if self.source.weights is not None and self.rows.weights is not None:
                self.rows.weights[:n] = self.source.weights[indices]
            yield np.arange(n), -(-min(n, self.n_rows) // self.batches.size)
