"""Descriptors for a layer's arguments, which can change later or cannot, and for its arrays."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["Fixed", "Parameter", "Setting"]

T = TypeVar("T")


class Setting(Generic[T]):
    """A number that a layer was created with and that can be reassigned at any time.

    New values are checked, and the layer's model is told, since it may hold a plan that was made
    with the old value.

    Parameters
    ----------
    check : callable
        ``check(name, value)`` returns the value to store, or raises an error of one sentence.

    """

    def __init__(self, check: Callable[[str, Any], T]):
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the attribute's name."""
        self.name = name

    @overload
    def __get__(self, layer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, layer: object, owner: type) -> T: ...
    def __get__(self, layer: Any, owner: type | None = None) -> T | Self:
        """Return the value, or this descriptor if it is read from the class."""
        if layer is None:
            return self
        try:
            return layer.__dict__[self.name]
        except KeyError:
            raise AttributeError(f"{type(layer).__name__} has no {self.name} yet") from None

    def __set__(self, layer: Any, value: Any) -> None:
        """Check and store the value, then tell the model."""
        layer.__dict__[self.name] = self.check(self.name, value)
        layer.settings_changed()


class Fixed(Setting[T]):
    """A size of a layer's arrays: it can be set only once.

    Raises
    ------
    AttributeError
        If a different value is assigned later.

    """

    def __set__(self, layer: Any, value: Any) -> None:
        """Check the value and store it; refuse a different one later."""
        value = self.check(self.name, value)
        if layer.__dict__.setdefault(self.name, value) != value:
            raise AttributeError(
                f"{self.name} of {layer!r} cannot be changed to {value!r}: make a new layer"
            )


class Parameter(Generic[T]):
    """An array of parameters as an attribute: ``layer.weight`` is ``layer.params["weight"]``.

    It is None if the layer lacks such an array, as a `Linear` without bias does. A value that is
    assigned is copied into the array.

    Parameters
    ----------
    description : str
        The attribute's docstring.

    """

    def __init__(self, description: str):
        self.__doc__ = description

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the attribute's name."""
        self.name = name

    @overload
    def __get__(self, layer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, layer: object, owner: type) -> T: ...
    def __get__(self, layer: Any, owner: type | None = None) -> T | Self:
        """Return the array, or this descriptor if it is read from the class."""
        return self if layer is None else layer.params.get(self.name)

    def __set__(self, layer: Any, value: Any) -> None:
        """Copy the value into the array."""
        layer.params[self.name] = value
