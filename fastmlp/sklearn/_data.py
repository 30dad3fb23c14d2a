"""Conversion of the user's arrays to the rows of a fit."""

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp.common.rows import Rows

__all__ = ["WINDOW", "as_rows", "check_dates", "dense", "r2", "take"]

_LARGE = 1 << 28  # bytes: a sparse matrix that would be larger is converted in parts
WINDOW = 1 << 26  # bytes of such a part
_ULPS = 4 * np.finfo(np.float64).eps  # targets with a relative spread below this are constant
_MISSING_DATE = "X lacks {} (NaT): drop such rows, or replace dates by numbers and fill them in"


def as_rows(X: Any, targets: np.ndarray, weights: np.ndarray | None, dtype: np.dtype) -> Rows:
    """Return rows in the network's dtype; keep a sparse X sparse if it would be large as array."""
    exponent = 0
    if weights is not None:
        exponent = int(np.frexp(weights.max())[1])
        weights = np.ldexp(weights.astype(np.float64, copy=False), -exponent)
    if targets.dtype.kind == "f":
        targets = targets.astype(np.float64, copy=False)
    return Rows(_lean(X.astype(dtype, copy=False)), targets, weights, exponent)


def take(rows: Rows, indices: np.ndarray) -> Rows:
    """Return a copy of some rows."""
    weights = None if rows.weights is None else rows.weights[indices]
    X = _lean(rows.X[indices])
    return Rows(X, rows.targets[indices], weights, rows.weight_exponent)


def _lean(X: Any) -> Any:
    """Return X as an array, or as a csr matrix if it is sparse and would be large as an array."""
    if issparse(X) and X.shape[0] * X.shape[1] * X.dtype.itemsize > _LARGE:
        return X.tocsr()
    return dense(X)


def check_dates(X: Any) -> None:
    """Raise an error if X has dates that would not be converted correctly.

    scikit-learn converts a missing date to the number -2**63.

    Raises
    ------
    ValueError
        If a date is missing.
    TypeError
        If a data frame has both dates and other columns.

    """
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "mM" and np.isnat(X).any():
            raise ValueError(_MISSING_DATE.format("a date"))
        return
    if not hasattr(X, "iloc") or not hasattr(X, "columns"):
        return
    of_dates = [getattr(dtype, "kind", "O") in "mM" for dtype in X.dtypes]
    for place in np.flatnonzero(of_dates):
        if X.iloc[:, place].isna().any():
            raise ValueError(_MISSING_DATE.format(f"a date in column {X.columns[place]!r}"))
    if any(of_dates) and not all(of_dates):
        name = X.columns[of_dates.index(True)]
        raise TypeError(
            f"X must hold numbers, but column {name!r} has dates: replace them by numbers, such as "
            "days since the first"
        )


def dense(X: Any) -> np.ndarray:
    """Return X, which may be sparse, as a dense row-major array."""
    return np.ascontiguousarray(X.toarray() if issparse(X) else X)


def r2(targets: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
    """Return R2, the coefficient of determination, averaged over outputs.

    It is 1 - sum w (t - p)**2 / sum w (t - mean t)**2, or NaN if a prediction is NaN. If targets
    are constant, up to rounding of their mean, it is 1 for exact predictions and 0 otherwise, as
    in scikit-learn's ``r2_score``.
    """
    if not np.isfinite(predictions).all():
        return math.nan
    t, p = targets.astype(np.float64), predictions.reshape(targets.shape).astype(np.float64)
    w = np.ones((len(t), 1)) if weights is None else weights.astype(np.float64)[:, None]
    with np.errstate(over="ignore"):
        left = (w * (t - p) ** 2).sum(axis=0)
    spread = (w * (t - np.average(t, axis=0, weights=w[:, 0])) ** 2).sum(axis=0)
    counted = w[:, 0] > 0
    varies = (spread > 0) & (np.ptp(t[counted], axis=0) > _ULPS * np.abs(t[counted]).max(axis=0))
    scores = np.where(left > 0, 0.0, 1.0)
    scores[varies] = 1.0 - left[varies] / spread[varies]
    return float(scores.mean())
