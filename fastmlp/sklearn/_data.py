"""The rows of one fit, and how well an estimator does on the rows set aside."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Rows", "Validation", "dense", "r2"]


@dataclass(frozen=True)
class Rows:
    """Inputs and targets in the form that the kernels take.

    Attributes
    ----------
    X : numpy.ndarray, shape (N, D)
        Row-major, in the network's dtype.
    targets : numpy.ndarray
        int64 labels (N,) or numbers (N, C).
    weights : numpy.ndarray, shape (N,), or None

    """

    X: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None

    def take(self, indices: np.ndarray) -> "Rows":
        """Return a copy of some rows."""
        weights = None if self.weights is None else self.weights[indices]
        return Rows(self.X[indices], self.targets[indices], weights)


@dataclass(frozen=True)
class Validation:
    """Rows that are not learned from.

    Attributes
    ----------
    rows : Rows
    score : callable
        ``score(outputs) -> float``, higher is better; outputs are the network's for ``rows``.

    """

    rows: Rows
    score: Callable[[np.ndarray], float]


def dense(X: Any) -> np.ndarray:
    """Return X, a sparse matrix spread out, as a row-major array."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X)


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
