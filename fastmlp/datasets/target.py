"""The column to predict: its classes or numbers, and the rows that have a value."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.datasets.cells import Numbers
from fastmlp.datasets.column import ReadAs, Rules
from fastmlp.datasets.columns import FEW, MOSTLY, looked_up, read_numbers
from fastmlp.datasets.encode import narrowest
from fastmlp.datasets.moments import parse_moments
from fastmlp.datasets.texts import Texts, texts_of
from fastmlp.datasets.wording import about_case, counted_classes, joined, short

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MAX_CLASSES", "Target", "read_target"]

MAX_CLASSES = 1000
MAX_NUMBER_CLASSES = 20
"""Whole numbers with more distinct values are a quantity to predict, not classes."""
ENOUGH_ROWS = 5
"""Whole numbers are classes if each has this many rows, or if they average it and lie close."""


@dataclass(frozen=True, eq=False)
class Target:
    """The values to predict.

    Attributes
    ----------
    read_as : ReadAs
    y : ndarray of shape (M,)
        int64 labels, or numbers: float32, or float64 if float32 would blur differences.
    classes : tuple of str, or None
        Names of the labels 0, 1, ...; None for regression.
    rows : int ndarray of shape (M,)
        Numbers of the table's rows that have a value.

    """

    read_as: ReadAs
    y: np.ndarray
    classes: tuple[str, ...] | None
    rows: np.ndarray


def read_target(name: str, cells: "pl.DataFrame", task: str, rules: Rules) -> Target:
    """Read the column to predict.

    Numbers are quantities (regression), except for whole numbers of at most 20 distinct values
    that either lie close together (0, 1, 2) and have five rows each on average, or have five rows
    each. Dates and times are quantities if there are more than 20. Everything else is classes.
    Among texts, an empty cell means a missing value, and so do `cells.UNMISTAKABLE` texts if at
    least two other classes remain; ``None``, ``NA`` or ``-`` are classes.

    Parameters
    ----------
    name : str
        Name of the column.
    cells : polars.DataFrame of one column of texts
        Null if a cell is empty.
    task : {"auto", "classification", "regression"}
    rules : Rules

    Raises
    ------
    ValueError
        If no row has a value, or the values are wrong for the task.

    """
    texts = next(texts_of(cells, rules.missing))
    if not len(texts) or (len(texts) == 1 and texts.markers[0]):
        raise ValueError(f"the target column '{name}' has no value in any row")
    candidates = np.flatnonzero(~texts.markers)
    different = texts.different.gather(candidates)
    if len(candidates) and name not in rules.categorical:
        numbers = read_numbers(different, rules.european)
        n_odd = numbers.values.null_count()
        mostly = n_odd <= (1 - MOSTLY) * len(candidates) or name in rules.numeric
        if mostly and not (n_odd and task == "classification"):
            return _from_numbers(name, texts, candidates, numbers, task)
        moments = parse_moments(different) if len(candidates) > FEW else None
        if moments is not None and task != "classification":
            values, _ = looked_up(texts, candidates, moments.values)
            return _amounts(name, values, moments.style, [moments.doubt])
        if n_odd < len(candidates) / 2 and task == "auto" and len(candidates) > FEW:
            odd = int(candidates[numbers.values.is_null().arg_true()[0]])
            raise ValueError(
                f"the target column '{name}' holds texts such as {short(texts.different[odd])} "
                f"(data row {texts.row_of(odd)}) among its numbers: "
                f"{argument('numeric', [name])} leaves such rows out, "
                f"{argument('task', 'classification')} makes every text a class"
            )
    if task == "regression":
        example = different[0] if len(candidates) else texts.different[0]
        raise ValueError(
            f"the target column '{name}' holds texts such as {short(example)}, which regression "
            "cannot predict"
        )
    return _from_texts(name, texts)


def _from_numbers(
    name: str, texts: Texts, candidates: np.ndarray, numbers: Numbers, task: str
) -> Target:
    values, odd = looked_up(texts, candidates, numbers.values)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(
            f"the target column '{name}' must hold finite numbers, got {values[row]:g} in data "
            f"row {row + 1}"
        )
    known = values[~np.isnan(values)]
    if not len(known):
        raise ValueError(f"the target column '{name}' has no number in any row")
    doubts = [numbers.doubt]
    if len(odd):
        doubts.append(
            f"holds {short(texts.different[int(odd[0])])} (data row {texts.row_of(odd[0])}) among "
            "its numbers, which counts as missing"
        )
    if task == "regression" or (task == "auto" and (numbers.amounts or not _are_codes(known))):
        return _amounts(name, values, numbers.style, doubts)
    spelled = texts.different.gather(candidates)
    exact = [
        None if value is None else _exact(text, value)
        for text, value in zip(spelled, numbers.values, strict=True)
    ]
    ordered = sorted({number for number in exact if number is not None})
    if len(ordered) > MAX_CLASSES:
        raise ValueError(
            f"the target column '{name}' holds {len(ordered)} different numbers, too many for "
            f"classes: use {argument('task', 'regression')}"
        )
    place = {number: label for label, number in enumerate(ordered)}
    names = tuple(
        str(int(number)) if number == int(number) else repr(float(number)) for number in ordered
    )
    table = np.full(len(texts), -1, np.int64)
    table[candidates] = [-1 if number is None else place[number] for number in exact]
    labels = texts.looked_up(table, -1)
    if 2 * len(names) > len(known) and len(names) > FEW:
        doubts.append(
            f"has {len(names)} classes in {len(known)} rows: {argument('task', 'regression')} "
            "predicts numbers"
        )
    how = counted_classes(len(names)) + (
        f", whole numbers ({argument('task', 'regression')} predicts them as numbers)"
        if task == "auto"
        else ""
    )
    return _classes(name, labels, names, how, doubts)


def _are_codes(values: np.ndarray) -> bool:
    """Tell whether numbers look like class labels rather than quantities."""
    if (values != np.floor(values)).any():
        return False
    different, counts = np.unique(values, return_counts=True)
    if len(different) > MAX_NUMBER_CLASSES or 2 * len(different) > len(values):
        return False
    close = different[-1] - different[0] <= 2 * len(different)
    enough = len(different) == 2 or len(values) >= ENOUGH_ROWS * len(different)
    return bool((close and enough) or counts.min() >= ENOUGH_ROWS)


def _exact(text: str, value: float) -> Decimal:
    """Return the number exactly as written: beyond 2**53, floats skip whole numbers."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(repr(value))


