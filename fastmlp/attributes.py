"""Attributes that a class knows: assigning to another one would change nothing, in silence."""

import inspect
from functools import cache
from typing import Any

__all__ = ["require_known"]

_FIXES = ("trainable", "requires_grad", "frozen")


def require_known(thing: Any, name: str) -> None:
    """Raise AttributeError unless an object of ours has the attribute or is made with it.

    Objects of a user's own class may have any, but none that asks for its weights to be held fixed.
    """
    kind = type(thing)
    if name.startswith("_") or name in vars(thing) or hasattr(kind, name):
        return
    if name in _FIXES:
        raise AttributeError(
            f"{kind.__name__} has no {name!r}: fastmlp trains every layer; to hold one fixed, wrap "
            "it in an object of your own with forward and backward, and without params"
        )
    if kind.__module__.startswith("fastmlp.") and name not in _settings(kind):
        settings = sorted(_settings(kind) - {"seed"})
        known = f"its settings are {', '.join(settings)}" if settings else "it has no settings"
        raise AttributeError(f"{kind.__name__} has no attribute {name!r} to set: {known}")


@cache
def _settings(kind: type) -> frozenset[str]:
    """Return the arguments that objects of a class are made with."""
    found: set[str] = set()
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            found |= set(inspect.signature(base.__init__).parameters)
    return frozenset(found - {"self"})
