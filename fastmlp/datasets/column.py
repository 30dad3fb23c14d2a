"""One column of a table, and what the caller says about how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.datasets.cells import NumberFormat
from fastmlp.datasets.moments import MomentFormat

__all__ = ["Column", "ReadAs", "RowNumbers", "Rules", "listed"]

RowNumbers = Sequence[int] | np.ndarray | None


@dataclass(frozen=True)
class ReadAs:
    """How one column was read; ``str()`` gives it as one line.

    Attributes
    ----------
    name : str
        The column's name in the header.
    kind : {"number", "moment", "category", "left out", "target"}
    how : str
        Details, such as "12 missing".
    doubt : str
        What may have been misread and how to correct it, or empty.

    """

    name: str
    kind: Literal["number", "moment", "category", "left out", "target"]
    how: str = ""
    doubt: str = ""

    def __str__(self) -> str:
        return f"{printable(self.name)}: {self.description}"

    @property
    def description(self) -> str:
        """The line for this column without its name."""
        kind = "" if self.kind == "moment" else self.kind
        return ", ".join(filter(None, (kind, self.how)))


@dataclass(frozen=True, eq=False)
class Column:
    """The values of a column, as numbers or codes.

    Attributes
    ----------
    read_as : ReadAs
    values : ndarray of shape (N,)
        Floats, with NaN for missing values; for categories, int32 indices into ``categories``.
    categories : tuple of str, or None
        The distinct texts in sorted order, with ``""`` first if values are missing.
    fallback : bool
        Whether a column that was left out can be used if there is no other.
    written : NumberFormat, MomentFormat or None
        How its numbers or moments are written, if they were texts.

    """

    read_as: ReadAs
    values: np.ndarray
    categories: tuple[str, ...] | None = None
    fallback: bool = False
    written: NumberFormat | MomentFormat | None = None


@dataclass(frozen=True)
class Rules:
    """The caller's instructions on how to read the columns.

    Attributes
    ----------
    categorical, numeric : frozenset of str
        Names of columns to read as categories, or as numbers, whatever they hold.
    missing : frozenset of str
        Additional texts that mean a missing value, in lower case.
    european : bool
        Whether an ambiguous comma is a decimal comma.
    rows : sequence of int, or None
        The numbers of the rows in the user's table, counted from 0, for messages; None if the
        rows are the whole table.

    """

    categorical: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    missing: frozenset[str] = field(default_factory=frozenset)
    european: bool = False
    rows: RowNumbers = None


def listed(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return the values of an option of several; raise TypeError if it is a single text."""
    if isinstance(values, str):
        kind = "texts" if option == "missing" else "column names"
        raise TypeError(f"{option} must be a list of {kind}: write [{values!r}]")
    return tuple(values)
