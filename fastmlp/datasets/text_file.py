"""Reading of text files: decompressed, limited in size, and checked to be UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from fastmlp.datasets.limits import allowed_bytes, readable

__all__ = ["PACKED_SUFFIXES", "read_text_bytes"]

PACKED_SUFFIXES = (".gz", ".bz2", ".xz")

PIECE = 1 << 22
MAX_LINE = 1 << 24
"""No real table has longer lines; without line ends, one cell would fill the memory."""

_PACKED = ((b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"), (b"\xfd7zXZ", ".xz"))
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF file",
    b"SQLite": "a database",
    b"(\xb5/\xfd": "compressed with zstd, which fastmlp cannot read",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def read_text_bytes(path: Path) -> bytes:
    """Return the contents of a UTF-8 file without its byte order mark.

    Files compressed by gzip, bzip2 or xz, as seen from their name or first bytes, are
    decompressed.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged, is not UTF-8 text, expands beyond `limits.allowed_bytes`, or has a
        line of more than 16 million bytes. The message names the line if there is one to blame.

    """
    if not path.is_file():
        problem = "is not a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"the table '{path}' {problem}")
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        for magic, kind in _NO_TEXT.items():
            if start.startswith(magic):
                raise ValueError(f"'{path}' is {kind}: save it as CSV in UTF-8")
        try:
            return _checked(_unpacked(file, path, start), path, os.fstat(file.fileno()).st_size)
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            reason = str(error).rstrip(".")
            raise ValueError(f"'{path}' cannot be read ({reason}): get it again") from None
        except OSError as error:
            if error.errno is not None:
                raise
            # bz2 raises plain OSErrors.
            raise ValueError(f"'{path}' cannot be read ({error}): get it again") from None


def _unpacked(file: BinaryIO, path: Path, start: bytes) -> BinaryIO:
    kind = next((kind for magic, kind in _PACKED if start.startswith(magic)), path.suffix.lower())
    match kind:
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=file))
        case ".bz2":
            return cast(BinaryIO, bz2.BZ2File(file))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(file))
    return file


def _checked(stream: BinaryIO, path: Path, file_size: int) -> bytes:
    """Read in pieces, so that errors are found before the memory fills up."""
    allowed = allowed_bytes(file_size)
    contents = io.BytesIO()
    decoder = codecs.getincrementaldecoder("utf-8")()
    since_line, n_bytes = 0, 0
    while piece := stream.read(PIECE):
        n_bytes += len(piece)
        if n_bytes > allowed:
            raise ValueError(
                f"'{path}' expands to more than the {readable(allowed)} that are allowed: use a "
                "part of it, or set the environment variable FASTMLP_MAX_BYTES to allow more"
            )
        _require_text(decoder, piece, contents, path)
        last = piece.rfind(b"\n")
        since_line = since_line + len(piece) if last < 0 else len(piece) - last
        if since_line > MAX_LINE:
            raise ValueError(f"'{path}' has a line of more than {MAX_LINE} characters")
        contents.write(piece)
    _require_text(decoder, b"", contents, path, final=True)
    data = contents.getvalue()
    return data[3:] if data.startswith(codecs.BOM_UTF8) else data


def _require_text(
    decoder: codecs.IncrementalDecoder,
    piece: bytes,
    before: io.BytesIO,
    path: Path,
    final: bool = False,
) -> None:
    n_waiting = len(decoder.getstate()[0])
    wrong, what = piece.find(b"\0"), "holds a zero byte: it is not a text file"
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        wrong, what = max(0, error.start - n_waiting), "is not UTF-8 text: save the file as UTF-8"
    if wrong >= 0:
        line = before.getvalue().count(b"\n") + piece.count(b"\n", 0, wrong) + 1
        raise ValueError(f"line {line} of '{path}' {what}")
