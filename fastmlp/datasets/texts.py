"""Columns of text, stored as their distinct texts and a code for each row."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.datasets.cells import MARKERS, UNMISTAKABLE

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Texts", "texts_of"]

FEW_TEXTS = 100_000


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one column, without surrounding whitespace.

    Attributes
    ----------
    codes : int ndarray of shape (N,)
        The index of each row's text in ``different``, or -1 if the cell is empty.

    """

    codes: np.ndarray
    _book: "_Book"
    _pages: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.codes)

    def __len__(self) -> int:
        """Return the number of distinct texts."""
        return len(self._pages)

    @cached_property
    def different(self) -> "pl.Series":
        """The distinct texts, as a polars series."""
        return self._book.texts.gather(self._pages)

    def spelled(self) -> list[str]:
        """Return the distinct texts, as Python strings."""
        if self._book.spelled is None:
            return self.different.to_list()
        return [self._book.spelled[page] for page in self._pages.tolist()]

    @property
    def markers(self) -> np.ndarray:
        """Which texts mean a missing value among numbers, bool of shape (len(self),)."""
        return self._book.markers[self._pages]

    @property
    def unmistakable(self) -> np.ndarray:
        """Which texts mean a missing value in any column, bool of shape (len(self),)."""
        return self._book.unmistakable[self._pages]

    @property
    def with_digits(self) -> np.ndarray:
        """Which texts could be numbers or moments, bool of shape (len(self),)."""
        return self._book.with_digits[self._pages]

    def looked_up(self, table: np.ndarray, empty: Any) -> np.ndarray:
        """Return a value for each row, given one for each distinct text and one for empty cells."""
        return np.append(table, np.array(empty, table.dtype))[self.codes]

    def row_of(self, place: int) -> int:
        """Return the number of the first row with that text, counting from 1."""
        return int((self.codes == place).argmax()) + 1


@dataclass(frozen=True, eq=False)
class _Book:
    """The distinct texts of many columns, and what each of them could mean."""

    texts: "pl.Series"
    spelled: list[str] | None  # if there are few texts, as one series per column is slow
    markers: np.ndarray
    unmistakable: np.ndarray
    with_digits: np.ndarray


def texts_of(cells: "pl.DataFrame", missing: frozenset[str]) -> Iterator[Texts]:
    """Yield the columns of a data frame of texts.

    As much as possible is done for all columns at once, since there may be thousands of them.

    Parameters
    ----------
    cells : polars.DataFrame of texts
        Null if a cell is empty.
    missing : frozenset of str
        Texts that count as empty, in lower case.

    """
    import polars as pl

    everything = pl.concat(cells.get_columns()).str.strip_chars()
    texts = everything.unique(maintain_order=True).drop_nulls()
    codes = everything.cast(pl.Enum(texts)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    lower = texts.str.to_lowercase()
    book = _Book(
        texts,
        texts.to_list() if len(texts) <= FEW_TEXTS else None,
        lower.is_in(list(MARKERS)).to_numpy(),
        lower.is_in(list(UNMISTAKABLE)).to_numpy(),
        texts.str.contains(r"\d|(?i:^[+-]?inf(?:inity)?$)").to_numpy(),
    )
    none = np.append(lower.is_in(["", *missing]).to_numpy(), True)
    if none[:-1].any():
        codes = np.where(none[codes], np.int32(-1), codes)
    for column in codes.reshape(cells.width, cells.height):
        pages, places = _different(column, len(texts))
        yield Texts(places, book, pages)


def _different(codes: np.ndarray, n_texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct codes other than -1, and the index of each row's code among them."""
    if n_texts > 4 * len(codes):
        pages, places = np.unique(codes, return_inverse=True)
        if len(pages) and pages[0] == -1:
            return pages[1:], places - 1
        return pages, places
    used = np.zeros(n_texts + 1, bool)
    used[codes] = True
    used[-1] = False
    pages = np.flatnonzero(used)
    place = np.full(n_texts + 1, -1, np.int32)
    place[pages] = np.arange(len(pages), dtype=np.int32)
    return pages, place[codes]
