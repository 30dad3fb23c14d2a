"""Choosing an ensemble greedily among networks, by their predictions for held-out rows."""

from collections.abc import Mapping, Sequence

import numpy as np

from fastmlp.tabular.metrics import CLASSIFICATION, Metric
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part

__all__ = ["chosen_weights"]

_MOST = 32  # choices, counting repetitions
_MOST_NUMBERS = 100_000  # predicted by one network; of more rows, a sample judges

_STEPWISE = ("accuracy", "balanced_accuracy")
"""Metrics that are blind to small changes, so that the log loss chooses in their place."""


def chosen_weights(
    parts: Sequence[Part],
    predicted: Sequence[np.ndarray],
    held_out: Mapping[int, Rows],
    metric: Metric,
) -> np.ndarray:
    """Return the weight of each network in the mean (Caruana et al., 2004); they sum to 1.

    Networks of one turn have the same settings and learned from different folds. They are chosen
    together, by predictions for rows that they did not learn from. Starting from none, the turn is
    added, maybe again, that makes the mean the best; the best of all these means counts. Each fold
    has the same weight in the end, however many networks were trained for it.

    Parameters
    ----------
    parts : sequence of Part
        Of each network.
    predicted : sequence of ndarray of shape (M, C) or (M,)
        What each network predicts for the rows of its fold.
    held_out : mapping of int to Rows
        Number of a fold -> its rows.
    metric : Metric

    """
    turns = sorted({part.turn for part in parts})
    numbers = sorted({part.number for part in parts})
    judges = _sample(held_out, numbers, predicted[0][0].size)
    rows = [held_out[number].take(judges[number]) for number in numbers]
    y = np.concatenate([own.y for own in rows])
    given = [own.weights for own in rows if own.weights is not None]
    weights = np.concatenate(given) if given else None
    starts = dict(zip(numbers, np.cumsum([0, *(len(judges[n]) for n in numbers)]), strict=False))
    table = np.zeros((len(turns), len(y), *predicted[0].shape[1:]))
    known = np.zeros((len(turns), len(y)), bool)
    for part, values in zip(parts, predicted, strict=True):
        start = starts[part.number]
        place = turns.index(part.turn), slice(start, start + len(judges[part.number]))
        table[place], known[place] = values[judges[part.number]], True
    if metric.name in _STEPWISE:
        metric = CLASSIFICATION["log_loss"]
    counts = _greedy(table, known, y, weights, metric)
    shares = np.array([counts[turns.index(part.turn)] for part in parts], float)
    folds = np.array([part.number for part in parts])
    for number in numbers:
        shares[folds == number] /= max(shares[folds == number].sum(), 1.0)
    return shares / shares.sum()


def _sample(
    held_out: Mapping[int, Rows], numbers: Sequence[int], n_outputs: int
) -> dict[int, np.ndarray]:
    """Return the rows of each fold that judge: all, if they are not too many."""
    n_rows = sum(len(held_out[number]) for number in numbers)
    share = min(1.0, _MOST_NUMBERS / (n_rows * n_outputs))
    rng = np.random.default_rng(0)
    found = {}
    for number in numbers:
        n = len(held_out[number])
        found[number] = np.sort(rng.permutation(n)[: max(1, round(share * n))])
    return found


def _greedy(
    table: np.ndarray,
    known: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    metric: Metric,
) -> np.ndarray:
    """Return how often each candidate was chosen.

    Parameters
    ----------
    table : float64 ndarray of shape (K, N, C) or (K, N)
        Predictions of the candidates.
    known : bool ndarray of shape (K, N)
        Whether there is one. A mean is that of the candidates that have one.
    y, weights : ndarray of shape (N,)
    metric : Metric

    """
    finite = np.isfinite(table).reshape(len(table), -1).all(axis=1)
    covered = known.sum(axis=1) * finite
    able = np.flatnonzero(covered == covered.max())  # the first must predict as much as possible
    judged = known[able[0]]
    y, weights = y[judged], None if weights is None else weights[judged]
    table, known = table[:, judged], known[:, judged]
    total, count = np.zeros(table.shape[1:]), np.zeros(known.shape[1])
    column = (-1, *[1] * (table.ndim - 2))
    counts, best, best_score = np.zeros(len(table), int), None, np.nan
    for _ in range(_MOST):
        scores = np.full(len(table), np.nan)
        for k in able:
            mean = (total + table[k]) / (count + known[k]).reshape(column)
            scores[k] = metric.score(y, mean, weights)
        if np.isnan(scores).all():
            break
        k = int(np.nanargmax(metric.sign * scores))
        counts[k] += 1
        total, count = total + table[k], count + known[k]
        if best is None or metric.better(scores[k], best_score):
            best, best_score = counts.copy(), scores[k]
        able = np.flatnonzero(finite)
    if best is None:  # the metric is unknown on these rows
        best = np.ones(len(table), int)
    return best
