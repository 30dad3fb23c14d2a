"""Text files in any encoding, handed on as UTF-8."""

import codecs
import re
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from fastmlp.common.errors import argument, nearest

__all__ = ["COMMON", "NotTextError", "as_utf8", "codec_of"]

_MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
COMMON = (
    *("utf-8", "utf-16", "windows-1252", "windows-1250", "windows-1251", "latin-1"),
    *("iso-8859-15", "cp437", "cp850", "mac-roman", "shift_jis", "euc-kr", "gb18030", "big5"),
)
"""Encodings that error messages suggest, with the names by which people know them."""

_WITHOUT_MARK = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
"""A character of UTF-8 beyond ASCII; in other encodings, a rare accident."""

_NOT_ASCII = bytes(range(128, 256))


class NotTextError(ValueError):
    """Bytes that are no text in the encoding of the file.

    Parameters
    ----------
    what : str
        What is wrong with the line.
    n_lines : int
        Number of lines that end before it and have not been handed on.

    """

    def __init__(self, what: str, n_lines: int):
        super().__init__(what)
        self.n_lines = n_lines


def codec_of(name: str) -> str:
    """Return Python's name of an encoding; raise ValueError if it is unknown."""
    try:
        codec = codecs.lookup(name)
        if isinstance(codecs.getincrementaldecoder(name)().decode(b"", True), str):
            return _WITHOUT_MARK.get(codec.name, codec.name)
    except (LookupError, ValueError):
        pass
    near = nearest("encoding", name.replace("_", "-"), list(COMMON))
    hint = f"did you mean {near!r}?" if near else f"use one such as {', '.join(COMMON[:4])}"
    raise ValueError(f"unknown encoding {name!r}: {hint}")


def as_utf8(pieces: Iterator[bytes], path: Path, encoding: str | None = None) -> Iterator[bytes]:
    """Yield the text of a file in UTF-8, without a byte-order mark.

    A byte-order mark tells the encoding, whatever the caller says. Without a mark and a name, bytes
    that are not UTF-8 are taken for Windows-1252, in which Excel saves CSV files in the west, and
    which has all letters of Latin-1; a warning says so.

    Parameters
    ----------
    pieces : iterator of bytes
        The file, none of them empty.
    path : Path
        For messages.
    encoding : str, optional
        The name of the encoding.

    Raises
    ------
    NotTextError
        If the bytes are no text in that encoding.

    """
    first = next(pieces, b"")
    mark, marked = next((found for found in _MARKS if first.startswith(found[0])), (b"", None))
    start = first[len(mark) :]
    pieces = chain([start], pieces) if start else pieces
    if encoding is not None or marked not in (None, "utf-8"):
        yield from _decoded(pieces, marked or codec_of(encoding or "utf-8"))
    else:
        yield from _guessed(pieces, path)


def _decoded(pieces: Iterator[bytes], encoding: str, is_guess: bool = False) -> Iterator[bytes]:
    """Yield pieces of another encoding in UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for piece in chain(pieces, [b""]):
        try:
            text = decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "replace")
            told = (
                f"is neither UTF-8 nor Windows-1252: set {argument('encoding')}"
                if is_guess
                else f"is not text in the encoding {encoding}: set another {argument('encoding')}"
            )
            raise NotTextError(told, before.count("\n")) from None
        if text:
            yield text.encode(errors="replace")


def _guessed(pieces: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield pieces of UTF-8, or of Windows-1252 from the first bytes on that are not UTF-8."""
    rest, is_ascii = b"", True
    for piece in chain(pieces, [b""]):
        text = rest + piece if rest else piece
        try:
            _, end = codecs.utf_8_decode(text, "strict", not piece)
        except UnicodeDecodeError as error:
            n_lines = text.count(b"\n", 0, error.start)
            if not is_ascii or _are_mostly_utf8(text):
                raise NotTextError(
                    "is not UTF-8, although other lines are: correct it, or set "
                    f"{argument('encoding')}",
                    n_lines,
                ) from None
            if b"\0" in text:  # no text at all, which the caller says
                yield text
            parts = _decoded(chain([text], pieces), "cp1252", is_guess=True)
            first = next(parts)
            warnings.warn(
                f"'{path}' is not UTF-8 and is read as Windows-1252: set {argument('encoding')} "
                "if it is something else",
                UserWarning,
                stacklevel=2,
            )
            yield first
            yield from parts
            return
        whole, rest = text[:end], text[end:]
        is_ascii = is_ascii and whole.isascii()
        if whole:
            yield whole


def _are_mostly_utf8(text: bytes) -> bool:
    """Tell whether more than half of the bytes beyond ASCII belong to characters of UTF-8."""
    n_bytes = len(text) - len(text.translate(None, _NOT_ASCII))
    return 2 * sum(map(len, _SEQUENCE.findall(text))) > n_bytes
