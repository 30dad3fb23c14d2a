"""What a layer was made with: numbers that may be changed later, and sizes that may not."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Fixed", "Setting"]

T = TypeVar("T")


class Setting(Generic[T]):
    """A number of a layer that may be assigned to at any time.

    Whatever is assigned is checked, and the model that the layer is in hears of it, since it may
    hold a plan that was made with the old value.

    Parameters
    ----------
    check : callable
        ``check(name, value)`` returns the value to keep or raises one sentence.

    """

    def __init__(self, check: Callable[[str, Any], T]):
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember what the attribute is called."""
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> T:
        """Return the value; the setting itself where a class is asked."""
        if layer is None:
            return self  # type: ignore[return-value]
        try:
            return layer.__dict__[self.name]
        except KeyError:
            raise AttributeError(f"{type(layer).__name__} has no {self.name} yet") from None

    def __set__(self, layer: Any, value: Any) -> None:
        """Check the value, keep it, and tell the model."""
        layer.__dict__[self.name] = self.check(self.name, value)
        layer.settings_changed()


class Fixed(Setting[T]):
    """A size of a layer: arrays are made to it, so it is set once.

    Raises
    ------
    AttributeError
        On a second assignment of another value.

    """

    def __set__(self, layer: Any, value: Any) -> None:
        """Check the value and keep it, the first time."""
        value = self.check(self.name, value)
        if layer.__dict__.setdefault(self.name, value) != value:
            raise AttributeError(
                f"{self.name} of {layer!r} cannot be changed to {value!r}: make a new layer"
            )
