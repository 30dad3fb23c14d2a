"""The columns of a table that a file takes one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Column"]


@dataclass(frozen=True)
class Column:
    """A column of a table, as a file takes it.

    Attributes
    ----------
    name : str
    holds : str
        What its numbers are, such as "seconds since 1970", or "category".
    names : tuple of str
        What the codes 1, 2, ... of a category stand for; empty for numbers.
    codes : mapping
        Every known text of a category -> its code.
    unknown : int
        The code of any other text.

    """

    name: str
    holds: str
    names: tuple[str, ...] = ()
    codes: Mapping[str, int] = field(default_factory=dict)
    unknown: int = 0
