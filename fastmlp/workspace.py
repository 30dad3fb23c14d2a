"""Where the arrays of a step lie in one block of memory; offsets and sizes are in elements."""

__all__ = ["LINE", "TILE", "Workspace", "whole"]

LINE = 16  # every array starts on a cache line
TILE = 32  # rows, columns and depth of bfloat16 products come in multiples of it
_LINES_WORTH_SPREADING = 8  # in a row


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
        """Return offset and row length, in whole cache lines.

        Long rows get an odd number of them: rows a power of two apart would all fall into the same
        few sets of a cache.
        """
        lines = -(-n_columns // LINE)
        if lines >= _LINES_WORTH_SPREADING:
            lines |= 1
        return self.take(n_rows * lines * LINE), lines * LINE

    def inputs(self, n_rows: int, n_columns: int) -> tuple[int, int]:
        """Return the same for what the first operation reads; narrow rows lie without gaps."""
        if n_columns >= LINE:
            return self.matrix(n_rows, n_columns)
        return self.take(n_rows * n_columns), n_columns

    def factor(self, n_rows: int, n_columns: int, parts: int) -> tuple[int, int]:
        """Return the offsets of the two forms of a layer's input; -1 for no parts."""
        return self.tiles(n_rows, n_columns, parts), self.tiles(n_columns, n_rows, parts)

    def tiles(self, n_rows: int, n_columns: int, parts: int) -> int:
        """Return the offset of a matrix of bfloat16 tiles; -1 for no parts."""
        if not parts:
            return -1
        return self.take(parts * whole(n_rows, TILE) * whole(n_columns, TILE) // 2)


def whole(n: int, size: int) -> int:
    """Return n, rounded up to a multiple of size."""
    return -(-n // size) * size
