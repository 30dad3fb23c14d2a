"""Figures without pyplot, and how they are written to files."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp.common.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["is_available", "new_figure", "require_format", "save"]


def save(figure: "Figure", path: str | Path) -> None:
    """Write a figure in the format that the file's ending names, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What a function of this module returned.
    path : str or Path
        ``.png``, ``.svg``, ``.pdf`` …

    Raises
    ------
    ValueError
        If the ending names no picture format.
    OSError
        If the file cannot be written; an older file of that name is then left as it was.

    """
    kind = require_format(path)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    write_whole(path, buffer.getvalue())


def require_format(path: str | Path) -> str:
    """Return the picture format that a file name ends in, or raise what `save` would raise."""
    _require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    kind = Path(path).suffix.lstrip(".").lower()
    known = FigureCanvasBase.get_supported_filetypes()
    if kind not in known:
        raise ValueError(
            f"the name of a picture ends in its format, one of {', '.join(sorted(known))}, "
            f"got {str(path)!r}"
        )
    return kind


def is_available() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def new_figure(figsize: tuple[float, float], title: str | None = None) -> "Figure":
    """Return an empty figure, ``figsize`` inches wide and high, under a title."""
    _require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, layout="constrained")
    if title:
        figure.suptitle(literal(title))
    return figure


def literal(text: object) -> str:
    """Return a text in which matplotlib sees no formula: names of files may hold dollar signs."""
    return str(text).replace("$", r"\$")


def _require_matplotlib() -> None:
    if not is_available():
        raise ImportError(
            'pictures need matplotlib, which is not installed: pip install "fastmlp[plot]"'
        )
