"""How large this processor's caches are, as the system tells, or what is usual."""

import ctypes
import sys
from functools import cache
from pathlib import Path

__all__ = ["first_level", "second_level"]

USUAL = {1: 32 << 10, 2: 512 << 10}
LARGEST = {1: 128 << 10, 2: 2 << 20}  # part of a larger one may belong to other cores
_DEVICES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20}


def first_level() -> int:
    """Return the bytes of the first cache for data."""
    return _size(1)


def second_level() -> int:
    """Return the bytes of the second cache."""
    return _size(2)


@cache
def _size(level: int) -> int:
    """Return the bytes of a cache, from what is usual to what can be made use of."""
    told = _from_macos(level) if sys.platform == "darwin" else _from_linux(level)
    return min(max(told or 0, USUAL[level]), LARGEST[level])


def _from_linux(level: int) -> int | None:
    try:
        for folder in _DEVICES.glob("index*"):
            is_for_data = (folder / "type").read_text().strip() in ("Data", "Unified")
            if is_for_data and int((folder / "level").read_text()) == level:
                text = (folder / "size").read_text().strip()
                return int(text[:-1]) * _UNITS[text[-1]]
    except (OSError, ValueError, KeyError, IndexError):
        pass
    return None


def _from_macos(level: int) -> int | None:
    name = {1: b"hw.perflevel0.l1dcachesize", 2: b"hw.perflevel0.l2cachesize"}[level]
    size, n_bytes = ctypes.c_int64(), ctypes.c_size_t(8)
    try:
        asked = ctypes.CDLL(None).sysctlbyname
        failed = asked(name, ctypes.byref(size), ctypes.byref(n_bytes), None, ctypes.c_size_t(0))
    except (OSError, AttributeError):
        return None
    return None if failed else size.value
