"""Files of tables as polars data frames: CSV, Parquet, Arrow and JSON lines."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp.common.errors import argument, printable
from fastmlp.datasets.encoding import codec_of
from fastmlp.datasets.json_lines import read_json_lines
from fastmlp.datasets.limits import require_bytes
from fastmlp.datasets.records import read_records
from fastmlp.datasets.text_file import PACKED_SUFFIXES, read_text_bytes, require_file

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "CELL_BYTES",
    "FRAME_SUFFIXES",
    "FrameFile",
    "empty_table",
    "kind_of",
    "name_of",
    "read_frame_file",
    "require_polars",
    "unreadable",
]

_TYPED = {
    ".parquet": "Parquet",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".ipc": "Arrow",
    ".json": "JSON lines",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
}

FRAME_SUFFIXES = (".csv", ".tsv", ".tab", *_TYPED)
"""Endings of names, without those of compressed files, that stand for a table."""

CELL_BYTES = 16
"""Memory that polars needs for a short text."""


@dataclass(frozen=True, eq=False)
class FrameFile:
    """A table from a file.

    Attributes
    ----------
    name : str
        The file's name without its endings.
    frame : polars.DataFrame
        From a CSV file, all columns hold texts.
    european : bool
        Whether cells are separated by something other than commas, so that a comma in a number may
        be decimal.
    n_bytes : int
        Size of the file.

    """

    name: str
    frame: "pl.DataFrame"
    european: bool
    n_bytes: int


def read_frame_file(
    path: Path, delimiter: str | None = None, expected: str = "", encoding: str | None = None
) -> FrameFile:
    """Read a table; what kind of file it is follows from its first bytes or its name.

    Parameters
    ----------
    path : Path
    delimiter : str, optional
        One character between the cells of a text file. Default: detected.
    expected : str
        The name of a column that should be there, which helps to detect the delimiter.
    encoding : str, optional
        Of a text file. Default: see `encoding.as_utf8`.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If polars is not installed.
    ValueError
        If the file is no table, or is larger than the memory that it may take.

    """
    kind = kind_of(path, delimiter, encoding)
    frame, european = (
        _read_csv(path, delimiter, expected, encoding)
        if kind == "CSV"
        else (_read_typed(path, kind, encoding), False)
    )
    if not frame.width or not frame.height:
        raise empty_table(path, frame.width)
    return FrameFile(name_of(path), frame, european, path.stat().st_size)


def empty_table(path: Path, width: int) -> ValueError:
    """Return the error for a table without rows or columns."""
    return ValueError(f"'{path}' has no {'rows' if width else 'columns'}")


@contextmanager
def unreadable(path: Path, kind: str) -> Generator[None]:
    """Word the errors of polars while a file is read."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = printable(str(error).strip().partition("\n")[0])
        raise ValueError(f"'{path}' cannot be read as {kind} ({why})") from None


def require_polars() -> None:
    """Raise ImportError, saying what to install, if polars is missing."""
    try:
        import polars  # noqa: F401, only to see whether it is there
    except ImportError:
        raise ImportError(
            'tables are read with polars, which is not installed: pip install "fastmlp[tables]"'
        ) from None


def kind_of(path: Path, delimiter: str | None = None, encoding: str | None = None) -> str:
    """Return what kind of table a file is; raise an error if it is not there or cannot be read.

    A delimiter or encoding is an error too, unless the file is of a kind that has one.
    """
    require_polars()
    require_file(path)
    kind = _kind_of(path)
    if delimiter is not None and kind != "CSV":
        raise ValueError(f"{argument('delimiter')} is for text files, and '{path}' is {kind}")
    if encoding is not None:
        codec_of(encoding)
        if kind not in ("CSV", "JSON lines"):
            raise ValueError(f"{argument('encoding')} is for text files, and '{path}' is {kind}")
    return kind


def _kind_of(path: Path) -> str:
    with open(path, "rb") as file:
        start = file.read(6)
    if start[:4] == b"PAR1":
        return "Parquet"
    if start == b"ARROW1":
        return "Arrow"
    if start[:4] == b"\xff\xff\xff\xff":
        return "an Arrow stream"
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    return _TYPED.get(suffixes[-1] if suffixes else "", "CSV")


def _read_csv(
    path: Path, delimiter: str | None, expected: str, encoding: str | None
) -> tuple["pl.DataFrame", bool]:
    records = read_records(read_text_bytes(path, encoding), path, delimiter, expected)
    n_columns = len(records.header)
    require_bytes(
        records.n_rows * n_columns * CELL_BYTES,
        path.stat().st_size,
        f"the table, {records.n_rows:,} rows of {n_columns:,} columns,",
        "use a part of it",
    )
    frame = records.columns(range(n_columns))
    frame.columns = list(records.header)
    return frame, records.layout.european


def _read_typed(path: Path, kind: str, encoding: str | None) -> "pl.DataFrame":
    import polars as pl

    with unreadable(path, kind):
        if kind == "Parquet":
            return pl.read_parquet(path)
        if kind == "Arrow":
            return pl.read_ipc(path)
        if kind == "an Arrow stream":
            return pl.read_ipc_stream(path)
        return read_json_lines(read_text_bytes(path, encoding), path)


def name_of(path: Path) -> str:
    """Return a file's name without its endings."""
    packed = path.suffix.lower() in PACKED_SUFFIXES
    return Path(path.stem).stem if packed else path.stem