def _from_texts(name: str, texts: Texts) -> Target:
    spelled, missing = texts.spelled(), texts.unmistakable
    if len(texts) - missing.sum() < 2:
        missing = np.zeros(len(texts), bool)
    names = tuple(sorted(text for text, gone in zip(spelled, missing, strict=True) if not gone))
    n_known = int((texts.codes >= 0).sum())
    if len(names) > FEW and (len(names) > MAX_CLASSES or 2 * len(names) > n_known):
        raise ValueError(
            f"the target column '{name}' holds {len(names)} different texts such as "
            f"{short(spelled[0])} in {n_known} rows, too many for classes: choose another column"
        )
    words = [spelled[place] for place in np.flatnonzero(texts.markers & ~missing)]
    doubt = ""
    if words:
        instead = f"{argument('missing', words[:1])} leaves it out"
        doubt = f"has a class {words[0]!r}, which may mean a missing value: {instead}"
    label = {text: label for label, text in enumerate(names)}
    table = np.array(
        [-1 if gone else label[text] for text, gone in zip(spelled, missing, strict=True)]
    )
    return _classes(name, texts.looked_up(table, -1), names, counted_classes(len(names)), [doubt])


def _classes(
    name: str, labels: np.ndarray, names: tuple[str, ...], how: str, doubts: list[str]
) -> Target:
    rows = np.flatnonzero(labels >= 0)
    if len(names) == 1:
        doubts = [*doubts, f"has only one class, {short(names[0])}"]
    doubts = [*doubts, about_case(names, "classes"), _about_missing(len(labels), rows)]
    read_as = ReadAs(name, "target", how, joined(doubts))
    return Target(read_as, labels[rows].astype(np.int64), names, rows)


def _amounts(name: str, values: np.ndarray, style: str, doubts: list[str]) -> Target:
    rows = np.flatnonzero(~np.isnan(values))
    y = values[rows]
    if np.abs(y).max() > np.finfo(np.float32).max:
        raise ValueError(f"the target column '{name}' holds numbers beyond the range of float32")
    if (y == y[0]).all():
        doubts = [*doubts, f"has the same value {y[0]:g} in every row"]
    doubts = [*doubts, _about_missing(len(values), rows)]
    how = ", ".join(filter(None, ("regression", style)))
    return Target(ReadAs(name, "target", how, joined(doubts)), y.astype(narrowest([y])), None, rows)


def _about_missing(n_rows: int, rows: np.ndarray) -> str:
    n_missing = n_rows - len(rows)
    if not n_missing:
        return ""
    gap = np.flatnonzero(rows != np.arange(len(rows)))
    first = 1 + (int(gap[0]) if len(gap) else len(rows))
    if n_missing == 1:
        return f"has no value in data row {first}, which is left out"
    return f"has no value in {n_missing:,} rows, which are left out, the first in data row {first}"
