"""Reading of text files: decompressed, limited in size, and turned into UTF-8."""

import bz2
import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from fastmlp.common.errors import argument
from fastmlp.datasets.encoding import NotTextError, as_utf8
from fastmlp.datasets.limits import allowed_bytes, readable

__all__ = ["PACKED_SUFFIXES", "read_text_bytes", "require_file", "text_pieces"]

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")

PIECE = 1 << 22
MAX_LINE = 1 << 24
"""No real table has longer lines; without line ends, one cell would fill the memory."""

_PACKED = (
    (b"\x1f\x8b", ".gz"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ", ".xz"),
    (b"(\xb5/\xfd", ".zst"),
)
_EXCEL = re.compile(rb'\A"?sep=[^\r\n]"?(?=\r?\n)')
"""A first line that tells Excel the delimiter."""

_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF file",
    b"SQLite": "a database",
    b"<html": "a web page",
    b"<!doctyp": "a web page",
    b"<?xml": "XML",
}


def read_text_bytes(path: Path, encoding: str | None = None) -> bytes:
    """Return the contents of a text file in UTF-8, without its byte-order mark.

    Files compressed by gzip, bzip2, xz or zstd, as seen from their name or first bytes, are
    decompressed. See `encoding.as_utf8` for the encoding.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If it is compressed by zstd, and this Python needs a package to read it.
    ValueError
        If the file is damaged, is no text in its encoding, expands beyond `limits.allowed_bytes`,
        or has a line of more than 16 million bytes. The message names the line if there is one to
        blame.

    """
    return b"".join(_limited(text_pieces(path, encoding), path))


def text_pieces(path: Path, encoding: str | None = None) -> Iterator[bytes]:
    """Yield the same contents in pieces of some megabytes, however much they are together.

    See `read_text_bytes` for what is raised, by the first piece or a later one.
    """
    require_file(path)
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        for magic, kind in _NO_TEXT.items():
            if start.startswith(magic) or start.lower().startswith(magic):
                raise ValueError(f"'{path}' is {kind}: save it as CSV")
        yield from _checked(as_utf8(_pieces(file, path, start), path, encoding), path)


def require_file(path: Path) -> None:
    """Raise FileNotFoundError if there is no such file."""
    if not path.is_file():
        problem = "is not a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"the table '{path}' {problem}")


def _pieces(file: BinaryIO, path: Path, start: bytes) -> Iterator[bytes]:
    """Yield what a file holds, decompressed."""
    errors: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
    kind = next((kind for magic, kind in _PACKED if start.startswith(magic)), path.suffix.lower())
    stream: Any = file
    match kind:
        case ".gz":
            stream = gzip.GzipFile(fileobj=file)
        case ".bz2":
            stream = bz2.BZ2File(file)
        case ".xz":
            stream = lzma.LZMAFile(file)  # noqa: SIM115 - it does not own the file
        case ".zst":
            zstd = _zstd(path)
            stream, errors = zstd.ZstdFile(file), (*errors, zstd.ZstdError)
    try:
        while piece := cast(bytes, stream.read(PIECE)):
            yield piece
    except errors as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"'{path}' cannot be read ({reason}): get it again") from None
    except OSError as error:
        if error.errno is not None:
            raise
        # bz2 raises plain OSErrors.
        raise ValueError(f"'{path}' cannot be read ({error}): get it again") from None


def _zstd(path: Path) -> Any:
    """Return the module that reads zstd; Python has it from 3.14 on."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise ImportError(
            f"'{path}' is compressed with zstd, which needs a package that is not installed: "
            'pip install "fastmlp[tables]"'
        ) from None
    return zstd


def _limited(pieces: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield pieces; raise ValueError before they fill the memory."""
    allowed, n_bytes = None, 0
    for piece in pieces:
        n_bytes += len(piece)
        if allowed is None:
            allowed = allowed_bytes(path.stat().st_size)
        if n_bytes > allowed:
            raise ValueError(
                f"'{path}' expands to more than the {readable(allowed)} that are allowed: use a "
                "part of it, or set the environment variable FASTMLP_MAX_BYTES to allow more"
            )
        yield piece


def _checked(pieces: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield pieces of UTF-8 text without the line that tells Excel the delimiter."""
    since_line, n_lines, is_first = 0, 0, True
    try:
        for piece in pieces:
            _require_text(piece)
            n_lines += piece.count(b"\n")
            last = piece.rfind(b"\n")
            since_line = since_line + len(piece) if last < 0 else len(piece) - last
            if since_line > MAX_LINE:
                raise ValueError(f"'{path}' has a line of more than {MAX_LINE} characters")
            if is_first:
                piece, is_first = _EXCEL.sub(b"", piece), False
            yield piece
    except NotTextError as error:
        raise ValueError(f"line {n_lines + error.n_lines + 1} of '{path}' {error}") from None


def _require_text(piece: bytes) -> None:
    zero = piece.find(b"\0")
    if zero < 0:
        return
    told = "holds a zero byte: it is not a text file"
    if 4 * piece.count(b"\0") > len(piece):
        told += f", or UTF-16, which {argument('encoding', 'utf-16')} reads"
    raise NotTextError(told, piece.count(b"\n", 0, zero))
