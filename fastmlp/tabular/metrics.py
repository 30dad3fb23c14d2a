"""Scores of predictions: how good a table's model is, in the units people report."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.common.errors import unknown

__all__ = ["CLASSIFICATION", "REGRESSION", "Metric", "baseline", "metric_of", "scores"]


@dataclass(frozen=True)
class Metric:
    """One way to score predictions.

    Attributes
    ----------
    name : str
    label : str
        What people call it.
    score : callable
        ``score(y, predicted, weights)``; labels and probabilities (N, C), or numbers and numbers.
        NaN if the rows do not allow it.
    sign : int
        1 if higher is better, -1 if lower is better.
    chosen : bool
        Whether the user asked for it. If not, a method may use another one to compare epochs.

    """

    name: str
    label: str
    score: Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]
    sign: int
    chosen: bool = False

    def is_defined(self, y: np.ndarray, n_classes: int, weights: np.ndarray | None) -> bool:
        """Return whether rows allow the score: an AUC needs two classes, R2 two numbers.

        Parameters
        ----------
        y : ndarray of shape (N,)
            Labels or numbers.
        n_classes : int
            0 for numbers.
        weights : ndarray of shape (N,), or None

        """
        anything = np.zeros((len(y), n_classes) if n_classes else len(y))
        return not np.isnan(self.score(y, anything, weights))

    def better(self, score: float, other: float) -> bool:
        """Return whether the first score is better than the other."""
        return self.sign * score > self.sign * other


def _accuracy(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(p.argmax(axis=1) == y, weights=weights))


def _balanced_accuracy(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the mean over the classes of the share that is recognised."""
    w = np.ones(len(y)) if weights is None else weights
    total = np.bincount(y, w, p.shape[1])
    right = np.bincount(y, w * (p.argmax(axis=1) == y), p.shape[1])
    present = total > 0
    return float((right[present] / total[present]).mean())


def _log_loss(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    chosen = p[np.arange(len(y)), y].astype(np.float64)
    least = np.finfo(np.float32).tiny
    return float(np.average(-np.log(np.maximum(chosen, least)), weights=weights))


def _auc(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the area under the ROC curve; for several classes, the mean of one against rest."""
    if p.shape[1] == 2:
        return _binary_auc(y == 1, p[:, 1], weights)
    areas = [_binary_auc(y == label, p[:, label], weights) for label in range(p.shape[1])]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else np.nan


def _binary_auc(positive: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the chance that a positive row has a higher value than a negative; ties count half."""
    w = np.ones(len(p)) if weights is None else weights
    _, places = np.unique(p, return_inverse=True)
    above = np.bincount(places, w * positive)
    below = np.bincount(places, w * ~positive)
    pairs = above.sum() * below.sum()
    if pairs == 0:
        return np.nan
    return float((above * (np.cumsum(below) - below / 2)).sum() / pairs)


def _rmse(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.sqrt(np.average((p - y) ** 2, weights=weights)))


def _mae(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(np.abs(p - y), weights=weights))


def _r2(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> float:
    if y.min() == y.max():  # their mean may differ by a rounding error
        return np.nan
    spread = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
    return float(1 - np.average((p - y) ** 2, weights=weights) / spread)


def _table(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


CLASSIFICATION = _table(
    Metric("accuracy", "accuracy", _accuracy, 1),
    Metric("balanced_accuracy", "balanced accuracy", _balanced_accuracy, 1),
    Metric("roc_auc", "AUC", _auc, 1),
    Metric("log_loss", "log loss", _log_loss, -1),
)
"""Name -> metric; the first is the default."""

REGRESSION = _table(
    Metric("rmse", "RMSE", _rmse, -1),
    Metric("mae", "MAE", _mae, -1),
    Metric("r2", "R2", _r2, 1),
)
"""Name -> metric; the first is the default."""


def metric_of(name: str | None, *, classes: bool) -> Metric:
    """Return a metric by name, or the task's default for None.

    Raises
    ------
    ValueError
        If the task has no such metric.

    """
    known = CLASSIFICATION if classes else REGRESSION
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise unknown("metric", name, known)
    return replace(known[name], chosen=True)


def scores(
    y: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Return all scores of the task, by name.

    Parameters
    ----------
    y : int ndarray of shape (N,), or float ndarray of shape (N,)
        Labels or numbers.
    predicted : ndarray of shape (N, C) or (N,)
        Probabilities, or numbers.
    weights : ndarray of shape (N,), optional

    """
    known = CLASSIFICATION if predicted.ndim == 2 else REGRESSION
    return {name: metric.score(y, predicted, weights) for name, metric in known.items()}


def baseline(y: np.ndarray, n_classes: int | None, weights: Any = None) -> np.ndarray:
    """Return what to predict without looking at the inputs: class shares (C,), or the mean (1,).

    Parameters
    ----------
    y : ndarray of shape (N,)
        Labels or numbers of the training rows.
    n_classes : int or None
        None for numbers.
    weights : ndarray of shape (N,), optional

    """
    if n_classes is None:
        return np.array([np.average(y, weights=weights)])
    counts = np.bincount(y, weights, n_classes)
    return counts / counts.sum()
