"""The encoder between tables and networks: numbers and category codes from any data frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from fastmlp.common.errors import counted, unknown
from fastmlp.common.validation import positive_int
from fastmlp.datasets.column import RowNumbers, Rules, listed
from fastmlp.tabular import fitting
from fastmlp.tabular.columns import CategoryColumn, FittedColumn, MomentColumn, NumberColumn
from fastmlp.tabular.description import from_config, to_config
from fastmlp.tabular.fitting import MAX_CATEGORIES
from fastmlp.tabular.frames import (
    RawColumn,
    column_names,
    count_rows,
    has_names,
    raw_columns,
)

__all__ = ["Encoded", "TableEncoder"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of a table as networks take them.

    Attributes
    ----------
    numbers : float32 ndarray of shape (N, n_numbers), C-contiguous
        NaN if missing.
    codes : int32 ndarray of shape (N, n_categories), C-contiguous
        Column j holds 0 for a missing or unknown category, and 1 to ``sizes[j]`` for the others.
    sizes : tuple of int
        The number of categories of each column of ``codes``.

    """

    numbers: np.ndarray
    codes: np.ndarray
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        """N."""
        return len(self.numbers)

    def take(self, rows: np.ndarray | slice) -> "Encoded":
        """Return some rows."""
        return Encoded(self.numbers[rows], self.codes[rows], self.sizes)


