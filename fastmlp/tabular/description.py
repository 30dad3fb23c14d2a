"""Fitted columns as JSON holds them, and back, with every value checked."""

import math
from dataclasses import asdict
from typing import Any

from fastmlp.datasets.moments import MomentFormat
from fastmlp.tabular.calendar import PARTS
from fastmlp.tabular.columns import (
    CategoryColumn,
    FittedColumn,
    LeftOutColumn,
    MomentColumn,
    NumberColumn,
)

__all__ = ["from_config", "to_config"]

_KINDS: dict[str, type[FittedColumn]] = {
    "left out": LeftOutColumn,
    "number": NumberColumn,
    "moment": MomentColumn,
    "category": CategoryColumn,
}


def to_config(column: FittedColumn) -> dict[str, Any]:
    """Return a fitted column as JSON can hold it."""
    kind = next(name for name, known in _KINDS.items() if type(column) is known)
    return {"becomes": kind, **asdict(column)}


def from_config(config: dict[str, Any]) -> FittedColumn:
    """Return the column that `to_config` described.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is no such description.

    """
    settings = dict(config)
    kind = _KINDS[settings.pop("becomes")]
    for name in ("categories", "parts"):
        if name in settings:
            settings[name] = tuple(settings[name])
    if settings.get("written") is not None:
        settings["written"] = MomentFormat(settings["written"]["date"])
    column = kind(**settings)
    _require_sound(column)
    return column


def _require_sound(column: FittedColumn) -> None:
    sound = type(column.name) is str and type(column.how) is str
    if isinstance(column, NumberColumn | MomentColumn):
        sound &= type(column.center) is float and math.isfinite(column.center)
        sound &= column.written is None or column.written.known
    if isinstance(column, NumberColumn):
        sound &= column.holds in ("number", "span") and type(column.decimal_comma) is bool
        sound &= type(column.unit) is str and type(column.percent) is bool
        sound &= type(column.currency) is str and type(column.grouped) is bool
    if isinstance(column, MomentColumn):
        sound &= len(column.parts) > 0 and set(column.parts) <= set(PARTS)
    if isinstance(column, CategoryColumn):
        sound &= all(type(text) is str for text in column.categories)
        sound &= type(column.shared) is bool and column.size > 0
    if not sound:
        raise ValueError("a column of the encoder is corrupt")
