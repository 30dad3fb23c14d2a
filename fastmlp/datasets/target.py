"""The column to predict: classes or amounts, and which rows have it."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.datasets.cells import MARKERS, UNMISTAKABLE, Numbers, parse_moments, parse_numbers
from fastmlp.datasets.columns import FEW, MOSTLY, ReadAs, Rules, distinct_texts, row_of
from fastmlp.datasets.encode import narrowest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MAX_CLASSES", "Target", "read_target"]

MAX_CLASSES = 1000
MAX_NUMBER_CLASSES = 20
"""Whole numbers with more different values are amounts."""
ENOUGH_ROWS = 5
"""Whole numbers with gaps are codes of classes if each is in so many rows."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted.

    Attributes
    ----------
    read_as : ReadAs
    y : ndarray of shape (M,)
        int64 labels, or float values: float64 where float32 would lose what sets them apart.
    classes : tuple of str, or None
        In the order of the labels; None for regression.
    rows : int ndarray of shape (M,)
        The rows of the table that have a value.

    """

    read_as: ReadAs
    y: np.ndarray
    classes: tuple[str, ...] | None
    rows: np.ndarray


def read_target(name: str, texts: "pl.Series", task: str, rules: Rules) -> Target:
    """Read the column to predict.

    Numbers are amounts, unless they are whole with at most 20 different values that either lie
    close together (0, 1, 2) or are in five rows each; moments are amounts if there are more than
    20. Everything else is classes. Among texts, an empty cell means a missing value, and so do
    `cells.UNMISTAKABLE` texts if two classes are left without them; ``None``, ``NA`` or ``-``
    are classes.

    Parameters
    ----------
    name : str
        Of the column.
    texts : polars.Series
        Its cells.
    task : {"auto", "classification", "regression"}
    rules : Rules

    Raises
    ------
    ValueError
        If no row has a value, or the values do not suit the task.

    """
    texts, different = distinct_texts(texts, rules.missing)
    if not len(different):
        raise ValueError(f"the target column '{name}' has no value in any row")
    candidates = different.filter(~different.str.to_lowercase().is_in(list(MARKERS)))
    if len(candidates) and name not in rules.categorical:
        numbers = parse_numbers(candidates, european=rules.european)
        n_odd = numbers.values.null_count()
        mostly = n_odd <= (1 - MOSTLY) * len(candidates) or name in rules.numeric
        if mostly and not (n_odd and task == "classification"):
            return _from_numbers(name, texts, candidates, numbers, task)
        moments = parse_moments(candidates) if len(candidates) > FEW else None
        if moments is not None and task != "classification":
            values = _looked_up(texts, candidates, moments.values)
            return _amounts(name, values, moments.style, [moments.doubt])
        if n_odd < len(candidates) / 2 and task == "auto" and len(candidates) > FEW:
            odd = candidates.filter(numbers.values.is_null())[0]
            raise ValueError(
                f"the target column '{name}' holds texts such as {odd[:40]!r} (data row "
                f"{row_of(texts, odd)}) among its numbers: numeric=[{name!r}] leaves such rows "
                "out, task='classification' takes every text for a class"
            )
    if task == "regression":
        example = candidates[0] if len(candidates) else different[0]
        raise ValueError(
            f"the target column '{name}' holds texts such as {example[:40]!r}, which regression "
            "cannot predict"
        )
    return _from_texts(name, texts, different)


def _from_numbers(
    name: str, texts: "pl.Series", candidates: "pl.Series", numbers: Numbers, task: str
) -> Target:
    values = _looked_up(texts, candidates, numbers.values)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(
            f"the target column '{name}' holds {values[row]:g} in data row {row + 1} where a "
            "finite number is expected"
        )
    known = values[~np.isnan(values)]
    if not len(known):
        raise ValueError(f"the target column '{name}' has no number in any row")
    doubts = [numbers.doubt]
    odd = candidates.filter(numbers.values.is_null())
    if len(odd):
        doubts.append(
            f"holds {odd[0][:40]!r} (data row {row_of(texts, odd[0])}) among its numbers, which "
            "counts as missing"
        )
    if task == "regression" or (task == "auto" and (numbers.amounts or not _are_codes(known))):
        return _amounts(name, values, numbers.style, doubts)
    exact = {text: _exact(text, value) for text, value in zip(candidates, numbers.values)}
    ordered = sorted(set(exact.values()))
    if len(ordered) > MAX_CLASSES:
        raise ValueError(
            f"the target column '{name}' holds {len(ordered)} different numbers, too many for "
            "classes: use task='regression'"
        )
    place = {number: label for label, number in enumerate(ordered)}
    names = tuple(
        str(int(number)) if number == int(number) else repr(float(number)) for number in ordered
    )
    import polars as pl

    labels = texts.replace_strict(
        list(exact),
        [place[number] for number in exact.values()],
        default=None,
        return_dtype=pl.Int64,
    )
    how = f"{len(names)} classes" + (
        ", whole numbers (task='regression' takes them as amounts)" if task == "auto" else ""
    )
    return _classes(name, labels, names, how, doubts)


def _are_codes(values: np.ndarray) -> bool:
    """Whether numbers look like codes of classes and not like amounts."""
    if (values != np.floor(values)).any():
        return False
    different, counts = np.unique(values, return_counts=True)
    if len(different) > MAX_NUMBER_CLASSES or 2 * len(different) > len(values):
        return False
    close = different[-1] - different[0] < 2 * len(different) + 1
    return bool(close or counts.min() >= ENOUGH_ROWS)


def _exact(text: str, value: float) -> Decimal:
    """Return the number as it is written: beyond 2**53, floats are not whole numbers apart."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(repr(value))


