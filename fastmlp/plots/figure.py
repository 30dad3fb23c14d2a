"""Creating figures without pyplot, and writing them to files."""

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
    """Write a figure atomically, in the format given by the file extension.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        A figure returned by a function in `fastmlp.plots`.
    path : str or Path
        A file name ending in ``.png``, ``.svg``, ``.pdf`` …

    Raises
    ------
    ValueError
        If the extension is not a picture format.
    OSError
        If the file cannot be written; an existing file of that name is left unchanged.

    """
    kind = require_format(path)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    write_whole(path, buffer.getvalue())


def require_format(path: str | Path) -> str:
    """Return the picture format of a file name, or raise the error that `save` would raise."""
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
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def new_figure(figsize: tuple[float, float], title: str | None = None) -> "Figure":
    """Return an empty figure with a title; ``figsize`` is its width and height in inches."""
    _require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, layout="constrained")
    if title:
        figure.suptitle(literal(title))
    return figure


def literal(text: object) -> str:
    """Escape dollar signs, as in file names, so that matplotlib does not parse them as maths."""
    return str(text).replace("$", r"\$")


def _require_matplotlib() -> None:
    if not is_available():
        raise ImportError(
            'pictures need matplotlib, which is not installed: pip install "fastmlp[plot]"'
        )
