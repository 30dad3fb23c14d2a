"""Records of a delimited text file: detection of the delimiter, and a check of their lengths.

Polars reads the cells. What it lacks (as of version 2.1) is in this file: it does not find the
delimiter, fills short records with missing values without a word, even if told to refuse missing
columns, makes a row of a blank line, and misreads quotes within a cell and lines that end in a lone
carriage return. So the number of cells in each record is checked first, with a few numpy passes;
and the rare files that polars would misread are rewritten by Python's csv module.
"""

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastmlp.common.errors import argument, counted
from fastmlp.datasets.wording import short

__all__ = [
    "Layout",
    "Records",
    "count_records",
    "inspect_quotes",
    "ragged",
    "read_layout",
    "read_records",
    "records_of",
    "rewritten",
]

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 200
_AT_END = b"\r\n\x1a"
"""What may follow the last record: line ends, and what old programs end a file with."""

_FRACTION = re.compile(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?")
"""No name of a column; a year may be one."""

CHUNK = 1 << 22
_SEARCHED, _MOST_ABOVE = 1 << 14, 20  # bytes and lines in which the names of columns may be found
_LONE_RETURN = re.compile(r"\r(?!\n)")
QUOTE, NEWLINE, RETURN = b'"'[0], b"\n"[0], b"\r"[0]


@dataclass(frozen=True)
class Layout:
    """How a text file is a table.

    Attributes
    ----------
    header : tuple of str
        The names of the columns. A column without a name is named by its position: ``column 3``.
    delimiter : str
        The character between cells.
    old_lines : bool
        Whether lines end in a lone carriage return; in other files, that is part of a cell.

    """

    header: tuple[str, ...]
    delimiter: str
    old_lines: bool = False

    @property
    def european(self) -> bool:
        """Whether a comma in a number may be decimal, since it does not separate cells."""
        return self.delimiter != ","


@dataclass(frozen=True, eq=False)
class Records:
    """A table as text; all its records have the same number of cells.

    Attributes
    ----------
    layout : Layout
        Of the file.
    n_rows : int
        Number of records, without the header.

    """

    layout: Layout
    n_rows: int
    _data: bytes
    _separator: str
    _has_header: bool = True

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.layout.header

    @property
    def n_bytes(self) -> int:
        """Size of the text in bytes."""
        return len(self._data)

    def columns(self, places: Sequence[int]) -> Any:
        """Return the cells of some columns as a polars data frame of texts, null if empty."""
        import polars as pl

        return pl.read_csv(
            self._data,
            columns=list(places),
            has_header=self._has_header,
            separator=self._separator,
            infer_schema=False,
        )


def read_records(data: bytes, path: Path, delimiter: str | None, target: str) -> Records:
    """Detect the delimiter, read the header, and check that all records have as many cells.

    Parameters
    ----------
    data : bytes
        The file, UTF-8.
    path : Path
        For messages.
    delimiter : str or None
        None to detect it: comma, semicolon, tab or vertical bar.
    target : str
        Name of a column that the header should contain.

    Raises
    ------
    ValueError
        If a record has more or fewer cells than the header, a quote is not closed, or there are
        no records.

    """
    layout = read_layout(data, path, delimiter, target)
    records = records_of(data, path, layout)
    if records.n_rows == 0:
        raise ValueError(f"'{path}' has a header but no rows")
    return records


def read_layout(data: bytes, path: Path, delimiter: str | None, target: str) -> Layout:
    """Return the delimiter and the header, by the first records; see `read_records`."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(
            f"{argument('delimiter')} must be one character, such as ',' or ';', got {delimiter!r}"
        )
    old_lines = _has_old_lines(data)
    found = delimiter or _find_delimiter(data, target, old_lines)
    _, names = next(_reader(io.BytesIO(data), found, path, old_lines), (1, []))
    names = [name.strip() for name in names]
    header = tuple(name or f"column {place}" for place, name in enumerate(names, 1))
    if len(header) < 2:
        raise _no_header(data, path, header, found if delimiter else "")
    fraction = next((name for name in header if _FRACTION.fullmatch(name)), None)
    if fraction is not None:
        warnings.warn(
            f"the first line of '{path}' is read as the names of the columns, but looks like data, "
            f"such as {fraction!r}: write a line with names above it",
            UserWarning,
            stacklevel=2,
        )
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise ValueError(f"two columns of '{path}' are named '{name}': rename one")
        seen.add(name)
    return Layout(header, found, old_lines)


def _no_header(data: bytes, path: Path, header: tuple[str, ...], delimiter: str) -> ValueError:
    """Return the error for a first line that does not name two columns."""
    if not data.strip():
        return ValueError(f"'{path}' is empty")
    separators = delimiter or "".join(DELIMITERS)
    lines = data[:_SEARCHED].decode(errors="replace").splitlines()[1:_MOST_ABOVE]
    wide = [any(mark in line for mark in separators) for line in lines]
    if all(wide[-2:]) and len(wide) > 2 and header:  # of a table that begins further below
        return ValueError(
            f"the first line of '{path}' must name the columns, got {short(header[0])}: delete the "
            f"lines above the names, which may be in line {wide.index(True) + 2}"
        )
    others = f"',', ';', a tab or '|', or set {argument('delimiter')}"
    tried = repr(delimiter) if delimiter else others
    return ValueError(
        f"the first line of '{path}' must name at least two columns, got {len(header)}: "
        f"check that the columns are separated by {tried}"
    )


def _has_old_lines(data: bytes) -> bool:
    """Tell whether the first line ends in a lone carriage return."""
    end, newline = data.find(b"\r"), data.find(b"\n")
    return end >= 0 and (newline < 0 or newline > end + 1)


def records_of(
    data: bytes, path: Path, layout: Layout, *, has_header: bool = True, n_before: int = 0
) -> Records:
    """Return the records of a file, or of whole lines of it, checked.

    Parameters
    ----------
    data : bytes
    path : Path
    layout : Layout
    has_header : bool, default True
        Whether the first record is the header.
    n_before : int, default 0
        Number of lines of the file that come before, for messages.

    Raises
    ------
    ValueError
        If a record has more or fewer cells than the header, or a quote is not closed.

    """
    data = data.rstrip(_AT_END) + b"\n"
    separator, n_cells = layout.delimiter, len(layout.header)
    odd, inside = inspect_quotes(data, layout)
    n_records = None
    if not odd and not inside:
        n_records = count_records(data, separator, path, n_cells, n_before)
    if n_records is None:
        data = b"".join(rewritten(io.BytesIO(data), path, layout, n_before))
        separator = ","
        n_records = count_records(data, separator, path, n_cells) or 0
    return Records(layout, n_records - has_header, data, separator, has_header)


def _find_delimiter(data: bytes, target: str, old_lines: bool) -> str:
    """Return the candidate that splits the first records most evenly into two or more cells."""

    def merit(candidate: str) -> tuple[bool, float, int]:
        try:
            first = islice(_reader(io.BytesIO(data), candidate, Path(), old_lines), SAMPLE_RECORDS)
            records = [record for _, record in first]
        except ValueError:
            return False, 0.0, 0
        n_cells = len(records[0]) if records else 0
        if n_cells < 2:
            return False, 0.0, 0
        named = target in (name.strip() for name in records[0])
        even = sum(len(record) == n_cells for record in records) / len(records)
        return named, even, n_cells

    return max(DELIMITERS, key=merit)


def _reader(
    stream: BinaryIO, delimiter: str, path: Path, old_lines: bool, n_before: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and records, read by Python's csv module, without blank lines."""
    text: Iterable[str] = io.TextIOWrapper(stream, "utf-8", newline="" if old_lines else "\n")
    if not old_lines:  # Python's csv module takes a lone carriage return for the end of a line
        text = (_LONE_RETURN.sub(" ", line) for line in text)
    lines = csv.reader(text, delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True)
    try:
        for record in lines:
            if record:
                yield n_before + lines.line_num, record
    except csv.Error as error:
        line = n_before + lines.line_num
        raise ValueError(f"line {line} of '{path}' cannot be read ({error})") from None


def rewritten(
    stream: BinaryIO, path: Path, layout: Layout, n_before: int = 0, size: int = CHUNK
) -> Iterator[bytes]:
    """Yield the same records in plain CSV, some after the other; slow but rare.

    Parameters
    ----------
    stream : file of bytes
    path : Path
    layout : Layout
    n_before : int, default 0
        Number of lines of the file that come before, for messages.
    size : int
        Bytes of each part, or a record more.

    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for line, record in _reader(stream, layout.delimiter, path, layout.old_lines, n_before):
        if len(record) != len(layout.header):
            raise ragged(line, path, len(record), len(layout.header))
        writer.writerow(record)
        if out.tell() >= size:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def inspect_quotes(data: bytes, layout: Layout) -> tuple[bool, bool]:
    """Tell whether polars would misread the text, and whether it ends within a quoted cell.

    It misreads lines that end in a lone carriage return, quotes that do not enclose a whole cell,
    and delimiters outside ASCII.
    """
    if not layout.delimiter.isascii() or layout.old_lines:
        return True, False
    if QUOTE not in data:
        return False, False
    before_opening = {QUOTE, NEWLINE, ord(layout.delimiter)}
    after_closing = before_opening | {RETURN}
    inside = False
    for start in range(0, len(data), CHUNK):
        # One extra byte on each side, to see the neighbours.
        around = np.frombuffer(data[max(0, start - 1) : start + CHUNK + 1], np.uint8)
        first = min(start, 1)
        places = np.flatnonzero(around[first : first + CHUNK] == QUOTE) + first
        opening = np.arange(len(places)) % 2 == int(inside)
        inside ^= len(places) % 2 == 1
        before = places[opening] - 1
        after = places[~opening] + 1
        if not np.isin(around[before[before >= 0]], list(before_opening)).all():
            return True, inside
        if not np.isin(around[after[after < len(around)]], list(after_closing)).all():
            return True, inside
    return False, inside


def count_records(
    data: bytes, delimiter: str, path: Path, n_cells: int, n_before: int = 0
) -> int | None:
    """Return the number of records, all of which have ``n_cells`` cells; None if some are blank."""
    quoted = QUOTE in data
    inside, n_records, n_open, n_lines = 0, 0, 0, 0
    for start in range(0, len(data), CHUNK):
        chunk = np.frombuffer(data, np.uint8, min(CHUNK, len(data) - start), start)
        marks = (chunk == ord(delimiter)) | (chunk == NEWLINE)
        if quoted:
            state = np.bitwise_xor.accumulate((chunk == QUOTE).view(np.uint8)) ^ inside
            inside = state[-1]
            marks &= state == 0
        places = np.flatnonzero(marks)
        ends = np.flatnonzero(chunk[places] == NEWLINE)
        if len(ends):
            cells = np.diff(ends, prepend=-1 - n_open)
            wrong = np.flatnonzero(cells != n_cells)
            if len(wrong):
                end = int(places[ends[wrong[0]]])
                if cells[wrong[0]] == 1 and data[: start + end].rstrip(b"\r")[-1:] in (b"\n", b""):
                    return None
                line = n_before + n_lines + 1 + int((chunk[:end] == NEWLINE).sum())
                raise ragged(line, path, int(cells[wrong[0]]), n_cells)
            n_records += len(ends)
            n_open = len(places) - 1 - ends[-1]
        else:
            n_open += len(places)
        n_lines += int((chunk == NEWLINE).sum())
    return n_records


def ragged(line: int, path: Path, n_found: int, n_cells: int) -> ValueError:
    """Return the error for a record that is too short or too long."""
    return ValueError(
        f"line {line} of '{path}' has {counted(n_found, 'value')}, but the header names {n_cells} "
        "columns"
    )
