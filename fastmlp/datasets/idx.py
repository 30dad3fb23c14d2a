"""IDX, the file format of MNIST: a big-endian header and an array of bytes, plain or gzipped.

Format: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*: two zero bytes,
a type code (8 for unsigned bytes), the number of dimensions, the dimensions as 32-bit integers.
"""

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from fastmlp.datasets.limits import require_bytes

__all__ = ["MAX_ITEMS", "read_idx"]

MAX_ITEMS = 1_000_000
"""No published dataset in this format has more images; larger counts are treated as damage."""

UNSIGNED_BYTE = 0x08
PIECE = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
MAX_DEFLATE_RATIO = 1032
"""Deflate cannot expand one byte to more than this many."""


def read_idx(path: Path, item_shape: tuple[int, ...]) -> np.ndarray:
    """Read an IDX file of unsigned bytes, without trusting its header.

    Parameters
    ----------
    path : Path
        The file. Its first bytes, not its name, show whether it is gzipped.
    item_shape : tuple of int
        The shape of one item: ``(28, 28)`` for images, ``()`` for labels.

    Returns
    -------
    uint8 ndarray of shape (N, *item_shape)

    Raises
    ------
    ValueError
        If the file is of another kind, truncated, too long or corrupt. Before memory is
        allocated, the size given in the header is compared with the size of the file and with
        `limits.allowed_bytes`.

    """
    with open(path, "rb") as file:
        file_size = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if not zipped:
            return _read(file, path, file_size, item_shape, zipped=False)
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                return _read(stream, path, file_size, item_shape, zipped=True)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"'{path}' is a damaged gzip file ({str(error).rstrip('.')}): get it again"
            ) from None


def _read(
    stream: io.BufferedIOBase,
    path: Path,
    file_size: int,
    item_shape: tuple[int, ...],
    *,
    zipped: bool,
) -> np.ndarray:
    shape = _shape_from_header(stream, path, item_shape)
    n_header, n_data = 4 + 4 * len(shape), math.prod(shape)
    if zipped:
        # Incompressible bytes grow by well under one percent.
        plausible = n_data / MAX_DEFLATE_RATIO <= file_size <= 1.01 * n_data + 65536
    else:
        plausible = n_header + n_data == file_size
    if not plausible:
        kind = "gzip" if zipped else "plain"
        raise ValueError(
            f"'{path}' announces {n_data} bytes of data, which its {file_size} bytes as a {kind} "
            "file cannot hold exactly: it is truncated or not what its name says, get it again"
        )
    require_bytes(n_data, file_size, f"'{path}'", "take a part of it")
    data = np.empty(shape, np.uint8)
    unfilled = data.reshape(-1).data
    # Read in pieces, since gzip first reads each request into a buffer of the same size.
    while len(unfilled) and (n_read := stream.readinto(unfilled[:PIECE])):
        unfilled = unfilled[n_read:]
    if len(unfilled):
        raise ValueError(
            f"'{path}' ends {len(unfilled)} bytes before the {n_data} that its header announces: "
            "it is truncated, get it again"
        )
    # Reading to the end also makes gzip verify its checksum.
    if stream.read(1):
        raise ValueError(
            f"'{path}' is longer than the {n_data} bytes that its header announces: get it again"
        )
    return data


def _shape_from_header(
    stream: io.BufferedIOBase, path: Path, item_shape: tuple[int, ...]
) -> tuple[int, ...]:
    n_dimensions = 1 + len(item_shape)
    magic = stream.read(4)
    expected = bytes([0, 0, UNSIGNED_BYTE, n_dimensions])
    if magic != expected:
        raise ValueError(
            f"'{path}' is not an IDX file of unsigned bytes with {n_dimensions} dimensions: it "
            f"starts with {magic.hex(' ') or 'nothing'} instead of {expected.hex(' ')}"
        )
    dimensions = stream.read(4 * n_dimensions)
    if len(dimensions) < 4 * n_dimensions:
        raise ValueError(f"'{path}' ends within its header: it is truncated, get it again")
    shape = struct.unpack(f">{n_dimensions}I", dimensions)
    if shape[1:] != item_shape:
        found, wanted = (" x ".join(map(str, s)) for s in (shape[1:], item_shape))
        raise ValueError(f"'{path}' must hold items of {wanted}, got {found}")
    if not 1 <= shape[0] <= MAX_ITEMS:
        raise ValueError(f"'{path}' must hold 1 to {MAX_ITEMS} items, its header says {shape[0]}")
    return shape
