"""The rows of one fit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

__all__ = ["Rows", "Window", "as_rows", "dense", "r2"]

_LARGE = 1 << 28  # bytes: a sparse matrix that would need more is spread out a part at a time


@dataclass(frozen=True)
class Rows:
    """Inputs and targets.

    Attributes
    ----------
    X : numpy.ndarray or csr matrix, shape (N, D)
        In the network's dtype; an array is row-major.
    targets : numpy.ndarray
        int64 labels (N,) or numbers (N, C) in the network's dtype.
    weights : numpy.ndarray, shape (N,), or None

    """

    X: Any
    targets: np.ndarray
    weights: np.ndarray | None

    def __len__(self) -> int:
        """N."""
        return self.X.shape[0]

    def take(self, indices: np.ndarray) -> "Rows":
        """Return a copy of some rows."""
        weights = None if self.weights is None else self.weights[indices]
        return Rows(self.X[indices], self.targets[indices], weights)

    def spread_out(self) -> "Rows":
        """Return the same rows with an array for a sparse X."""
        return Rows(dense(self.X), self.targets, self.weights)


class Window:
    """Some rows of a large sparse matrix at a time, in arrays that stay where they are.

    Parameters
    ----------
    rows : Rows
        With a sparse X.
    batch_size : int
        A window holds a multiple of it.

    Attributes
    ----------
    rows : Rows
        What the window shows, for a runner to read.

    """

    def __init__(self, rows: Rows, batch_size: int):
        self.source = rows
        row_bytes = rows.X.shape[1] * rows.X.dtype.itemsize
        n = max(1, _LARGE // 4 // (row_bytes * batch_size)) * batch_size
        weights = None if rows.weights is None else np.empty_like(rows.weights, shape=n)
        self.rows = Rows(
            np.empty((n, rows.X.shape[1]), rows.X.dtype),
            np.empty_like(rows.targets, shape=(n, *rows.targets.shape[1:])),
            weights,
        )

    def slide(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Show one window after the other of the rows in that order; yield the order within it."""
        for start in range(0, len(order), len(self.rows)):
            shown = self.source.take(order[start : start + len(self.rows)])
            n = len(shown)
            shown.X.toarray(out=self.rows.X[:n])
            self.rows.targets[:n] = shown.targets
            if shown.weights is not None and self.rows.weights is not None:
                self.rows.weights[:n] = shown.weights
            yield np.arange(n)


def as_rows(X: Any, targets: np.ndarray, weights: np.ndarray | None, dtype: np.dtype) -> Rows:
    """Return rows in the network's dtype, as an array unless that would be large."""
    if issparse(X) and X.shape[0] * X.shape[1] * dtype.itemsize > _LARGE:
        X = X.tocsr().astype(dtype)
    else:
        X = dense(X).astype(dtype, copy=False)
    if targets.dtype.kind == "f":
        targets = np.ascontiguousarray(targets, dtype)
    if weights is not None:
        weights = np.ascontiguousarray(weights, dtype)
    return Rows(X, targets, weights)


def dense(X: Any) -> np.ndarray:
    """Return X, a sparse matrix spread out, as a row-major array."""
    return np.ascontiguousarray(X.toarray() if issparse(X) else X)


def r2(targets: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the coefficient of determination, meaned over outputs; NaN if a prediction is.

    1 - sum w (t - p)**2 / sum w (t - mean t)**2; for an output that does not vary 1 if it is met
    and 0 if not, as in scikit-learn's ``r2_score``.
    """
    if not np.isfinite(predictions).all():
        return math.nan
    t, p = targets.astype(np.float64), predictions.reshape(targets.shape).astype(np.float64)
    w = np.ones((len(t), 1)) if weights is None else weights.astype(np.float64)[:, None]
    with np.errstate(over="ignore"):
        left = (w * (t - p) ** 2).sum(axis=0)
    spread = (w * (t - np.average(t, axis=0, weights=w[:, 0])) ** 2).sum(axis=0)
    varies = spread > 0
    scores = np.where(left > 0, 0.0, 1.0)
    scores[varies] = 1.0 - left[varies] / spread[varies]
    return float(scores.mean())
