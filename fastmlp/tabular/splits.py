"""Which rows each network of an ensemble trains on, and which it is validated with."""

from dataclasses import dataclass

import numpy as np

from fastmlp.datasets.splits import train_test_rows

__all__ = ["Part", "folds", "parts"]

VALIDATION_SHARE = 0.2
N_FOLDS = round(1 / VALIDATION_SHARE)


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of one network.

    Attributes
    ----------
    train : int ndarray
    val : int ndarray, or None
        None if the user gives the validation rows.
    number : int
        Networks with the same number have the same rows.
    seed : int
    turn : int
        How many networks there are before this one, for each fold if folds are kept. It tells
        which settings the network has, if its method has several.

    """

    train: np.ndarray
    val: np.ndarray | None
    number: int
    seed: int
    turn: int = 0


def parts(
    n_rows: int,
    labels: np.ndarray | None,
    *,
    n_networks: int,
    n_cv: int | None,
    given: bool,
    seed: int,
    keep_folds: bool = False,
) -> list[Part]:
    """Return the rows of each network, in the order of training.

    One network is validated with a fifth of the rows. Of several networks, each has another fifth,
    so that together they learn from all rows; after five of them the rows are divided anew, unless
    ``keep_folds``. With ``n_cv``, the rows are divided into that many folds, and ``n_networks`` are
    trained for each.

    Parameters
    ----------
    n_rows : int
    labels : int ndarray of shape (n_rows,), optional
        Folds then have the same shares of each class.
    n_networks : int
    n_cv : int or None
    given : bool
        Whether the user gives validation rows: each network then trains on all rows.
    seed : int
    keep_folds : bool, default False

    """
    rows = np.arange(n_rows)
    if given:
        return [Part(rows, None, 0, seed + i, i) for i in range(n_networks)]
    if n_cv is None and n_networks == 1:
        train, val = _one_split(n_rows, labels, seed)
        return [Part(train, val, 0, seed)]
    n_folds = min(n_cv or N_FOLDS, n_rows)
    total = n_networks * n_cv if n_cv else n_networks
    keep_folds = keep_folds or n_cv is not None
    found = []
    for index in range(total):
        turn, fold = divmod(index, n_folds)
        if fold == 0 and (turn == 0 or not keep_folds):
            fold_of = folds(n_rows, labels, n_folds, seed + turn)
        number = fold if keep_folds else index
        val = np.flatnonzero(fold_of == fold)
        train, own_turn = np.flatnonzero(fold_of != fold), turn if keep_folds else index
        found.append(Part(train, val, number, seed + index, own_turn))
    return found


def _one_split(n_rows: int, labels: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fifth; a few rows of many classes cannot be divided class by class."""
    try:
        return train_test_rows(n_rows, VALIDATION_SHARE, seed, labels)
    except ValueError:
        return train_test_rows(n_rows, max(VALIDATION_SHARE, 1 / n_rows), seed)


def folds(n_rows: int, labels: np.ndarray | None, n_folds: int, seed: int) -> np.ndarray:
    """Return the fold of each row, 0 to ``n_folds`` - 1, of nearly equal sizes.

    With labels, each class is spread evenly over the folds.
    """
    order = np.random.default_rng(seed).permutation(n_rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(n_rows, np.int64)
    fold_of[order] = np.arange(n_rows) % n_folds
    return fold_of
