"""Tables of kinds: a member's code is its position, its name is unique."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["codes_of"]


class Row(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...


def codes_of(table: Sequence[Row]) -> dict[str, int]:
    """Return name -> code."""
    codes = {row.name: code for code, row in enumerate(table)}
    if len(codes) != len(table):
        raise ValueError(f"a name is twice in {[row.name for row in table]}")
    return codes
