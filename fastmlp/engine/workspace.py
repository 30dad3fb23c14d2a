"""The layout of a step's arrays in one block of memory; offsets and sizes are in elements."""

from collections.abc import Sequence

__all__ = ["LINE", "Workspace", "whole"]

LINE = 16  # every array starts at a multiple of this, on a cache line
_LINES_WORTH_SPREADING = 8  # per row


class Workspace:
    """Allocates offsets within one block of memory.

    Attributes
    ----------
    size : int
        The number of elements allocated so far.

    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, n_elements: int) -> int:
        """Allocate an array; return its offset."""
        start = self.size
        self.size += whole(n_elements, LINE)
        return start

    def matrix(self, n_rows: int, n_columns: int, gapless: bool = False) -> tuple[int, int]:
        """Allocate a matrix; return its offset and row length."""
        length = n_columns if gapless else row_length(n_columns)
        return self.take(n_rows * length), length

    def turns(
        self, n_rows: int, widths: Sequence[int], gapless: Sequence[bool]
    ) -> list[tuple[int, int]]:
        """Allocate matrices that are each needed only until the next one is written.

        They alternate between two places, so many layers need no more memory than two.
        """
        lengths = [
            width if exact else row_length(width)
            for width, exact in zip(widths, gapless, strict=True)
        ]
        places = [self.take(n_rows * max(lengths[i::2], default=0)) for i in (0, 1)]
        return [(places[i % 2], length) for i, length in enumerate(lengths)]

    def inputs(self, n_rows: int, n_columns: int, gapless: bool = False) -> tuple[int, int]:
        """Allocate the input of the first operation; narrow rows are stored without gaps."""
        if n_columns >= LINE and not gapless:
            return self.matrix(n_rows, n_columns)
        return self.take(n_rows * n_columns), n_columns


def row_length(n_columns: int) -> int:
    """Return the row stride in elements, a whole number of cache lines.

    Long rows get an odd number of lines: rows a power of two apart would all compete for the same
    few cache sets.
    """
    lines = -(-n_columns // LINE)
    if lines >= _LINES_WORTH_SPREADING:
        lines |= 1
    return lines * LINE


def whole(n: int, size: int) -> int:
    """Return n, rounded up to a multiple of size."""
    return -(-n // size) * size
