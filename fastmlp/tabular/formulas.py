"""What the encoder and the inputs of networks do, as formulas that exporters can write."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fastmlp.formulas.functions import double, single, where
from fastmlp.formulas.rows import columns as columns_of
from fastmlp.formulas.rows import interpolated, joined
from fastmlp.tabular.calendar import DAY, FAR, PARTS
from fastmlp.tabular.columns import (
    LARGEST,
    CategoryColumn,
    FittedColumn,
    MomentColumn,
    NumberColumn,
)
from fastmlp.tabular.methods import Inputs
from fastmlp.tabular.methods.inputs import CLIP
from fastmlp.tabular.methods.quantiles import RANKS, QuantileInputs, Z
from fastmlp.tabular.reading import meant_numbers

__all__ = ["WRITERS", "encoded", "moment_parts", "network_inputs"]

_Column = TypeVar("_Column", bound=FittedColumn)


def encoded(
    columns: Sequence[FittedColumn], missing: frozenset[str], x: Any
) -> tuple[Any | None, Any | None]:
    """Return the encoder's numbers and codes, in float64, None if there are none.

    Parameters
    ----------
    columns : sequence of FittedColumn
        Those that are used.
    missing : frozenset of str
        Texts that mean a missing value, in lower case.
    x : rows, shape (N, len(columns))
        A float64 number for each column.

    """
    parts: list[Any] = []
    made: list[tuple[int, str]] = []  # the index of a column, and the part of a moment
    of_numbers = _of_kind(columns, NumberColumn)
    if of_numbers:
        parts.append(_centred(columns_of(x, np.array(list(of_numbers))), of_numbers, missing))
        made += [(place, "") for place in of_numbers]
    of_moments = _of_kind(columns, MomentColumn)
    if of_moments:
        center = np.array([column.center for column in of_moments.values()])
        found = moment_parts(columns_of(x, np.array(list(of_moments))), center)
        used = {part for column in of_moments.values() for part in column.parts}
        for part in filter(used.__contains__, PARTS):
            parts.append(found[part])
            made += [(place, part) for place in of_moments]
    wanted = [(i, part) for i, column in enumerate(columns) for part in _parts_of(column)]
    order = np.array([made.index(each) for each in wanted], int)
    numbers = double(single(columns_of(_all(parts), order))) if parts else None
    categories = _of_kind(columns, CategoryColumn)
    return numbers, columns_of(x, np.array(list(categories))) if categories else None


def moment_parts(seconds: Any, center: np.ndarray) -> dict[str, Any]:
    """Return the parts of moments by name, NaN if missing; see `fastmlp.tabular.calendar`.

    The calendar is that of Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, 2013: years
    begin in March, and eras of 400 years have equally many days.
    """
    whole = np.floor(np.minimum(np.maximum(seconds, -FAR), FAR))
    days, hours = np.floor(whole / DAY), np.floor(whole / 3600.0)
    since = days + 719468.0
    era = np.floor(since / 146097.0)
    in_era = since - era * 146097.0
    leaps = np.floor(in_era / 36524.0) - np.floor(in_era / 1460.0) - np.floor(in_era / 146096.0)
    year = np.floor((in_era + leaps) / 365.0)
    in_year = in_era - (year * 365.0 + np.floor(year / 4.0) - np.floor(year / 100.0))
    from_march = np.floor((in_year * 5.0 + 2.0) / 153.0)
    month = where(from_march < 10.0, from_march + 3.0, from_march - 9.0)
    return {
        "year": year + era * 400.0 + where(month < 3.0, 1.0, 0.0),
        "month": month,
        "day": in_year - np.floor((from_march * 153.0 + 2.0) / 5.0) + 1.0,
        "weekday": _rest(days + 3.0, 7.0),
        "hour": _rest(hours, 24.0),
        "number": (seconds - center) / DAY,
    }


def network_inputs(inputs: Inputs | QuantileInputs, numbers: Any, codes: Any) -> Any:
    """Return a network's inputs in float32, of an encoder's numbers and codes."""
    return single(WRITERS[type(inputs)](inputs, numbers, codes))


def _of_kind(columns: Sequence[FittedColumn], kind: type[_Column]) -> dict[int, _Column]:
    """Return the columns of a kind, by their place."""
    return {place: column for place, column in enumerate(columns) if isinstance(column, kind)}


def _parts_of(column: FittedColumn) -> tuple[str, ...]:
    if isinstance(column, MomentColumn):
        return column.parts
    return ("",) if isinstance(column, NumberColumn) else ()


def _centred(numbers: Any, columns: dict[int, NumberColumn], missing: frozenset[str]) -> Any:
    """Do what `NumberColumn.encode` does."""
    plain = np.array([column.holds == "number" for column in columns.values()])
    for value in meant_numbers(missing):
        numbers = where(numbers == np.where(plain, value, np.nan), np.nan, numbers)
    numbers = numbers - np.array([column.center for column in columns.values()])
    return np.minimum(np.maximum(numbers, -LARGEST), LARGEST)


def _rest(whole: Any, n: float) -> Any:
    """Return the remainder of a division, >= 0."""
    return whole - np.floor(whole / n) * n


def _all(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else joined(*parts)


def _robust(inputs: Inputs, numbers: Any, codes: Any) -> Any:
    """Do what `Inputs` does."""
    kept = [i for i, size in enumerate(inputs.sizes) if size in inputs.embedded]
    hot = [i for i in range(len(inputs.sizes)) if i not in kept]
    n_hot = sum(_n_columns(inputs.sizes[i]) for i in hot)
    parts = _filled(numbers, inputs.median[: len(inputs.median) - n_hot])
    parts += _one_hot(codes, inputs.sizes, hot)
    if parts:
        z = (_all(parts) - inputs.median) * inputs.factor
        parts = [z / np.sqrt(1.0 + (z / CLIP) * (z / CLIP))]
    if kept:
        starts = np.cumsum([0.0, *(size + 1 for size in inputs.embedded)])[:-1]
        parts.append(columns_of(codes, np.array(kept)) + starts)
    return _all(parts)


def _by_rank(inputs: QuantileInputs, numbers: Any, codes: Any) -> Any:
    """Do what `QuantileInputs` does."""
    parts = _filled(numbers, inputs.median)
    if parts:
        points = np.ascontiguousarray(inputs.quantiles.T)
        shares = np.linspace(0.0, 1.0, len(inputs.quantiles))
        rank = interpolated(parts[0], points, shares)
        above = 1.0 - interpolated(-parts[0], np.ascontiguousarray(-points[:, ::-1]), shares)
        parts = [interpolated(0.5 * (rank + above), RANKS, Z)]
    return _all(parts + _one_hot(codes, inputs.sizes, range(len(inputs.sizes))))


WRITERS: dict[type[Any], Callable[[Any, Any, Any], Any]] = {
    Inputs: _robust,
    QuantileInputs: _by_rank,
}
"""Kind of inputs -> its formula of the numbers, NaN where one is missing, and the codes."""


def _filled(numbers: Any, median: np.ndarray) -> list[Any]:
    """Return the numbers, the median where one is missing."""
    return [where(np.isnan(numbers), median, numbers)] if len(median) else []


def _one_hot(codes: Any, sizes: Sequence[int], places: Sequence[int]) -> list[Any]:
    """Return the one-hot columns of some categories, in one row."""
    if not len(places):
        return []
    taken: list[int] = []
    plus: list[float] = []
    minus: list[float] = []
    for i in places:
        n = _n_columns(sizes[i])
        taken += [i] * n
        plus += range(1, n + 1)
        minus += [2 if n == 1 else -1] * n
    code = columns_of(codes, np.array(taken))
    negative = where(code == np.array(minus, np.float64), -1.0, 0.0)
    return [where(code == np.array(plus, np.float64), 1.0, negative)]


def _n_columns(size: int) -> int:
    """Return how many one-hot columns a category has."""
    return 1 if size <= 2 else size
