"""Formatting results for printing, as text and as JSON."""

import math
import shutil
import textwrap
from typing import Any

__all__ = ["finite_only", "r2_text", "wrapped"]

WIDTH = 80


def finite_only(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, with None."""
    if isinstance(value, dict):
        return {key: finite_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_only(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def wrapped(line: str) -> str:
    """Wrap a line between words, to lines of at most 80 characters or the terminal's width."""
    return textwrap.fill(
        line,
        min(WIDTH, shutil.get_terminal_size().columns),
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def r2_text(r2: float | None) -> str:
    """Format R2 with three decimals, or with three digits if it is far below zero."""
    if r2 is None:
        return "undefined (all targets are the same)"
    return f"{r2:.3f}" if abs(r2) < 1000 else f"{r2:.3g}"
