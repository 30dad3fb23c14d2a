"""Seeded random splits into training and test rows."""

import numpy as np

from fastmlp.common.errors import argument, counted, in_shell

__all__ = ["train_test_rows"]


def train_test_rows(
    n_rows: int,
    fraction: float,
    seed: int,
    labels: np.ndarray | None = None,
    *,
    name: str = "test_fraction",
) -> tuple[np.ndarray, np.ndarray]:
    """Split ``range(n_rows)`` at random, stratified by class if labels are given.

    Parameters
    ----------
    n_rows : int
        Number of rows N.
    fraction : float
        Share of the rows to hold out for testing or validation, strictly between 0 and 1.
    seed : int
        The same seed gives the same split.
    labels : int ndarray of shape (N,), optional
        With labels, this share of each class is held out, rounded, and each class keeps at least
        one row for training.
    name : str, default "test_fraction"
        What the caller calls the share.

    Returns
    -------
    train, test : int64 ndarray
        Row numbers in random order; both are non-empty and no row is in both.

    Raises
    ------
    ValueError
        If the share is out of range, or there are too few rows for two parts.

    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(
            f"the share of rows to hold out must be between 0 and 1, both excluded, got {fraction}"
        )
    rng = np.random.default_rng(seed)
    groups = [np.arange(n_rows)] if labels is None else _rows_by_class(labels)
    train: list[np.ndarray] = []
    test: list[np.ndarray] = []
    for rows in groups:
        n_test = min(round(fraction * len(rows)), len(rows) - 1)
        shuffled = rng.permutation(rows)
        test.append(shuffled[:n_test])
        train.append(shuffled[n_test:])
    train_rows, test_rows = (rng.permutation(np.concatenate(part)) for part in (train, test))
    if len(test_rows) == 0:
        rows = counted(n_rows, "row")
        if labels is not None:
            rows += f" of {len(groups)} class{'es' * (len(groups) != 1)}"
        # the command line has no option for the share of test rows
        larger = "" if in_shell() and argument(name) == name else f" or a larger {argument(name)}"
        raise ValueError(
            f"{rows} {'is' if n_rows == 1 else 'are'} too few to hold out a share of "
            f"{fraction:g}: give more rows{larger}"
        )
    return train_rows, test_rows


def _rows_by_class(labels: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, starts)