def _from_texts(name: str, texts: "pl.Series", different: "pl.Series") -> Target:
    import polars as pl

    lower = different.str.to_lowercase()
    none = different.filter(lower.is_in(list(UNMISTAKABLE))).to_list()
    names = tuple(sorted(set(different.to_list()).difference(none)))
    if len(names) < 2:
        none, names = [], tuple(sorted(different.to_list()))
    n_known = len(texts) - texts.null_count()
    if len(names) > FEW and (len(names) > MAX_CLASSES or 2 * len(names) > n_known):
        raise ValueError(
            f"the target column '{name}' holds {len(names)} different texts such as "
            f"{different[0][:40]!r} in {n_known} rows, too many for classes: choose another column"
        )
    doubts = []
    words = [text for text in names if text.lower() in MARKERS]
    if words:
        doubts.append(
            f"takes the text {words[0]!r} for a class: missing=[{words[0]!r}] leaves such rows out"
        )
    labels = pl.select(pl.when(~texts.is_in(none)).then(texts)).to_series() if none else texts
    labels = labels.cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    return _classes(name, labels, names, f"{len(names)} classes", doubts)


def _classes(
    name: str, labels: "pl.Series", names: tuple[str, ...], how: str, doubts: list[str]
) -> Target:
    rows = labels.is_not_null().arg_true().to_numpy()
    if len(names) == 1:
        doubts = [*doubts, f"has only one class, {names[0]!r}"]
    doubts = [*doubts, _about_missing(len(labels), rows)]
    read_as = ReadAs(name, "target", how, " and ".join(filter(None, doubts)))
    return Target(read_as, labels.drop_nulls().to_numpy(writable=True), names, rows)


def _amounts(name: str, values: np.ndarray, style: str, doubts: list[str]) -> Target:
    rows = np.flatnonzero(~np.isnan(values))
    y = values[rows]
    if np.abs(y).max() > np.finfo(np.float32).max:
        raise ValueError(f"the target column '{name}' holds numbers beyond the range of float32")
    if (y == y[0]).all():
        doubts = [*doubts, f"has the same value {y[0]:g} in every row"]
    doubts = [*doubts, _about_missing(len(values), rows)]
    how = ", ".join(filter(None, ("regression", style)))
    doubt = " and ".join(filter(None, doubts))
    return Target(ReadAs(name, "target", how, doubt), y.astype(narrowest([y])), None, rows)


def _about_missing(n_rows: int, rows: np.ndarray) -> str:
    n_missing = n_rows - len(rows)
    if not n_missing:
        return ""
    gap = np.flatnonzero(rows != np.arange(len(rows)))
    first = int(gap[0]) if len(gap) else len(rows)
    return f"has no value in {n_missing:,} rows, which are left out, first data row {first + 1}"


def _looked_up(texts: "pl.Series", different: "pl.Series", values: "pl.Series") -> np.ndarray:
    import polars as pl

    return texts.replace_strict(
        different, values, default=None, return_dtype=pl.Float64
    ).to_numpy(writable=True)
