"""Panels: how the products in ``affine`` walk over register blocks.

B is taken in panels of a few vectors of columns, packed so that a block reads it in one stretch; a
panel is multiplied by all rows of A, block of rows by block of rows. Where packed operands lie in a
thread's scratch is decided here too.
"""

import numpy as np

from ..machine.jit import inner
from ..machine.maths import zero
from ..machine.simd import (
    TILE_ROWS,
    TILE_VECTORS,
    copy_vector,
    flat,
    lines_in,
    make_multiply_block,
    n_lanes,
    part,
    row_of,
    transpose_block,
)

__all__ = [
    "BLOCK_COLUMNS",
    "BLOCK_K",
    "BLOCK_ROWS",
    "FEW_ELEMENTS",
    "FEW_ROWS",
    "NARROW",
    "NONE",
    "ONE",
    "PACKED_A",
    "PACKED_B",
    "PANEL",
    "SCRATCH",
    "START",
    "even_block",
    "multiply_long_row",
    "multiply_panel",
    "multiply_row",
    "pack",
    "pack_transposed",
    "panel_width",
    "unpack",
]

NONE, ONE = np.int64(0), np.int64(1)
BLOCK_K = 256  # of the summed index: a packed panel of B has 48 KB
BLOCK_ROWS = 256  # of C
BLOCK_COLUMNS = 480  # of C, whole panels: their packed part of B (480 KB) stays in the second cache
FEW_ROWS = 4 * TILE_ROWS  # with so few rows, packing B costs more than it saves ...
FEW_ELEMENTS = 8192  # ... as it does where all of B stays in the first cache
NARROW = 64  # columns of a matrix whose rows need not be brought together
MAX_WIDTH = 16 * TILE_VECTORS  # of a panel, in elements, for any vector width and dtype

# Where each part of a thread's scratch begins.
PACKED_B = np.int64(0)
PANEL = PACKED_B + BLOCK_K * (BLOCK_COLUMNS + MAX_WIDTH)
START = PANEL + BLOCK_ROWS * MAX_WIDTH
PACKED_A = START + BLOCK_COLUMNS + MAX_WIDTH
SCRATCH = PACKED_A + BLOCK_K * BLOCK_ROWS

if TILE_VECTORS not in (2, 3) or TILE_ROWS < 2:  # `_make_block` has one, two and all vectors
    raise ValueError(
        f"a register block of {TILE_ROWS} rows and {TILE_VECTORS} vectors is not provided for: "
        "there must be at least 2 rows, and 2 or 3 vectors"
    )

multiply_long_row = make_multiply_block(1, 8)


def _make_block(n_rows):
    """Make ``block(n_vectors, ...)`` for a height: a register block of one of three widths."""
    one, two, whole = (make_multiply_block(n_rows, n) for n in (1, 2, TILE_VECTORS))

    @inner
    def block(
        n_vectors, a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
        soon, soon0, due, due0,
    ):  # fmt: skip
        if n_vectors == TILE_VECTORS:
            whole(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                  soon, soon0, due, due0)  # fmt: skip
        elif n_vectors == 2:
            two(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                soon, soon0, due, due0)  # fmt: skip
        else:
            one(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                soon, soon0, due, due0)  # fmt: skip

    return block


_tile, _half_tile, multiply_row = (_make_block(n) for n in (TILE_ROWS, TILE_ROWS // 2, 1))


@inner
def multiply_panel(
    a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row,
    n_k, n_rows, n_vectors, soon, soon0, soon_end, due, due0, due_end,
):  # fmt: skip
    """C = start + A B for one panel of n_vectors vectors, block of rows by block of rows.

    Meanwhile soon[soon0 : soon_end] is prefetched into the second cache to be read, and
    due[due0 : due_end] to be written, as far as there is time.
    """
    lines = lines_in(soon, n_k)
    i = 0
    while i < n_rows:
        if n_rows - i >= TILE_ROWS:
            height = TILE_ROWS
            _tile(n_vectors, a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row,
                  n_k, soon, soon0, due, due0)  # fmt: skip
        elif n_rows - i >= TILE_ROWS // 2:
            height = TILE_ROWS // 2
            _half_tile(n_vectors, a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0,
                       c_row, n_k, soon, soon0, due, due0)  # fmt: skip
        else:
            height = 1
            multiply_row(n_vectors, a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0,
                         c_row, n_k, soon, soon0, due, due0)  # fmt: skip
        i += height
        a0 += height * a_row
        start0 += height * start_row
        c0 += height * c_row
        soon0 = min(soon0 + lines, soon_end)
        due0 = min(due0 + lines, due_end)


@inner
def panel_width(n_columns, lanes):
    """Return how many of the columns that are left the next panel takes.

    Two panels are of about the same width, rather than that one vector is left over.
    """
    n_vectors = (n_columns + lanes - 1) // lanes
    if TILE_VECTORS < n_vectors <= 2 * TILE_VECTORS - 2:
        return (n_vectors + 1) // 2 * lanes
    return min(n_columns, TILE_VECTORS * lanes)


@inner
def even_block(n_k):
    """Return the length of blocks of the summed index: as few as BLOCK_K allows, and even."""
    n_blocks = (n_k + BLOCK_K - 1) // BLOCK_K
    return (n_k + n_blocks - 1) // n_blocks


@inner
def pack(b, k, n_k, j, n, padded, scratch, scratch0):
    """Copy b[k : k + n_k, j : j + n] to scratch, rows padded with zeros."""
    lanes, nought = n_lanes(b), zero(scratch[0])
    whole = n // lanes * lanes
    b_flat, ldb = flat(b), b.shape[1]
    for i in range(n_k):
        source, target = (k + i) * ldb + j, scratch0 + i * padded
        for c in range(0, whole, lanes):
            copy_vector(b_flat, source + c, scratch, target + c)
        for c in range(whole, n):
            scratch[target + c] = b_flat[source + c]
        for c in range(n, padded):
            scratch[target + c] = nought


@inner
def pack_transposed(b, k, n_k, j, n, padded, scratch):
    """Copy the transpose of b[j : j + n, k : k + n_k] to scratch, rows padded with zeros."""
    lanes, nought = n_lanes(b), zero(scratch[0])
    b_flat, ldb = flat(b), b.shape[1]
    whole_j, whole_k = n // lanes * lanes, n_k // lanes * lanes
    for c in range(0, whole_j, lanes):
        for i in range(0, whole_k, lanes):
            transpose_block(
                b_flat, (j + c) * ldb + k + i, ldb, scratch, PACKED_B + i * padded + c, padded
            )
    for i in range(n_k):
        target = PACKED_B + i * padded
        for c in range(whole_j if i < whole_k else NONE, n):
            scratch[target + c] = b[j + c, k + i]
        for c in range(n, padded):
            scratch[target + c] = nought


@inner
def unpack(scratch, padded, y, r, n_rows, j, n):
    for i in range(n_rows):
        source, target = part(scratch, PANEL + i * padded, n), row_of(y, r + i, j, n)
        for c in range(n):
            target[c] = source[c]
