"""How results are told: numbers as text and as JSON."""

import math
from typing import Any

__all__ = ["finite_only", "r2_text"]


def finite_only(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: finite_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_only(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def r2_text(r2: float | None) -> str:
    """Return R2 with three digits; far below zero, where those would be a long number, fewer."""
    if r2 is None:
        return "undefined (all targets are the same)"
    return f"{r2:.3f}" if abs(r2) < 1000 else f"{r2:.3g}"
