"""One-sentence error messages: what more than one module needs to word them."""

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from fastmlp.aliases import ALIASES

__all__ = ["argument", "called", "in_shell", "printable", "unknown"]

_NEAR = 0.7  # of 1: "iris" is no misspelt "digits", "digtis" is

_called: Mapping[str, str] = {}


def argument(name: str, value: object = None) -> str:
    """Return what the user calls an argument: its Python name, or an option of the command line.

    Parameters
    ----------
    name : str
        Its name in Python.
    value : object, optional
        For advice that gives a value: ``batch_size=32``, ``--batch-size 32``. A list is
        ``drop=['a', 'b']``, ``--drop a,b``.

    """
    option = _called.get(name)
    if value is None:
        return option or name
    if not option:
        return f"{name}={value!r}"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{option} {shlex.quote(text)}"


def in_shell() -> bool:
    """Return whether messages are worded for the command line, where Python cannot be advised."""
    return bool(_called)


@contextmanager
def called(options: Mapping[str, str]) -> Iterator[None]:
    """Word messages in the terms of the command line while the block runs.

    Parameters
    ----------
    options : mapping of str to str
        Name of an argument -> the option that sets it.

    """
    global _called
    before, _called = _called, options
    try:
        yield
    finally:
        _called = before


def printable(text: object) -> str:
    """Return a text with escapes in place of what a terminal would obey or cannot show.

    Names from files (columns, classes, layers) and of files go through here before they are shown:
    control characters could move the cursor, clear the screen or hide text. Line breaks count.
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
    near = _nearest(kind, str(name), names)
    listed = ", ".join(map(printable, names))
    hint = f"did you mean {near!r}? (known: {listed})" if near else f"use one of {listed}"
    return ValueError(f"unknown {kind} {name!r}: {hint}")


def _nearest(kind: str, name: str, names: list[str]) -> str | None:
    """Return what other libraries' name stands for, or else the name that is spelt most alike."""
    aliases = {alias: ours for alias, ours in ALIASES.get(kind, {}).items() if ours in names}
    ours = aliases.get(_squeezed(name))
    if ours is not None:
        return ours
    by_spelling = {_spelling(known): known for known in names}
    near = difflib.get_close_matches(_spelling(name), by_spelling, n=1, cutoff=_NEAR)
    return by_spelling[near[0]] if near else None


def _spelling(name: str) -> str:
    """Return a name without capitals and what cannot be seen."""
    return "".join(letter for letter in name.lower() if letter.isprintable())


def _squeezed(name: str) -> str:
    """Return a name without capitals, spaces and signs: MSELoss, mse_loss and mse-loss are one."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
