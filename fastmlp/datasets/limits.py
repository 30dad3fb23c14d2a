"""How many bytes a data file may become in memory, and the one way to allow more."""

import os
from pathlib import Path

__all__ = ["allowed_bytes", "readable", "require_bytes"]

FREE = 1 << 30
"""So much may come out of any file, however small: 1 GiB."""

GROWTH = 16
"""A larger file may become so many times its size: text as numbers, categories as columns."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def allowed_bytes(file_size: int) -> int:
    """Return how many bytes may be taken for the contents of a file.

    ``FASTMLP_MAX_BYTES`` where that variable is set (``8e9``, ``8GB``); otherwise the larger of
    1 GiB and 16 times the file's size, but no more than the memory that is free.

    Raises
    ------
    ValueError
        If ``FASTMLP_MAX_BYTES`` is not a size.

    """
    chosen = os.environ.get("FASTMLP_MAX_BYTES", "").strip()
    if chosen:
        return _size(chosen)
    allowed = max(FREE, GROWTH * file_size)
    free = _free_memory()
    return allowed if free is None else min(allowed, free)


def require_bytes(needed: int, file_size: int, what: str, instead: str) -> None:
    """Raise ValueError if so many bytes may not be taken.

    Parameters
    ----------
    needed, file_size : int
        Bytes to be taken, and bytes of the file that they come from.
    what : str
        The subject of the sentence: "the table 't.csv' with 10 rows of 3 columns".
    instead : str
        What to do, besides raising the bound.

    """
    allowed = allowed_bytes(file_size)
    if needed > allowed:
        raise ValueError(
            f"{what} would take {readable(needed)} of memory where {readable(allowed)} are "
            f"allowed: {instead}, or set the environment variable FASTMLP_MAX_BYTES to allow more"
        )


def readable(n_bytes: int) -> str:
    """Return a size in words: ``7.8 GB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


def _size(text: str) -> int:
    number = text.lower().removesuffix("b").removesuffix("i").strip()
    unit = number[-1:] if number[-1:] in _UNITS else ""
    try:
        size = float(number.removesuffix(unit)) * _UNITS[unit]
    except ValueError:
        size = 0.0
    if not 1 <= size < 1e18:
        raise ValueError(
            f"the environment variable FASTMLP_MAX_BYTES must be a number of bytes such as 8e9 or "
            f"8GB, got {text!r}"
        )
    return int(size)


def _free_memory() -> int | None:
    """Return the bytes that can be taken without swapping, or None where nothing tells."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
