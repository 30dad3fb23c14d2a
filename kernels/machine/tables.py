"""Tables of cores, activations and the like: a row's code is its position, its name is unique."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["codes_of"]


class Row(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """The name that users write."""
        ...


def codes_of(table: Sequence[Row]) -> dict[str, int]:
    """Return the code of each row by name."""
    codes = {row.name: code for code, row in enumerate(table)}
    if len(codes) != len(table):
        raise ValueError(f"a name is twice in {[row.name for row in table]}")
    return codes
