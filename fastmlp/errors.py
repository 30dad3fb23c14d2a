"""One-sentence error messages that more than one module needs."""

import difflib
from collections.abc import Iterable

__all__ = ["printable", "unknown"]


def printable(text: object) -> str:
    """Return a text that may go to a terminal: control characters become escapes like ``\\x1b``.

    File names and the contents of files may hold anything.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not in a table, with the nearest known one.

    Parameters
    ----------
    kind : str
        What the name should be, in words: ``"optimizer"``, ``"activation"``.
    name : object
        What came.
    known : iterable of str
        The names that would have been right.

    Returns
    -------
    ValueError
        To be raised by the caller.

    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = (
        f"did you mean {near[0]!r}? (known: {', '.join(names)})"
        if near
        else f"use one of {', '.join(names)}"
    )
    return ValueError(f"unknown {kind} {name!r}: {hint}")
