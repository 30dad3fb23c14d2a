"""A check against misspelt attributes, since setting an unknown one silently has no effect."""

import inspect
from functools import cache
from typing import Any

__all__ = ["Checked", "refuse_fixing", "require_known"]

_FIXES = ("trainable", "requires_grad", "frozen")


class Checked:
    """Base of classes whose attributes are settings: they exist, and new values are checked."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a known attribute, checked; refuse others, since a misspelt name goes unnoticed."""
        require_known(self, name)
        object.__setattr__(self, name, _checked(self, name, value))


def require_known(thing: Any, name: str) -> None:
    """Raise AttributeError unless the attribute exists or is a constructor argument.

    Only built-in classes are checked. Custom subclasses may have any attribute except those that
    ask for weights to be frozen.
    """
    kind = type(thing)
    if name.startswith("_") or name in vars(thing) or hasattr(kind, name):
        return
    refuse_fixing(thing, name)
    if kind.__module__.startswith("fastmlp.") and name not in _settings(kind):
        settings = sorted(_settings(kind) - {"seed"})
        known = f"its settings are {', '.join(settings)}" if settings else "it has no settings"
        raise AttributeError(f"{kind.__name__} has no attribute {name!r} to set: {known}")


def refuse_fixing(thing: Any, name: str) -> None:
    """Raise AttributeError for a name by which other libraries freeze weights."""
    if name in _FIXES:
        raise AttributeError(
            f"{type(thing).__name__} has no {name!r}: fastmlp trains every layer; to freeze one, "
            "wrap it in your own object with forward and backward, and without params"
        )


def _checked(thing: Any, name: str, value: Any) -> Any:
    """Return a new value for a setting as the constructor would keep it, or raise what it raises.

    Built-in classes only: a user's own may be constructed in any way.
    """
    kind = type(thing)
    settings = _settings(kind) if kind.__module__.startswith("fastmlp.") else ()
    if name not in vars(thing) or name not in settings:
        return value
    arguments = {argument: vars(thing)[argument] for argument in settings} | {name: value}
    return vars(kind(**arguments))[name]


@cache
def _settings(kind: type) -> frozenset[str]:
    """Return the names of a class's constructor arguments."""
    found: set[str] = set()
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            found |= set(inspect.signature(base.__init__).parameters)
    return frozenset(found - {"self"})
