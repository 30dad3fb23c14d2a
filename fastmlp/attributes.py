"""A check against misspelt attributes, since setting an unknown one silently has no effect."""

import inspect
from functools import cache
from typing import Any

__all__ = ["require_known"]

_FIXES = ("trainable", "requires_grad", "frozen")


def require_known(thing: Any, name: str) -> None:
    """Raise AttributeError unless the attribute exists or is a constructor argument.

    Only built-in classes are checked. Custom subclasses may have any attribute except those that
    ask for weights to be frozen.
    """
    kind = type(thing)
    if name.startswith("_") or name in vars(thing) or hasattr(kind, name):
        return
    if name in _FIXES:
        raise AttributeError(
            f"{kind.__name__} has no {name!r}: fastmlp trains every layer; to freeze one, wrap "
            "it in your own object with forward and backward, and without params"
        )
    if kind.__module__.startswith("fastmlp.") and name not in _settings(kind):
        settings = sorted(_settings(kind) - {"seed"})
        known = f"its settings are {', '.join(settings)}" if settings else "it has no settings"
        raise AttributeError(f"{kind.__name__} has no attribute {name!r} to set: {known}")


@cache
def _settings(kind: type) -> frozenset[str]:
    """Return the names of a class's constructor arguments."""
    found: set[str] = set()
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            found |= set(inspect.signature(base.__init__).parameters)
    return frozenset(found - {"self"})
