"""Checks of arguments. Each returns the checked value or raises an error of one sentence."""

import math
import numbers
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fastmlp.common.errors import argument, in_shell
from fastmlp.common.numeric import as_numbers

__all__ = [
    "as_batch_size",
    "as_data",
    "as_float_targets",
    "as_weights",
    "fits",
    "float_dtype",
    "fraction",
    "is_finite",
    "native",
    "non_negative",
    "positive",
    "positive_int",
    "representable",
    "seed_int",
]

_FAR = 40  # powers of two: keeps products of two weights, and long sums, well inside the range


def positive_int(name: str, value: Any) -> int:
    """Return value as an int >= 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{argument(name)} must be a whole number, got {value!r}")
    number = int(value)
    if number < 1:
        raise ValueError(f"{argument(name)} must be at least 1, got {number}")
    return number


def seed_int(name: str, value: Any) -> int:
    """Return value as an int in [0, 2**63)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{argument(name)} must be a whole number, got {value!r}")
    number = int(value)
    if not 0 <= number < 2**63:
        raise ValueError(f"{argument(name)} must be at least 0 and below 2**63, got {number}")
    return number


def non_negative(name: str, value: Any) -> float:
    """Return value as a finite float >= 0."""
    number = _number(name, value)
    if number < 0:
        raise ValueError(f"{argument(name)} must not be negative, got {value}")
    return number


def positive(name: str, value: Any) -> float:
    """Return value as a finite float > 0."""
    number = _number(name, value)
    if number <= 0:
        raise ValueError(f"{argument(name)} must be greater than 0, got {value}")
    return number


def fraction(name: str, value: Any) -> float:
    """Return value as a float with 0 <= value < 1."""
    number = _number(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"{argument(name)} must be at least 0 and below 1, got {value}")
    return number


def representable(name: str, value: float, dtype: np.dtype) -> None:
    """Raise ValueError for a number that would be 0 or infinite in the model's dtype."""
    if not fits(value, dtype):
        least, most = _limits(dtype)
        wrong, end = ("small", least) if abs(value) < 1 else ("large", most)
        instead = "" if in_shell() else ", or a model with dtype='float64'"
        raise ValueError(
            f"{name} is {value!r}, too {wrong} for {dtype}, whose limit is {end:.2g}: use another "
            f"number{instead}"
        )


def fits(value: float, dtype: np.dtype) -> bool:
    """Return whether a number is neither 0 nor infinite in a dtype, unless it is 0 itself."""
    least, most = _limits(dtype)
    return not value or least <= abs(value) <= most


@cache
def _limits(dtype: np.dtype) -> tuple[float, float]:
    return float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{argument(name)} must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{argument(name)} must be finite, got {value}")
    return number


def float_dtype(dtype: Any) -> np.dtype:
    """Return float32 or float64 as a numpy dtype."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return np.dtype(found)


def native(array: np.ndarray) -> np.ndarray:
    """Return the array C-contiguous, aligned, in native byte order, and marked as writeable.

    To numba, a read-only array (such as a memory map) is another type, for which it would compile
    every kernel again. So a read-only array is passed on as a writeable alias, without a copy;
    kernels never write to data.
    """
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if not array.flags.aligned:
        array = array.copy()
    return array if array.flags.writeable else np.asarray(_Writeable(array))


class _Writeable:
    """Presents the memory of a read-only array as writeable, and keeps it alive."""

    def __init__(self, array: np.ndarray):
        self.array = array
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def as_data(
    X: Any,
    dtype: np.dtype,
    name: str = "X",
    *,
    finite: bool = True,
    exact: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Check input rows and return them as uint8 or in the model's dtype.

    Parameters
    ----------
    X : array_like, shape (N, ...)
        Any real dtype. uint8 stays uint8, which saves memory; everything else becomes ``dtype``.
    dtype : numpy.dtype
        The model's dtype.
    name : str
        Name of the argument, for messages.
    finite : bool, default True
        Whether NaN and infinity are errors.
    exact : callable, optional
        Called if ``dtype`` cannot hold X exactly; X becomes float64 if it returns True.

    Raises
    ------
    TypeError
        If X does not hold real numbers.
    ValueError
        If X has fewer than two axes, no rows or no columns, or a value that is not finite.

    """
    if not finite and type(X) is np.ndarray and X.dtype == dtype and X.ndim > 1 and X.size:
        flags = X.flags
        if flags.c_contiguous and flags.writeable and flags.aligned:
            return X  # predicting one row takes microseconds, so skip all other checks
    array = as_numbers(X, name)
    if array.ndim < 2:
        raise ValueError(
            f"{name} must have shape (N, D), one row per example, got shape {array.shape}: "
            f"pass {name}[None] for a single row, {name}[:, None] for a single column"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}: pass at least one row and column")
    if array.dtype == np.uint8:
        return native(array)
    kept = exact is not None and not np.can_cast(array.dtype, dtype) and exact()
    with np.errstate(over="ignore"):
        array = array.astype(np.float64 if kept else dtype, copy=False)
        if finite:
            _require_finite(array, name)
            if kept and max(-array.min(), array.max()) > np.finfo(dtype).max:
                _require_finite(array.astype(dtype), name)
    return native(array)


def as_float_targets(
    y: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
) -> np.ndarray:
    """Check targets and return them as (N, C) in dtype; shape (N,) counts as one column."""
    array = as_numbers(y, name)
    if array.ndim == 1:
        array = array[:, None]
    array = array.reshape(array.shape[0], math.prod(array.shape[1:])) if array.ndim else array
    if array.shape != (n_rows, n_outputs):
        raise ValueError(
            f"{name} must have shape ({n_rows}, {n_outputs}), one column per output of the "
            f"model, got shape {np.shape(y)}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(dtype, copy=False)
    _require_finite(array, name)
    return native(array)


def as_weights(
    weights: Any, n_rows: int, dtype: np.dtype, name: str = "sample_weight"
) -> np.ndarray:
    """Check row weights (>= 0, not all 0) and return them as (N,) in dtype.

    Only their ratios matter, so weights far from 1 are all scaled by the same power of two.
    """
    array = as_numbers(weights, name).astype(np.float64, copy=False)
    if array.shape != (n_rows,):
        raise ValueError(
            f"{name} must have one weight for each of the {n_rows} rows, got shape {array.shape}"
        )
    _require_finite(array, name)
    if array.min() < 0:
        raise ValueError(f"{name} must not be negative, got {array.min()}")
    if array.max() == 0:
        raise ValueError(f"{name} must not be 0 for every row: nothing would be learned")
    exponent = np.frexp(array.max())[1]
    if abs(exponent) > _FAR:
        array = np.ldexp(array, -exponent)
    array = array.astype(dtype)
    array[array < np.finfo(dtype).tiny] = 0.0  # kernels may flush subnormals to 0
    return native(array)


def as_batch_size(batch_size: Any, n_rows: int) -> int:
    """Return the batch size, limited to the number of rows."""
    return min(positive_int("batch_size", batch_size), n_rows)


def is_finite(array: np.ndarray) -> bool:
    """Tell whether all values are finite; usually one sum suffices, without a temporary array."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def _require_finite(array: np.ndarray, name: str) -> None:
    if is_finite(array):
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, 1 << 20):
        bad = np.flatnonzero(~np.isfinite(flat[start : start + (1 << 20)]))
        if bad.size:
            place = np.unravel_index(start + bad[0], array.shape)
            where = ", ".join(str(int(i)) for i in place)
            raise ValueError(
                f"{name} must be finite in {array.dtype}, got {flat[start + bad[0]]} at "
                f"[{where}]: drop or fill such values first"
            )
