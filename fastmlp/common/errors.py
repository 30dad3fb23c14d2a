"""What several modules need to word one-sentence error messages."""

import difflib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager

from fastmlp.common.aliases import ALIASES

__all__ = [
    "argument",
    "called",
    "counted",
    "in_shell",
    "instead_of_object",
    "nearest",
    "printable",
    "unknown",
]

_NEAR = 0.7  # similarity from 0 to 1: "digtis" is a misspelt "digits", "iris" is not

_called: Mapping[str, str] = {}


def argument(name: str, value: object = None) -> str:
    """Return what the user calls an argument: its name in Python, or its command line option.

    Parameters
    ----------
    name : str
        Its name in Python.
    value : object, optional
        A value to suggest: ``batch_size=32`` or ``--batch-size 32``. A list becomes
        ``drop=['a', 'b']`` or ``--drop a,b``.

    """
    option = _called.get(name)
    if value is None:
        return option or name
    if not option:
        return f"{name}={value!r}"
    from shlex import quote

    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{option} {quote(text)}"


def in_shell() -> bool:
    """Return whether messages are worded for the command line, where Python cannot be advised."""
    return bool(_called)


@contextmanager
def called(options: Mapping[str, str]) -> Generator[None]:
    """Name command line options instead of arguments in messages while the block runs.

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
    """Return a text with everything escaped that a terminal would obey or cannot show.

    Names that come from files (columns, classes, layers) or name files go through here before they
    are shown: control characters, line breaks among them, could move the cursor, clear the screen
    or hide text.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def counted(n: int, what: str) -> str:
    """Return a number of things: ``1 row``, ``2,000 rows``."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def instead_of_object(value: object) -> str:
    """Return what came instead of an object that does something: a class lacks its call."""
    if isinstance(value, type):
        name = value.__name__
        return f"the class {name}: call it, as in {name}()"
    return repr(value)


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for an unknown name, with the nearest known one.

    Parameters
    ----------
    kind : str
        What the name stands for: ``"optimizer"``, ``"activation"``.
    name : object
        What came.
    known : iterable of str
        The names that exist.

    Returns
    -------
    ValueError
        To be raised by the caller.

    """
    names = sorted(known)
    near = nearest(kind, str(name), names)
    listed = ", ".join(map(printable, names))
    hint = f"did you mean {near!r}? (known: {listed})" if near else f"use one of {listed}"
    return ValueError(f"unknown {kind} {name!r}: {hint}")


def nearest(kind: str, name: str, names: list[str]) -> str | None:
    """Return the known name that was probably meant, None if none is like it.

    Parameters
    ----------
    kind : str
        As for `unknown`; it decides which other libraries' names are understood.
    name : str
        What came.
    names : list of str
        What exists.

    """
    aliases = {alias: ours for alias, ours in ALIASES.get(kind, {}).items() if ours in names}
    ours = aliases.get(_squeezed(name))
    if ours is not None:
        return ours
    by_spelling = {_spelling(known): known for known in names}
    near = difflib.get_close_matches(_spelling(name), by_spelling, n=1, cutoff=_NEAR)
    return by_spelling[near[0]] if near else None


def _spelling(name: str) -> str:
    """Return a name in small letters, without invisible characters."""
    return "".join(letter for letter in name.lower() if letter.isprintable())


def _squeezed(name: str) -> str:
    """Return a name as small letters and digits: MSELoss, mse_loss and mse-loss are the same."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