class TableEncoder:
    """Encodes the columns of a table as numbers and category codes.

    Columns are read by the same rules as in `fastmlp.datasets.csv`, whatever library the frame
    comes from; a column that has the type of numbers, dates or categories is taken at its word.

    - *Numbers* stay numbers, less the column's median; also numbers written as texts, with
      thousands separators, currencies or percent signs.
    - *Dates* become year, month, day, weekday, hour and the number of days since their median, as
      far as these differ between rows; times such as 12:30 become seconds.
    - *Categories* (other texts, truth values, categorical types) become codes. Of more than 100,
      those in fewer than five rows share a code, except for the 100 most frequent ones; and no
      more than ``max_categories`` have one of their own. Where a code is shared, categories that
      are first seen after `fit` have it too; otherwise these count as missing.
    - Columns are *left out* if they have no value, the same value in every row, a different text
      in nearly every row, or just number the rows.

    Parameters
    ----------
    categorical, numeric : sequence of str, optional
        Columns to read as categories, or as numbers, whatever they hold.
    drop : sequence of str, optional
        Columns to leave out.
    missing : sequence of str, optional
        Additional texts or numbers that mean a missing value, in any column.
    max_categories : int, default 256
        The largest number of categories of a column that have a code of their own.

    Attributes
    ----------
    columns : tuple of FittedColumn
        What is known about each column of the training rows, in their order.
    doubts : tuple of str
        What may have been misread, one sentence each.
    named : bool
        Whether the training rows came with names of columns. If they did not, or if later rows do
        not, columns are found by their position.

    """

    columns: tuple[FittedColumn, ...] = ()
    doubts: tuple[str, ...] = ()
    named: bool = False

    def __init__(
        self,
        *,
        categorical: Sequence[str] = (),
        numeric: Sequence[str] = (),
        drop: Sequence[str] = (),
        missing: Sequence[str] = (),
        max_categories: int = MAX_CATEGORIES,
    ):
        self.categorical: tuple[str, ...] = listed("categorical", categorical)
        self.numeric: tuple[str, ...] = listed("numeric", numeric)
        self.drop: tuple[str, ...] = listed("drop", drop)
        self.missing: tuple[str, ...] = listed("missing", missing)
        self.max_categories: int = positive_int("max_categories", max_categories)

    def __repr__(self) -> str:
        """Show the settings that are not the defaults."""
        lists = ("categorical", "numeric", "drop", "missing")
        shown = [f"{name}={list(value)!r}" for name in lists if (value := getattr(self, name))]
        if self.max_categories != MAX_CATEGORIES:
            shown.append(f"max_categories={self.max_categories}")
        return f"TableEncoder({', '.join(shown)})"

    def fit(self, X: Any, *, european: bool = False, rows: RowNumbers = None) -> Self:
        """Learn the columns from the rows of a data frame or array.

        Parameters
        ----------
        X : data frame or array_like of shape (N, D)
        european : bool, default False
            Whether a comma in a text is decimal if no other text of the column decides it.
        rows : sequence of int, optional
            The numbers of the rows in a larger table, counted from 0, for messages.

        Raises
        ------
        ValueError
            If a name is unknown or used twice, a number is infinite, or no column can be used.

        """
        names = column_names(X)
        known = set(names)
        for name in (*self.categorical, *self.numeric, *self.drop):
            if name not in known:
                raise unknown("column", name, names)
        for name in self.categorical:
            if name in self.numeric:
                raise ValueError(f"the column {name!r} cannot be both categorical and numeric")
        rules = Rules(
            frozenset(self.categorical), frozenset(self.numeric), self.missing_texts, european, rows
        )
        kept = [name for name in names if name not in self.drop]
        found, doubts = fitting.fit_columns(raw_columns(X, kept), rules, self.max_categories)
        by_name = dict(zip(kept, found, strict=True))
        self.columns = tuple(by_name.get(name) or fitting.dropped(name) for name in names)
        self.doubts, self.named = tuple(doubts), has_names(X)
        if not self.names:
            why = "; ".join(map(str, self.columns[:3]))
            n_rows = counted(count_rows(X), "row")
            raise ValueError(
                f"the table has no column with information, in {n_rows} ({why})"
                if why
                else "the table has no columns"
            )
        return self

    def transform(
        self,
        X: Any,
        *,
        rows: RowNumbers = None,
        quiet: bool = False,
        european: bool | None = None,
    ) -> Encoded:
        """Encode rows; columns are found by their names, and others are ignored.

        Parameters
        ----------
        X : data frame or array_like of shape (N, D)
        rows : sequence of int, optional
            The numbers of the rows in a larger table, counted from 0, for messages.
        quiet : bool, default False
            Whether not to warn of texts among numbers. `doubts` has those of the training rows.
        european : bool, optional
            Whether a comma in a text is decimal if neither other texts of the column nor those of
            the training rows decide it. Default: nothing is known.

        Raises
        ------
        ValueError
            If a column is missing.
        TypeError
            If a column holds something else than in training, such as dates instead of numbers.

        """
        self._require_fitted()
        used = [column for column in self.columns if column.kind != "left out"]
        numbers = np.empty((count_rows(X), len(self.number_names)), np.float32)
        codes = np.empty((len(numbers), len(self.sizes)), np.int32)
        place = code_place = 0
        for column, raw in zip(used, self._raw_columns(X), strict=True):
            raw = replace(raw, rows=rows, quiet=quiet, european=european)
            if isinstance(column, CategoryColumn):
                codes[:, code_place] = column.encode(raw, self.missing_texts)
                code_place += 1
            elif isinstance(column, NumberColumn | MomentColumn):
                width = len(column.outputs)
                numbers[:, place : place + width] = column.encode(raw, self.missing_texts)
                place += width
        return Encoded(numbers, codes, self.sizes)

    def _require_fitted(self) -> None:
        if not self.columns:
            raise ValueError("this TableEncoder has learned no columns yet: call fit first")

    def _raw_columns(self, X: Any) -> Iterator[RawColumn]:
        if self.named and has_names(X):
            return raw_columns(X, self.names)
        found, known = column_names(X), [column.name for column in self.columns]
        if len(found) != len(known):
            raise ValueError(
                f"the table has {counted(len(found), 'column')}, and {len(known)} in training"
            )
        used = set(self.names)
        places = [place for place, name in enumerate(known) if name in used]
        renamed = raw_columns(X, [found[place] for place in places])
        return (replace(raw, name=known[p]) for raw, p in zip(renamed, places, strict=True))

    def fit_transform(self, X: Any, *, european: bool = False) -> Encoded:
        """Learn the columns of some rows and encode these rows."""
        return self.fit(X, european=european).transform(X, quiet=True, european=european)

    def summary(self) -> str:
        """Return one line for each column, which tells how it was read."""
        self._require_fitted()
        return "\n".join(map(str, self.columns))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are used."""
        return tuple(c.name for c in self.columns if c.kind != "left out")

    @property
    def number_names(self) -> tuple[str, ...]:
        """What each column of ``Encoded.numbers`` holds, such as ``"sold: month"``."""
        return tuple(name for column in self.columns for name in column.outputs)

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Column name -> what its codes 1, 2, ... stand for."""
        return {c.name: c.names for c in self.columns if isinstance(c, CategoryColumn)}

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of categories of each column of ``Encoded.codes``."""
        return tuple(c.size for c in self.columns if isinstance(c, CategoryColumn))

    @property
    def missing_texts(self) -> frozenset[str]:
        """The additional texts that mean a missing value, in lower case."""
        return frozenset(str(text).strip().lower() for text in self.missing)

    def config(self) -> dict[str, Any]:
        """Return everything that was learned, as JSON can hold it."""
        return {
            "missing": sorted(self.missing_texts),
            "max_categories": self.max_categories,
            "named": self.named,
            "columns": [to_config(column) for column in self.columns],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TableEncoder":
        """Return the fitted encoder that `config` described.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is no such description.

        """
        missing, most, named = config["missing"], config["max_categories"], config["named"]
        texts = all(type(text) is str for text in missing)
        if type(most) is not int or type(named) is not bool or not texts:
            raise ValueError("the encoder's settings are corrupt")
        encoder = cls(missing=missing, max_categories=most)
        encoder.named = named
        encoder.columns = tuple(from_config(entry) for entry in config["columns"])
        return encoder
