"""Validation rows: how they are chosen, and how an estimator is scored on them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from fastmlp.common.rows import Rows
from fastmlp.sklearn._estimator import Estimator
from fastmlp.sklearn._progress import Progress

__all__ = ["HeldOut", "hold_out", "split"]


@dataclass(frozen=True)
class HeldOut:
    """Validation rows, which are not trained on.

    Attributes
    ----------
    rows : Rows
    score : callable
        ``score(outputs) -> float``, higher is better, for the network's outputs on ``rows``.

    """

    rows: Rows
    score: Callable[[np.ndarray], float]


def hold_out(estimator: Estimator, rows: Rows, y: Any) -> HeldOut:
    """Return the rows together with their scorer; ``y`` holds the targets as the user gave them.

    Raises
    ------
    ValueError
        If all rows have weight 0, or the scorer does not work for this kind of estimator.

    """
    weights = rows.given_weights()
    if weights is not None and not weights.any():
        raise ValueError(
            "every validation row has weight 0, so there is no score: raise "
            "validation_fraction, or pass X_val and y_val"
        )
    if estimator.scoring is None:
        return HeldOut(rows, lambda outputs: estimator._scores(outputs, rows))
    scorer: Any = check_scoring(estimator, estimator.scoring)
    takes_weights = "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters
    extra = {} if weights is None or not takes_weights else {"sample_weight": weights}

    def score() -> float:
        return float(scorer(estimator, rows.X, y, **extra))

    _try_out(estimator, score, rows)
    return HeldOut(rows, lambda _: score())


def _try_out(estimator: Estimator, score: Callable[[], float], rows: Rows) -> None:
    """Raise an error or warn, before training, if the scorer does not work on these rows."""
    name = f"scoring={estimator.scoring!r}"
    where = f"the {len(rows)} validation rows{estimator._lacks(rows.targets)}"
    advice = "raise validation_fraction, pass other X_val and y_val, or choose another scoring"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = score()
    except ValueError as error:
        raise ValueError(f"{name} cannot score {where} ({error}): {advice}") from error
    if np.isnan(value):
        warnings.warn(
            f"{name} is NaN on {where}, so it cannot tell which epoch is the best: {advice}",
            stacklevel=8,
        )


def split(
    progress: Progress, n_rows: int, fraction: float, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training rows and of the validation rows.

    They are drawn as in scikit-learn, which stratifies two classes, but not more. If a class is
    then missing on one side, one of its rows is swapped with one of the most frequent class
    there. A class with a single row is in the training rows.

    A later call with as many rows, to continue training, returns the same split, so validation
    rows are never trained on; it leaves the random state unchanged.

    Parameters
    ----------
    progress : Progress
    n_rows : int
    fraction : float
        Share of the rows to validate with.
    classes : numpy.ndarray, int64, shape (n_rows,), optional
        The number of each row's class.

    """
    random_state = progress.random_state
    if progress.before_split is None or progress.before_split[0] != n_rows:
        progress.before_split = n_rows, random_state.get_state()
    else:
        random_state = np.random.RandomState()
        random_state.set_state(progress.before_split[1])
    counts = np.bincount([0] if classes is None else classes)
    stratify = classes is not None and len(counts) <= 2 and counts[counts > 0].min() > 1
    make = StratifiedShuffleSplit if stratify else ShuffleSplit  # train_test_split's own
    splits = make(1, test_size=fraction, random_state=random_state)
    learned, kept = next(splits.split(np.empty(n_rows), classes))
    if len(kept) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    if classes is not None:
        _share_classes(learned, kept, classes)
    return learned, kept


def _share_classes(learned: np.ndarray, kept: np.ndarray, classes: np.ndarray) -> None:
    """Swap rows in place until each class is on both sides, if it has enough rows."""
    counts = np.bincount(classes)
    n_kept = np.bincount(classes[kept], minlength=len(counts))
    n_learned = counts - n_kept
    lacking = [(c, kept, learned) for c in np.flatnonzero((counts > 0) & (n_learned == 0))]
    lacking += [(c, learned, kept) for c in np.flatnonzero((counts > 1) & (n_kept == 0))]
    for c, giver, taker in lacking:
        n_taker, n_giver = (n_learned, n_kept) if taker is learned else (n_kept, n_learned)
        most = int(n_taker.argmax())
        if n_taker[c] > 0 or n_taker[most] < 2:
            continue
        here = np.flatnonzero(classes[giver] == c)[0]
        there = np.flatnonzero(classes[taker] == most)[0]
        giver[here], taker[there] = taker[there], giver[here]
        n_giver[[c, most]] += -1, 1
        n_taker[[c, most]] += 1, -1
