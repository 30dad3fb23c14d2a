"""The rows that early stopping sets aside."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

if TYPE_CHECKING:
    from fastmlp.sklearn._progress import Progress

__all__ = ["split"]


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
