"""The weights of networks in an ensemble, by their predictions for held-out rows."""

from collections.abc import Mapping, Sequence

import numpy as np

from fastmlp.tabular.metrics import CLASSIFICATION, Metric
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part

__all__ = ["chosen_weights", "weights_of_kinds"]

_MOST = 32  # choices, counting repetitions
_MOST_NUMBERS = 100_000  # predicted by one network; of more rows, a sample judges

_SMALLEST = 1e-3
"""Errors count as at least this share of the largest."""

_STEPWISE = ("accuracy", "balanced_accuracy")
"""Metrics that are blind to small changes, so that the log loss chooses in their place."""


def weights_of_kinds(
    kinds: Sequence[int], predicted: Sequence[np.ndarray], held_out: Sequence[Rows]
) -> np.ndarray:
    """Return the weight of each network in a mean of several kinds of networks; they sum to 1.

    Networks of a kind have one weight, in inverse ratio to their mean squared error or their share
    of wrong labels, so that a kind which is bad at a table has little influence there. Errors of
    few rows are chance: hence one for all networks of a kind, with one more wrong label.

    Parameters
    ----------
    kinds : sequence of int
        Of each network.
    predicted : sequence of ndarray of shape (M, C) or (M,)
        What each network predicts for the rows that it was validated with.
    held_out : sequence of Rows
        These rows.

    """
    alike = np.full(len(kinds), 1.0 / len(kinds))
    if len(set(kinds)) == 1:
        return alike
    errors = np.empty(len(kinds))
    for kind in set(kinds):
        own = [place for place, other in enumerate(kinds) if other == kind]
        wrong = np.concatenate([_losses(predicted[i], held_out[i].y) for i in own])
        weights = np.concatenate([_weights_of(held_out[i]) for i in own])
        extra = weights.mean() if predicted[0].ndim == 2 else 0.0
        errors[own] = (wrong @ weights + extra) / weights.sum()
    known = np.isfinite(errors)  # those of networks that diverged are not
    largest = errors[known].max(initial=0.0)
    if not largest:
        return alike
    shares = np.zeros(len(kinds))
    shares[known] = 1.0 / np.maximum(errors[known], _SMALLEST * largest)
    return shares / shares.sum()


def _losses(predicted: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which labels are wrong, as 0 and 1, or the squared errors."""
    if predicted.ndim == 2:
        return (predicted.argmax(axis=1) != y).astype(np.float64)
    return (predicted - y) ** 2


def _weights_of(rows: Rows) -> np.ndarray:
    return np.ones(len(rows)) if rows.weights is None else rows.weights


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
