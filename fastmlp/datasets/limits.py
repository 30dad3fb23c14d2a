"""A limit on the memory that a data file may take, and the variable that raises it."""

import os
from pathlib import Path

__all__ = ["allowed_bytes", "readable", "require_bytes"]

FREE = 1 << 30
"""Any file, however small, may take this much: 1 GiB."""

GROWTH = 16
"""A larger file may take this many times its size, since a category may become many columns."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def allowed_bytes(file_size: int) -> int:
    """Return how many bytes of memory the contents of a file may take.

    This is ``FASTMLP_MAX_BYTES`` if that variable is set (``8e9``, ``8GB``); otherwise the larger
    of 1 GiB and 16 times the file's size, but at most the free memory.

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
    """Raise ValueError if a file's contents would take more memory than allowed.

    Parameters
    ----------
    needed, file_size : int
        Bytes of memory needed, and size of the file in bytes.
    what : str
        Subject of the message, such as "the table 't.csv' with 10 rows of 3 columns".
    instead : str
        What the user can do other than raise the limit.

    """
    allowed = allowed_bytes(file_size)
    if needed > allowed:
        raise ValueError(
            f"{what} would take {readable(needed)} of memory, but {readable(allowed)} are "
            f"allowed: {instead}, or set the environment variable FASTMLP_MAX_BYTES to allow more"
        )


def readable(n_bytes: int) -> str:
    """Return a size for people, such as ``7.8 GB``."""
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
    """Return the number of bytes available without swapping, or None if unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
