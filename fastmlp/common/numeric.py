"""Conversion of data frames, lists and object arrays to arrays of numbers."""

import numbers
from typing import Any

import numpy as np

__all__ = ["as_numbers", "first_strange"]

_WHOLE = (numbers.Integral, np.bool_)


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Return an array of real numbers.

    An object array that holds only numbers, such as numpy makes from a data frame with columns of
    different types, becomes int64 or float64.

    Raises
    ------
    TypeError
        If a value is not a real number; the message says which, where, and what to do.
    ValueError
        If the rows differ in length.

    """
    if hasattr(values, "tocsr"):
        raise TypeError(f"{name} is sparse, expected a dense array: pass {name}.toarray()")
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} must be an array, but its rows differ in length") from None
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind == "O" and array.size:
        kinds, known = set(map(type, array.flat)), _number_types()
        if all(issubclass(kind, known) for kind in kinds):
            whole = all(issubclass(kind, _WHOLE) for kind in kinds)
            return _converted(array, whole)
        raise TypeError(f"{name} must hold real numbers, got {first_strange(values, array, name)}")
    advice = ""
    if array.dtype.kind in "mM":
        advice = f": pass {name}.astype('int64')"
    elif array.dtype.kind == "U" and array.size:
        advice = f": {_how_to_read(array, name)}"
    raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}{advice}")


def first_strange(values: Any, array: np.ndarray, name: str) -> str:
    """Describe the first object that is not a number: what, where, and what to do about it."""
    known = _number_types()
    flat = next(i for i, value in enumerate(array.flat) if not isinstance(value, known))
    value, place = array.flat[flat], tuple(int(i) for i in np.unravel_index(flat, array.shape))
    columns = getattr(values, "columns", None)
    where = ""
    if columns is not None and len(place) == 2:
        where = f" in row {place[0]} of column {columns[place[1]]!r}"
    elif place:
        where = f" at [{', '.join(map(str, place))}]"
    return f"{value!r:.40}{where}: {_what_to_do(value, array, name)}"


def _what_to_do(value: Any, array: np.ndarray, name: str) -> str:
    if isinstance(value, str):
        return _how_to_read(array, name)
    missing = value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
    return "fill or drop missing values first" if missing else "pass an array of numbers"


def _how_to_read(array: np.ndarray, name: str) -> str:
    """Return advice on how to turn texts into numbers."""
    try:
        array.astype(np.float64)
    except (TypeError, ValueError):
        return f"one-hot encode the texts, for example with pandas.get_dummies({name})"
    return f"the texts are numbers, pass {name}.astype(float)"


def _converted(array: np.ndarray, whole: bool) -> np.ndarray:
    if whole:
        try:
            return array.astype(np.int64)
        except OverflowError:
            pass
    try:
        return array.astype(np.float64)
    except OverflowError:  # a whole number of more than 308 digits
        return np.array([_float(value) for value in array.flat]).reshape(array.shape)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _number_types() -> tuple[type, ...]:
    from decimal import Decimal  # not needed for what numpy knows as numbers

    return numbers.Real, np.bool_, Decimal
