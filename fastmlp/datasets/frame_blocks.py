"""Files of tables as polars data frames of some rows after the other, whatever their size."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp.datasets.frame_file import (
    FrameFile,
    empty_table,
    kind_of,
    name_of,
    unreadable,
)
from fastmlp.datasets.json_lines import read_json_lines
from fastmlp.datasets.records import (
    Layout,
    Records,
    inspect_quotes,
    read_layout,
    records_of,
    rewritten,
)
from fastmlp.datasets.text_file import text_pieces

if TYPE_CHECKING:
    import polars as pl

__all__ = ["frame_blocks"]

BLOCK_BYTES = 1 << 23
"""Of text, for the rows of a block; a little more, or less at the end."""

_HEAD_BYTES = 1 << 22
"""From which the delimiter and the header are read."""

BLOCK_CELLS = 1 << 21
"""Of a file with types, in a block."""

_NEWLINE = b"\n"


def frame_blocks(
    path: Path, delimiter: str | None = None, expected: str = "", encoding: str | None = None
) -> Iterator[FrameFile]:
    """Yield a table in blocks of rows, none of them empty.

    The blocks together are what `read_frame_file` returns for files that fit into memory. As rows
    are read when they are needed, an error in the middle of a file comes after blocks.

    Parameters
    ----------
    path, delimiter, expected, encoding
        As for `read_frame_file`, which raises the same errors.

    """
    kind = kind_of(path, delimiter, encoding)
    # Each block replaces the frame, so there is none yet.
    whole = FrameFile(name_of(path), None, False, path.stat().st_size)  # type: ignore[arg-type]
    if kind == "CSV":
        yield from _csv_blocks(_Source(path, encoding), path, delimiter, expected, whole)
        return
    of_json = kind == "JSON lines"
    frames = _json_blocks(_Source(path, encoding), path) if of_json else _typed_blocks(path, kind)
    for frame in frames:
        yield replace(whole, frame=frame)


def _csv_blocks(
    source: "_Source", path: Path, delimiter: str | None, expected: str, whole: FrameFile
) -> Iterator[FrameFile]:
    source.read_on(_HEAD_BYTES)
    layout = read_layout(source.pending, path, delimiter, expected)
    n_rows = 0
    for records in _records(source, path, layout):
        n_rows += records.n_rows
        if records.n_rows:
            frame = records.columns(range(len(layout.header)))
            frame.columns = list(layout.header)
            yield replace(whole, frame=frame, european=layout.european)
    if not n_rows:
        raise ValueError(f"'{path}' has a header but no rows")


def _records(source: "_Source", path: Path, layout: Layout) -> Iterator[Records]:
    """Yield the records in blocks that end where a record ends; the first has the header.

    A line end outside quotes is the end of a record, as long as quotes enclose whole cells. From
    the first block in which one does not, Python's csv module finds the ends.
    """
    is_first, n_lines = True, 0
    while not source.at_end or source.pending:
        text = source.whole_lines(layout)
        if text is None:
            for part in rewritten(source.rest(), path, layout, n_lines, BLOCK_BYTES):
                if part:
                    plain = Layout(layout.header, ",")
                    records = records_of(part, path, plain, has_header=is_first)
                    yield replace(records, layout=layout)
                    is_first = False
            return
        if text.strip(b"\r\n"):
            yield records_of(text, path, layout, has_header=is_first, n_before=n_lines)
            is_first = False
        n_lines += text.count(_NEWLINE)


class _Source:
    """The text of a file as far as it has been read and not been taken.

    Attributes
    ----------
    pending : bytes
        What waits to be taken.
    at_end : bool
        Whether there is no more after it.

    """

    def __init__(self, path: Path, encoding: str | None):
        self._pieces = text_pieces(path, encoding)
        self.pending, self.at_end = b"", False

    def read_on(self, n_bytes: int) -> None:
        """Read until so many bytes wait, or more, or the file ends."""
        parts, n_waiting = [self.pending], len(self.pending)
        while n_waiting < n_bytes and not self.at_end:
            piece = next(self._pieces, None)
            if piece is None:
                self.at_end = True
            else:
                parts.append(piece)
                n_waiting += len(piece)
        self.pending = b"".join(parts)

    def whole_lines(self, layout: Layout) -> bytes | None:
        """Take whole records, in about as many bytes as a block has.

        Return None, and take nothing, if quotes do not enclose cells.
        """
        size = BLOCK_BYTES
        while True:
            self.read_on(size)
            text = self.pending[:size]
            end = len(text) if self.at_end and size >= len(self.pending) else _last_end(text)
            if end:
                if any(inspect_quotes(text[:end], layout)):
                    return None
                self.pending = self.pending[end:]
                return text[:end]
            if inspect_quotes(text, layout)[0]:
                return None
            size *= 2

    def rest(self) -> io.BufferedReader:
        """Return all that has not been taken, as a file."""
        return io.BufferedReader(_Pieces(self.pending, self._pieces))


class _Pieces(io.RawIOBase):
    """Pieces of bytes, one after the other, as a file."""

    def __init__(self, first: bytes, rest: Iterator[bytes]):
        self._waiting, self._rest = memoryview(first), rest

    def readable(self) -> bool:
        return True

    # io passes a memoryview, though its declared type is any buffer.
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not len(self._waiting):
            piece = next(self._rest, None)
            if piece is None:
                return 0
            self._waiting = memoryview(piece)
        n = min(len(buffer), len(self._waiting))
        buffer[:n] = self._waiting[:n]
        self._waiting = self._waiting[n:]
        return n


def _last_end(text: bytes) -> int:
    """Return where the last line ends that does not end within quotes; 0 if there is none."""
    end = text.rfind(_NEWLINE) + 1
    n_quotes = text.count(b'"', 0, end)
    while end and n_quotes % 2:
        before = text.rfind(_NEWLINE, 0, end - 1) + 1
        n_quotes -= text.count(b'"', before, end)
        end = before
    return end


def _json_blocks(source: _Source, path: Path) -> Iterator["pl.DataFrame"]:
    """Yield blocks of JSON lines; the columns are those of the first."""
    import polars as pl

    columns, n_lines = None, 0
    while not source.at_end or source.pending:
        source.read_on(BLOCK_BYTES)
        end = len(source.pending) if source.at_end else source.pending.rfind(_NEWLINE) + 1
        if not end and not source.at_end:
            source.read_on(2 * len(source.pending))
            continue
        text, source.pending = source.pending[:end], source.pending[end:]
        n_before, n_lines = n_lines, n_lines + text.count(_NEWLINE)
        if not text.strip():
            continue
        frame = read_json_lines(text, path, n_before)
        if columns is None:
            columns = frame.columns
        known = set(frame.columns)
        yield frame.select(
            pl.col(name) if name in known else pl.lit(None).alias(name) for name in columns
        )
    if columns is None:
        raise empty_table(path, 0)


def _typed_blocks(path: Path, kind: str) -> Iterator["pl.DataFrame"]:
    import polars as pl

    with unreadable(path, kind):
        match kind:
            case "Parquet":
                rows = pl.scan_parquet(path)
            case "Arrow":
                rows = pl.scan_ipc(path)
            case _:
                rows = pl.read_ipc_stream(path).lazy()
        n_rows = rows.select(pl.len()).collect().item()
        width = len(rows.collect_schema())
    if not width or not n_rows:
        raise empty_table(path, width)
    at_once = max(1024, BLOCK_CELLS // width)
    for start in range(0, n_rows, at_once):
        with unreadable(path, kind):
            frame = rows.slice(start, at_once).collect()
        yield frame
