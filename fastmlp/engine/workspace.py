"""The layout of a step's arrays in one block of memory; offsets and sizes are in elements."""

from collections.abc import Sequence

__all__ = ["LINE", "Workspace", "whole"]

LINE = 16  # every array starts at a multiple of this, on a cache line
_LINES_WORTH_SPREADING = 8  # per row


class Workspace:
    """Hands out the offsets of one block of memory.

    Attributes
    ----------
    size : int
        Elements handed out so far.

    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, n_elements: int) -> int:
        """Return the offset of an array."""
        start = self.size
        self.size += whole(n_elements, LINE)
        return start

    def matrix(self, n_rows: int, n_columns: int) -> tuple[int, int]:
        """Return the offset and the row length of a matrix."""
        length = row_length(n_columns)
        return self.take(n_rows * length), length

    def turns(self, n_rows: int, widths: Sequence[int]) -> list[tuple[int, int]]:
        """Return the same for matrices that are each needed only until the next one is written.

        They take turns in two places, so that many layers need no more memory than two.
        """
        lengths = [row_length(width) for width in widths]
        places = [self.take(n_rows * max(lengths[i::2], default=0)) for i in (0, 1)]
        return [(places[i % 2], length) for i, length in enumerate(lengths)]

    def inputs(self, n_rows: int, n_columns: int) -> tuple[int, int]:
        """Return the same for the input of the first operation; narrow rows have no gaps."""
        if n_columns >= LINE:
            return self.matrix(n_rows, n_columns)
        return self.take(n_rows * n_columns), n_columns


def row_length(n_columns: int) -> int:
    """Return the number of elements from one row to the next, in whole cache lines.

    Long rows get an odd number of lines: rows that are a power of two apart would all compete for
    the same few sets of a cache.
    """
    lines = -(-n_columns // LINE)
    if lines >= _LINES_WORTH_SPREADING:
        lines |= 1
    return lines * LINE


def whole(n: int, size: int) -> int:
    """Return n, rounded up to a multiple of size."""
    return -(-n // size) * size
