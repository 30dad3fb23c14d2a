"""Safetensors files with a checksum: written as a whole, and verified before they are believed.

The checksum is one of the texts under ``__metadata__``: the SHA-256 of the whole file in which the
64 digits of the checksum itself are zeros. So no byte of a file can change unnoticed.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from fastmlp.common.files import write_whole
from fastmlp.storage.header import (
    DTYPE_NAMES,
    LONGEST,
    DamagedError,
    Entry,
    RefusedError,
    check_layout,
    read_header,
)

__all__ = ["CheckedFile", "open_file", "read", "write"]

_CHECKSUM = "checksum"
_NO_DIGITS = b"0" * 64
_CHUNK = 1 << 20  # bytes read at a time


def write(
    path: str | os.PathLike[str], texts: Mapping[str, str], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write named texts and arrays atomically to a safetensors file with a checksum.

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is then unchanged.

    """
    header: dict[str, Any] = {"__metadata__": dict(texts) | {_CHECKSUM: _NO_DIGITS.decode()}}
    end, contents = 0, []
    widest_first = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # keeps all aligned
    for name, array in widest_first:
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        start, end = end, end + array.nbytes
        shape = list(arrays[name].shape)  # ascontiguousarray gives a single number an axis
        kind = DTYPE_NAMES[array.dtype]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        contents.append(array.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    length = len(text).to_bytes(8, "little")
    checksum = _sha256(length + text)
    for content in contents:
        checksum.update(content)
    text = text.replace(
        b'"%s":"%s"' % (_CHECKSUM.encode(), _NO_DIGITS),
        b'"%s":"%s"' % (_CHECKSUM.encode(), checksum.hexdigest().encode()),
    )  # texts cannot contain it, since JSON escapes their quotation marks
    write_whole(path, length + text, *contents)


class CheckedFile:
    """An open file whose header has been read, and whose checksum, if it has one, was right.

    Attributes
    ----------
    texts : dict
        What is under ``__metadata__``, not checked any further.
    has_checksum : bool

    """

    def __init__(self, stream: BinaryIO, header: dict[str, Any], n_bytes: int):
        texts = header.pop("__metadata__", None)
        self.texts: dict[str, Any] = texts if isinstance(texts, dict) else {}
        self.has_checksum: bool = _CHECKSUM in self.texts
        self._stream, self._header, self._n_bytes = stream, header, n_bytes

    def entries(self) -> list[Entry]:
        """Return the arrays in the order in which they lie in the file.

        Raises
        ------
        DamagedError
            If the arrays do not fill the file exactly.

        """
        return check_layout(self._header, self._n_bytes)

    def read_next(self, entry: Entry) -> np.ndarray:
        """Return the next array, which must be that of ``entry``."""
        flat = np.fromfile(self._stream, entry.dtype, math.prod(entry.shape))
        return flat.reshape(entry.shape)

    def skip(self, entry: Entry) -> None:
        """Go past the next array."""
        self._stream.seek(math.prod(entry.shape) * entry.dtype.itemsize, os.SEEK_CUR)


def open_file(stream: BinaryIO, limit: int | None = None) -> CheckedFile:
    """Read the header of a file, and verify the file if it has a checksum.

    Parameters
    ----------
    stream : binary file
        Positioned at the first array afterwards.
    limit : int, optional
        Largest length of the header, in bytes.

    Raises
    ------
    RefusedError
        If the file is of another kind or, as a `DamagedError`, not as it was written.

    """
    file = CheckedFile(stream, *read_header(stream, limit))
    if file.has_checksum:  # else it is an old file, or another program's, as its reader will find
        file.entries()  # says so if the file is truncated
        _verify(stream, file.texts[_CHECKSUM])
    return file


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return all texts and arrays of a file with a checksum.

    Raises
    ------
    RefusedError
        As for `open_file`; a file without a checksum is a damaged one.

    """
    with open(path, "rb") as stream:
        try:
            file = open_file(stream, LONGEST)
        except DamagedError:
            raise
        except RefusedError:
            raise DamagedError("its header is too long") from None
        if not file.has_checksum:
            raise DamagedError("it has no checksum")
        return file.texts, {entry.name: file.read_next(entry) for entry in file.entries()}


def _verify(stream: BinaryIO, digits: Any) -> None:
    """Raise DamagedError unless the file has this checksum; leave the stream where it was."""
    data = stream.tell()
    stream.seek(0)
    start = stream.read(data)
    right = isinstance(digits, str) and len(digits) == len(_NO_DIGITS)
    if right:
        found = digits.encode(errors="replace")
        checksum = _sha256(start.replace(found, _NO_DIGITS))
        while chunk := stream.read(_CHUNK):
            checksum.update(chunk)
        right = start.count(found) == 1 and checksum.hexdigest() == digits
    if not right:
        raise DamagedError("it is damaged: its content does not match its checksum")
    stream.seek(data)


def _sha256(content: bytes) -> Any:
    import hashlib  # it loads OpenSSL, which importing fastmlp should not

    return hashlib.sha256(content)
