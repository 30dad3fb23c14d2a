"""How results are printed: as lines of text and as JSON."""

import math
import textwrap
from typing import Any

__all__ = ["finite_only", "r2_text", "wrapped"]

WIDTH = 80


def finite_only(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: finite_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_only(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def wrapped(line: str) -> str:
    """Return a line broken between words into lines of at most 80 characters."""
    return textwrap.fill(
        line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def r2_text(r2: float | None) -> str:
    """Return R2 with three decimals; as a short number if it is far below zero."""
    if r2 is None:
        return "undefined (all targets are the same)"
    return f"{r2:.3f}" if abs(r2) < 1000 else f"{r2:.3g}"
