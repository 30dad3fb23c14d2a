"""The header of a safetensors file, which describes its arrays and the program that wrote it.

A file holds eight bytes (the header's length), JSON (the dtype, shape and position of each array,
and named texts under ``__metadata__``), then the arrays without gaps. Any of it may be malicious.
"""

import json
import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

__all__ = [
    "DTYPE_NAMES",
    "LONGEST",
    "DamagedError",
    "Entry",
    "RefusedError",
    "check_layout",
    "parse",
    "read_header",
]

_DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "U8": np.dtype("u1")}
DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
"""The name of each dtype in a file."""

LONGEST = 1 << 26
"""Bytes of the longest header of a checkpoint or a model of a table."""

_AXES = 8  # at most
_STARTS = {
    b"PK\x03\x04": "a zip archive, as .npz, .pt and .keras files are",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a .npy file",
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}


class RefusedError(ValueError):
    """Says why a file is refused; the message completes a sentence about the file."""


class DamagedError(RefusedError):
    """Says in which way a file is not as a program wrote it."""


@dataclass(frozen=True)
class Entry:
    """An array in the file.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        float32, float64 or uint8, little-endian.
    shape : tuple of int

    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


def read_header(stream: BinaryIO, limit: int | None) -> tuple[dict[str, Any], int]:
    """Return the header, not yet checked, and the number of bytes after it.

    Parameters
    ----------
    stream : binary file
        Positioned at the first array afterwards.
    limit : int or None
        Largest length of the header, in bytes; None for any that fits into the file.

    Raises
    ------
    RefusedError
        If the header is too long; as a `DamagedError`, if the file is of another kind or its header
        is truncated.

    """
    size = os.fstat(stream.fileno()).st_size
    start, first = stream.read(8), stream.read(1)
    if first != b"{":  # the bytes of a header's length can look like the start of another format
        kinds = [kind for magic, kind in _STARTS.items() if start.startswith(magic)]
        if not first:
            kinds.append("truncated" if start else "empty")
        raise DamagedError(f"it is {[*kinds, 'not a safetensors file'][0]}")
    length = int.from_bytes(start, "little")
    if length > size - 8:
        raise DamagedError("it is truncated, its header is longer than the file")
    if limit is not None and length > limit:
        raise RefusedError(
            f"its header of {length:,} bytes is longer than max_layers allows: "
            "pass a larger max_layers if you trust the file"
        )
    header = parse(first + stream.read(length - 1))
    return header, size - 8 - length


def parse(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a text; refuse NaN, infinity and duplicate names."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise DamagedError("its header is corrupt") from None
    if not isinstance(found, dict):
        raise DamagedError("its header is corrupt")
    return found


def check_layout(header: dict[str, Any], n_bytes: int) -> list[Entry]:
    """Return the arrays in file order, after checking that they fill ``n_bytes`` without gaps.

    Raises
    ------
    DamagedError
        If the entries contradict each other or the file's size.

    """
    try:
        in_order = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        entries, end = [], 0
        for name, entry in in_order:
            start, stop = entry["data_offsets"]
            shape, dtype = entry["shape"], _DTYPES[entry["dtype"]]
            _require_counts((start, stop), 1 << 62)
            _require_counts(shape, stop)  # no axis can exceed the number of bytes
            if start != end or stop - start != math.prod(shape) * dtype.itemsize:
                raise DamagedError("its header is corrupt")
            entries.append(Entry(name, dtype, tuple(shape)))
            end = stop
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DamagedError("its header is corrupt") from None
    if end > n_bytes:
        raise DamagedError(f"it is truncated, {_bytes(end - n_bytes)} missing at its end")
    if end < n_bytes:
        raise DamagedError(f"it is longer than its header says, {_bytes(n_bytes - end)} left over")
    return entries


def _require_counts(numbers: Any, largest: int) -> None:
    """Raise DamagedError unless these are at most a few whole numbers from 0 to ``largest``."""
    if len(numbers) > _AXES or not all(type(n) is int and 0 <= n <= largest for n in numbers):
        raise DamagedError("its header is corrupt")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is used twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _bytes(n: int) -> str:
    return f"{n:,} byte{'s' if n != 1 else ''}"
