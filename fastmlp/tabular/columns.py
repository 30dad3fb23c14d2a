"""What a fitted encoder knows about each column, and how it encodes new values of the column."""

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.datasets.cells import NumberFormat
from fastmlp.datasets.columns import require_finite
from fastmlp.datasets.encode import OTHER_NAME
from fastmlp.datasets.moments import MomentFormat
from fastmlp.datasets.texts import Texts
from fastmlp.tabular.calendar import PARTS, moment_parts
from fastmlp.tabular.frames import RawColumn
from fastmlp.tabular.reading import TRUTH, Notation, as_texts, numbers_of

__all__ = [
    "LARGEST",
    "CategoryColumn",
    "FittedColumn",
    "LeftOutColumn",
    "MomentColumn",
    "NumberColumn",
]

_EVIDENCE = 5
"""Rows: fewer may well hold only categories that there were not in training."""

LARGEST = float(np.finfo(np.float32).max)
"""Encoded numbers are at most this far from the median."""


@dataclass(frozen=True)
class FittedColumn:
    """A column of the training rows.

    Attributes
    ----------
    name : str
    how : str
        How it was read, as in a line of the encoder's summary.

    """

    name: str
    how: str

    def __str__(self) -> str:
        """Return one line about the column."""
        return f"{printable(self.name)}: {printable(self.how)}"

    @property
    def kind(self) -> str:
        """What it is read as: a number, a date or a category; or that it is left out."""
        return "left out"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the columns of numbers that it becomes."""
        return ()


@dataclass(frozen=True)
class LeftOutColumn(FittedColumn):
    """A column that is not used."""


@dataclass(frozen=True)
class NumberColumn(FittedColumn):
    """A column of numbers or time spans.

    Attributes
    ----------
    center : float
        The median, which is subtracted before values are rounded to float32: seconds since 1970,
        or 1e9 + 0.1, would otherwise lose their differences.
    holds : {"number", "span"}
    written : MomentFormat, or None
        How texts of spans are written.
    decimal_comma, grouped, percent : bool
    currency, unit : str
        How texts of numbers were written in training, see `datasets.cells.NumberFormat`. Older
        models know nothing of separators and currencies.

    """

    center: float = 0.0
    holds: Literal["number", "span"] = "number"
    written: MomentFormat | None = None
    decimal_comma: bool = False
    grouped: bool = True
    percent: bool = False
    currency: str = ""
    unit: str = ""

    @property
    def kind(self) -> str:
        """A number."""
        return "number"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Its own name."""
        return (self.name,)

    def encode(self, raw: RawColumn, missing: frozenset[str]) -> np.ndarray:
        """Return float64 numbers of shape (N, 1), NaN if missing."""
        numbers = NumberFormat(
            self.decimal_comma, self.grouped, self.percent, self.currency, self.unit
        )
        values = numbers_of(raw, missing, self.holds, Notation(numbers, self.written))
        require_finite(raw.name, values, "leave the cell empty", raw.rows)
        return np.clip(values - self.center, -LARGEST, LARGEST)[:, None]


@dataclass(frozen=True)
class MomentColumn(FittedColumn):
    """A column of dates, with or without times of day.

    Attributes
    ----------
    center : float
        The median, in seconds since 1970.
    parts : tuple of str
        The parts that differ between the training rows, of ``calendar.PARTS``.
    written : MomentFormat, or None
        How texts of moments are written.

    """

    center: float = 0.0
    parts: tuple[str, ...] = PARTS
    written: MomentFormat | None = None

    @property
    def kind(self) -> str:
        """A date."""
        return "date"

    @property
    def outputs(self) -> tuple[str, ...]:
        """One name for each part, such as ``"sold: month"``."""
        return tuple(f"{self.name}: {part}" for part in self.parts)

    def encode(self, raw: RawColumn, missing: frozenset[str]) -> np.ndarray:
        """Return float64 numbers of shape (N, number of parts), NaN if missing."""
        seconds = numbers_of(raw, missing, "moment", Notation(moments=self.written))
        require_finite(raw.name, seconds, "leave the cell empty", raw.rows)
        return moment_parts(seconds, self.parts, self.center)


@dataclass(frozen=True)
class CategoryColumn(FittedColumn):
    """A column of categories.

    Attributes
    ----------
    categories : tuple of str
        The texts that have a code of their own, sorted: the first has code 1.
    shared : bool
        Whether all other texts share one more code; otherwise they have code 0, as missing values.

    """

    categories: tuple[str, ...] = ()
    shared: bool = False

    @property
    def kind(self) -> str:
        """A category."""
        return "category"

    @property
    def size(self) -> int:
        """Number of codes besides 0."""
        return len(self.categories) + self.shared

    @property
    def names(self) -> tuple[str, ...]:
        """What the codes 1, 2, ... stand for."""
        return (*self.categories, OTHER_NAME) if self.shared else self.categories

    @cached_property
    def _codes(self) -> dict[str, int]:
        """The code of each category, as it is written and as programs write it too."""
        codes = {text: code for code, text in enumerate(self.categories, 1)}
        if self._are_truth_values:
            truth = {text.lower(): code for text, code in codes.items()}
            return truth | {number: truth[word] for word, number in TRUTH.items()}
        # pandas makes 7 to 7.0 if a cell of the column is empty.
        whole = {t: code for t, code in codes.items() if re.fullmatch(r"[+-]?\d+(\.0)?", t)}
        others = {t.removesuffix(".0") if "." in t else f"{t}.0": c for t, c in whole.items()}
        return others | codes

    @cached_property
    def _are_truth_values(self) -> bool:
        return {text.lower() for text in self.categories} == TRUTH.keys()

    def _code(self, text: str) -> int:
        if self._are_truth_values:  # also written True or TRUE
            text = text.lower().removesuffix(".0")
        return self._codes.get(text, self.size if self.shared else 0)

    def encode(self, raw: RawColumn, missing: frozenset[str]) -> np.ndarray:
        """Return codes of shape (N,): 0 for missing values, and for unknown ones unless shared."""
        found = as_texts(raw, missing)
        table = np.array([self._code(text) for text in found.spelled()], np.int32)
        table[found.unmistakable] = 0
        if not raw.quiet:
            self._warn_of_none(found, table)
        return found.looked_up(table, 0)

    def _warn_of_none(self, found: Texts, codes: np.ndarray) -> None:
        """Warn if several rows hold texts, and none a known category: the notation has changed."""
        n_rows = (~np.append(found.unmistakable, True))[found.codes].sum()
        if n_rows >= _EVIDENCE and not np.isin(codes, range(1, len(self.categories) + 1)).any():
            unknown = found.different.filter(~found.unmistakable)[0]
            warnings.warn(
                f"the column {printable(self.name)!r} holds {unknown!r} and none of the "
                f"categories of the training rows, such as {self.categories[0]!r}: they count as "
                f"{'rare ones' if self.shared else 'missing'}",
                UserWarning,
                stacklevel=2,
            )
