"""Building HTML and SVG from nested calls; all text is escaped unless it came from here."""

import html
from collections.abc import Iterable

from fastmlp.common.errors import printable

__all__ = ["Markup", "joined", "shortened", "tag"]


class Markup(str):
    """Finished markup. Any other str is text, which `tag` escapes: names in data are hostile."""


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
    *children : Markup or object
        Anything but `Markup` is escaped. None is left out.
    **attributes
        ``class_`` and ``stroke_width`` are ``class`` and ``stroke-width``. None is left out;
        floats are rounded to tenths, which is enough for coordinates.

    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY and not children:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Markup:
    """Return elements and texts one after the other."""
    return Markup("".join(_escaped(child) for child in children if child is not None))


def shortened(text: object, most: int) -> str:
    """Return a text of at most ``most`` characters, with an ellipsis if it was longer.

    The end is kept too: long names often differ only there.
    """
    shown = printable(text)
    if len(shown) <= most:
        return shown
    n_last = (most - 1) // 3
    return f"{shown[: most - 1 - n_last]}…{shown[len(shown) - n_last :]}"


_EMPTY = frozenset(("meta", "br", "hr"))


def _escaped(value: object) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return html.escape(printable(value))
