"""Advice to the system about the pages of memory-mapped arrays."""

import math
import mmap
from typing import Any

import numpy as np

__all__ = ["advise"]


def advise(rows: np.ndarray, advice: str) -> None:
    """Tell the system that mapped rows will be, or will no longer be, needed in memory."""
    base: Any = rows
    code = getattr(mmap, advice, None)
    if getattr(rows, "mode", "c") == "c" or code is None or not rows.flags.c_contiguous:
        return  # copied on writing: changes that are nowhere else would be lost
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, mmap.mmap):
        return
    first = np.frombuffer(base, np.uint8, 1).__array_interface__["data"][0]
    start = rows.__array_interface__["data"][0] - first
    page = mmap.PAGESIZE
    begin = start // page * page
    base.madvise(code, begin, math.ceil((start + rows.nbytes - begin) / page) * page)
