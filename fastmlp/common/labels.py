"""Checks of class labels, with advice if the targets are something else."""

from typing import Any

import numpy as np

from fastmlp.common.numeric import as_numbers
from fastmlp.common.validation import is_finite, native

__all__ = ["as_binary", "as_labels"]


def as_labels(y: Any, n_rows: int, n_classes: int, name: str = "y") -> np.ndarray:
    """Check class labels, whole numbers in [0, n_classes), and return them as int64 (N,).

    An object array that holds only whole numbers is accepted.
    """
    array = _whole_numbers(y, name)
    if array.shape == (n_rows, 1):
        array = array[:, 0]
    if array.shape != (n_rows,):
        raise ValueError(
            f"{name} must have one class number for each of the {n_rows} rows, shape ({n_rows},), "
            f"got shape {array.shape}{_from_columns(array, name)}"
        )
    if array.dtype.kind == "f":
        raise TypeError(f"{name} must hold whole class numbers, got {_fraction(y, array, name)}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= n_classes:
        wrong = low if low < 0 else high
        raise ValueError(
            f"{name} must hold labels from 0 to {n_classes - 1}, one for each of the model's "
            f"{n_classes} outputs, got {wrong}"
        )
    return native(array.astype(np.int64, copy=False))


def as_binary(targets: np.ndarray, name: str) -> np.ndarray:
    """Return targets of a binary cross-entropy, in [0, 1].

    Whole numbers of two values, 0 and another such as 2 or 255, become 0 and 1, as in
    scikit-learn; this applies to the whole array or to each column separately.
    """
    low, high = targets.min(), targets.max()
    if low >= 0 and high <= 1:
        return targets
    for code in (high, targets.max(axis=0)):
        is_zero = targets == 0
        coded = (is_zero | (targets == code)).all() and (code == np.floor(code)).all()
        if low == 0 and coded and (is_zero.any(axis=0) | (code <= 1) | (np.ndim(code) == 0)).all():
            return (~is_zero).astype(targets.dtype)
    wrong = low if low < 0 else high
    signs = np.isin(targets, (-1, 1)).all()
    how = f": make 0 and 1 of -1 and 1 with ({name.split()[0]} > 0).astype(int)" if signs else ""
    raise ValueError(
        f"{name} must hold 0 and 1, or numbers from 0 to 1, for the loss binary_cross_entropy, "
        f"got {wrong:g}{how}"
    )


def _whole_numbers(y: Any, name: str) -> np.ndarray:
    """Return an array of numbers; raise an error for texts."""
    try:
        return as_numbers(y, name)
    except TypeError as error:
        array = np.asarray(y)
        if not any(isinstance(value, str) for value in array.reshape(-1)[:1]):
            raise
        raise TypeError(
            f"{name} must hold whole class numbers, got {str(array.flat[0])!r:.40}, dtype "
            f"{array.dtype}: number the classes, for example with "
            f"numpy.unique({name.split()[0]}, return_inverse=True)[1]"
        ) from error


def _from_columns(array: np.ndarray, name: str) -> str:
    """Return advice for targets with a column per class."""
    if array.ndim != 2 or not is_finite(array) or array.min() < 0 or array.max() > 1:
        return ""
    totals = array.sum(axis=1, dtype=np.float64)
    if np.allclose(totals, 1.0, atol=1e-3):  # one-hot, or probabilities
        return f": pass numpy.argmax({name.split()[0]}, axis=1)"
    return ": for several labels per row use the loss 'binary_cross_entropy'"


def _fraction(y: Any, array: np.ndarray, name: str) -> str:
    """Describe what came instead of whole numbers, and what to do about it."""
    short = name.split()[0]
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        return f"{array[wrong[0]]} at [{wrong[0]}]: leave out rows without a class"
    wrong = np.flatnonzero(array != np.floor(array))
    if wrong.size:
        return (
            f"{array[wrong[0]]:g} at [{wrong[0]}]: to predict numbers, use another loss, "
            "for example 'mse'"
        )
    cast = f"{short}.astype(int)" if hasattr(y, "astype") else f"numpy.array({short}).astype(int)"
    return f"dtype {array.dtype}: pass {cast}"
