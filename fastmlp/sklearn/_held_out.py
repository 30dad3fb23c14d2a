"""The rows that are not learned from, and how well an estimator does on them."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from fastmlp.sklearn._data import Rows

if TYPE_CHECKING:
    from fastmlp.sklearn._base import BaseMLP
    from fastmlp.sklearn._progress import Progress

__all__ = ["HeldOut", "hold_out", "split"]


@dataclass(frozen=True)
class HeldOut:
    """Rows that are not learned from.

    Attributes
    ----------
    rows : Rows
    score : callable
        ``score(outputs) -> float``, higher is better; outputs are the network's for ``rows``.

    """

    rows: Rows
    score: Callable[[np.ndarray], float]


def hold_out(estimator: "BaseMLP", rows: Rows, y: Any) -> HeldOut:
    """Return the rows, of targets ``y`` as the user gave them, and what scores them.

    Raises
    ------
    ValueError
        If all have weight 0, or the scorer is not for such an estimator.

    """
    weights = rows.given_weights()
    if weights is not None and not weights.any():
        raise ValueError(
            "every validation row has weight 0, so that there is no score: raise "
            "validation_fraction, or pass X_val and y_val"
        )
    if estimator.scoring is None:
        return HeldOut(rows, lambda outputs: estimator._scores(outputs, rows))
    scorer: Any = check_scoring(estimator, estimator.scoring)
    takes_weights = "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters
    extra = {} if weights is None or not takes_weights else {"sample_weight": weights}
    return HeldOut(rows, lambda _: float(scorer(estimator, rows.X, y, **extra)))


def split(
    progress: "Progress", n_rows: int, fraction: float, stratify: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from and those to validate with, drawn as scikit-learn does.

    A later call for as many rows, to go on with training, gives the same ones again: no row is
    learned from that had been set aside, and the random state does not move.
    """
    random_state = progress.random_state
    if progress.before_split is None or progress.before_split[0] != n_rows:
        progress.before_split = n_rows, random_state.get_state()
    else:
        random_state = np.random.RandomState()
        random_state.set_state(progress.before_split[1])
    make = ShuffleSplit if stratify is None else StratifiedShuffleSplit  # train_test_split's own
    splits = make(1, test_size=fraction, random_state=random_state)
    learned, kept = next(splits.split(np.empty(n_rows), stratify))
    if len(kept) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return learned, kept
