"""Deciding what each column of a table becomes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

import numpy as np

from fastmlp.datasets.cells import NumberFormat
from fastmlp.datasets.column import Column, Rules
from fastmlp.datasets.columns import (
    read_categories,
    read_columns,
    read_values,
)
from fastmlp.datasets.moments import MomentFormat
from fastmlp.tabular.calendar import varying_parts
from fastmlp.tabular.columns import (
    CategoryColumn,
    FittedColumn,
    LeftOutColumn,
    MomentColumn,
    NumberColumn,
)
from fastmlp.tabular.frames import RawColumn
from fastmlp.tabular.reading import Notation, as_texts, numbers_of

__all__ = ["MAX_CATEGORIES", "dropped", "fit_columns"]

MAX_CATEGORIES = 256
"""The largest number of categories of a column with a code of their own, unless the user says."""

_ALWAYS_KEPT = 100
"""So many of the most frequent categories have a code of their own, however rare they are."""

_ENOUGH_ROWS = 5
"""A category in so many rows has a code of its own, such as a country in a table by country and
year: if rare ones share theirs, the error is twice as large there. Of fewer rows little can be
learned."""


def fit_columns(
    raws: Iterable[RawColumn], rules: Rules, max_categories: int
) -> tuple[list[FittedColumn], list[str]]:
    """Return what is known about each column, and what is doubtful about them.

    If all columns would be left out, row numbers and constant columns are used.

    Parameters
    ----------
    raws : iterable of RawColumn
    rules : Rules
    max_categories : int
        The largest number of categories with a code of their own.

    """
    kinds, read = [], []
    for raw, column in _read(list(raws), rules):
        kinds.append(raw.kind)
        read.append(column)
    usable = any(column.read_as.kind != "left out" for column in read)
    fitted = [
        _fitted(column, kind, max_categories, fallback=not usable)
        for column, kind in zip(read, kinds, strict=True)
    ]
    doubts = [f"the column '{c.read_as.name}' {c.read_as.doubt}" for c in read if c.read_as.doubt]
    return fitted, doubts if usable else []


def dropped(name: str) -> LeftOutColumn:
    """Return a column that the user leaves out."""
    return LeftOutColumn(name, "left out, as asked")


def _read(raws: Sequence[RawColumn], rules: Rules) -> Iterator[tuple[RawColumn, Column]]:
    """Yield each column with how it is read; texts are read together, which is much faster."""
    free = [raw for raw in raws if _is_free_text(raw, rules)]
    columns: Iterator[Column] = iter(())
    if free:
        import polars as pl

        cells = pl.DataFrame([raw.values.alias(str(place)) for place, raw in enumerate(free)])
        columns = read_columns([raw.name for raw in free], cells, rules)
    for raw in raws:
        yield raw, next(columns) if _is_free_text(raw, rules) else _read_typed(raw, rules)


def _is_free_text(raw: RawColumn, rules: Rules) -> bool:
    return raw.kind == "text" or (raw.kind == "category" and raw.name in rules.numeric)


def _read_typed(raw: RawColumn, rules: Rules) -> Column:
    """Read a column whose type says what it holds."""
    if raw.kind == "category" or raw.name in rules.categorical:
        return read_categories(raw.name, as_texts(raw, rules.missing))
    values = numbers_of(raw, rules.missing, raw.kind, Notation())
    kind = "number" if raw.kind == "number" else "moment"
    return read_values(raw.name, values, rules, kind=kind)


def _fitted(column: Column, kind: str, max_categories: int, *, fallback: bool) -> FittedColumn:
    read_as = column.read_as
    if read_as.kind == "left out" and not (fallback and column.fallback):
        return LeftOutColumn(read_as.name, read_as.description)
    if column.categories is not None:
        return _category(column, max_categories)
    values = column.values.astype(np.float64)
    known = values[~np.isnan(values)]
    center = float(np.median(known))
    written = column.written if isinstance(column.written, MomentFormat) else None
    if written is None and kind not in ("moment", "span"):
        how = read_as.description
        if read_as.kind == "left out":
            how = how.replace("left out,", "number, used for want of others,")
        numbers = column.written if isinstance(column.written, NumberFormat) else NumberFormat()
        return NumberColumn(read_as.name, how, center, **asdict(numbers))
    missing = f", {len(values) - len(known):,} missing" if len(known) < len(values) else ""
    if kind == "span" or (written is not None and written.is_span):
        return NumberColumn(
            read_as.name, f"time in seconds{missing}", center, "span", written=written
        )
    parts = varying_parts(known)
    how = f"date as {', '.join(parts)}{missing}"
    return MomentColumn(read_as.name, how, center, parts, written)


def _category(column: Column, max_categories: int) -> CategoryColumn:
    """Keep the categories that are frequent enough; code 0 is for missing values."""
    read_as = column.read_as
    names = list(column.categories or ())
    counts = np.bincount(column.values, minlength=len(names))
    has_missing = names[:1] == [""]
    known = np.arange(int(has_missing), len(names))
    n_frequent = int((counts[known] >= _ENOUGH_ROWS).sum())
    n_kept = min(max(n_frequent, _ALWAYS_KEPT), max_categories)
    if len(known) <= n_kept:
        return CategoryColumn(read_as.name, read_as.description, tuple(names[has_missing:]))
    frequent = known[np.argsort(-counts[known], kind="stable")[:n_kept]]
    categories = tuple(names[place] for place in np.sort(frequent))
    how = f"{read_as.description}, all but the {n_kept} most frequent share a code"
    return CategoryColumn(read_as.name, how, categories, shared=True)
