"""Panels: how the products in ``affine`` walk over register blocks.

B is taken in panels of a few vectors of columns, packed so that a block reads it in one stretch; a
panel is multiplied by all rows of A, block of rows by block of rows. How large the packed stretches
are, and where they lie in a thread's scratch, is decided here too.
"""

from typing import Any, NamedTuple

import numpy as np

from ..machine import caches, isa
from ..machine.jit import inner
from ..machine.settings import make_setting
from ..machine.simd import (
    copy_part,
    copy_vector,
    flat,
    lines_in,
    make_copy,
    n_lanes,
    prefetch_line,
    transpose_block,
)
from .blocks import STEPS_AHEAD, make_multiply_block, make_prefetch_block

__all__ = [
    "BLOCK_COLUMNS",
    "BLOCK_ROWS",
    "FEW_ELEMENTS",
    "FEW_ROWS",
    "NARROW",
    "NONE",
    "ONE",
    "PACKED_A",
    "PACKED_B",
    "SCRATCH",
    "START",
    "TILE_ROWS",
    "TILE_VECTORS",
    "Ahead",
    "Strided",
    "a_bytes",
    "block_of_k",
    "deep_blocks",
    "deep_micro_blocks",
    "even_block",
    "multiply_and_pack",
    "multiply_long_row",
    "multiply_panel",
    "pack",
    "pack_micro_panels",
    "pack_transposed",
    "panel_width",
    "size_ahead",
    "steps_between",
]

_ISA = isa.current()
TILE_ROWS, TILE_VECTORS, VECTOR_BYTES = _ISA.tile_rows, _ISA.tile_vectors, _ISA.vector_bytes

NONE, ONE = np.int64(0), np.int64(1)
MOST_K = 256  # of the summed index, in a block
# As many of it as there are in a packed panel of B that takes up three quarters of the first cache.
block_of_k = make_setting(
    "block_of_k",
    min(MOST_K, caches.first_level() * 3 // 4 // (TILE_VECTORS * VECTOR_BYTES) // 8 * 8),
)
BLOCK_ROWS = 256  # of C
BLOCK_COLUMNS = 1152  # of C: what is done to a block of C finds it in a cache
FEW_ROWS = 4 * TILE_ROWS  # with so few rows, packing B costs more than it saves ...
FEW_ELEMENTS = 8192  # ... as it does where all of B stays in the first cache
a_bytes = make_setting("a_bytes", caches.second_level() // 2)  # of A in the second cache
NARROW = 64  # columns, or rows, of a matrix whose rows need not be brought together
FAR_APART = 512  # elements between rows: a block of them falls into few sets of a cache
MAX_LANES = 16  # elements of a vector, for any width and dtype
MAX_WIDTH = MAX_LANES * TILE_VECTORS  # of a panel, in elements

# Where each part of a thread's scratch begins.
PACKED_B = np.int64(0)
START = PACKED_B + (MOST_K + MAX_LANES) * MAX_WIDTH
PACKED_A = START + 8 * MAX_LANES
SCRATCH = PACKED_A + MOST_K * (BLOCK_ROWS + TILE_ROWS)


class Strided(NamedTuple):
    """A matrix in flat memory: its element (i, j) is ``array[first + i * row + j * k]``."""

    array: Any
    first: Any
    row: Any
    k: Any


class Ahead(NamedTuple):
    """What to prefetch into the second cache meanwhile: array[first : end], as far as time allows.

    LINES_AHEAD lines at a time, ``step`` elements further each time, every so many steps of the
    summed index (see `steps_between`). With ``own``, to be written to.
    Unless 0, ``next_a`` and ``next_b`` tell how much further the part of A lies, or that of a
    packed B, that will be read after this one; it is prefetched too.
    """

    array: Any
    first: Any
    step: Any
    end: Any
    every: Any
    own: Any
    next_a: Any
    next_b: Any


multiply_long_row = make_multiply_block(1, 8)
_packing_block = make_multiply_block(TILE_ROWS, TILE_VECTORS, packing=True)
_prefetch_first = make_prefetch_block(TILE_ROWS, TILE_VECTORS)
_copy_rows = make_copy(TILE_ROWS)


def _make_panel(n_vectors):
    """Make ``panel(...)``, see `multiply_panel`, for panels of ``n_vectors``."""
    height = _ISA.heights[n_vectors - 1]
    half = height // 2
    block = make_multiply_block(height, n_vectors)
    some = make_multiply_block(half, n_vectors, clamped=True)
    prefetch_block = make_prefetch_block(height, n_vectors)

    @inner
    def panel(a, a_gap, b, start, c, ahead, n_k, n_rows, n_last):
        called = NONE
        if ahead.first < ahead.end:  # divisions take long
            called = (n_k + ahead.every - 1) // ahead.every * ahead.step
        b0, size_b = b.first + ahead.next_b, NONE
        if ahead.next_b != 0:
            size_b = n_k * b.k * height // max(ONE, n_rows)
        a0, start0, c0, ahead0 = a.first, start.first, c.first, ahead.first
        is_waited_for = start.row >= FAR_APART or n_k < NARROW  # read, or written very often
        left = n_rows
        while left >= height:
            if left > height and is_waited_for:
                prefetch_block(c.array, c0 + height * c.row, c.row)
            if ahead.next_a != 0:
                for i in range(height):
                    _prefetch_stretch(a.array, a0 + i * a.row + ahead.next_a, n_k)
            if ahead.next_b != 0:
                _prefetch_stretch(b.array, b0, size_b)
                b0 += size_b
            steps = ahead.every if ahead0 < ahead.end else n_k  # or else without a break
            block(a.array, a0, a.row, a.k, b.array, b.first, b.k, start.array, start0, start.row,
                  c.array, c0, c.row, n_k, NONE, n_last, steps, ahead.array, ahead0, ahead.step,
                  ahead.own, b.array, NONE)  # fmt: skip
            left -= height
            a0 += height * a.row + a_gap
            start0 += height * start.row
            c0 += height * c.row
            ahead0 = min(ahead0 + called, ahead.end)
        while left > 0:
            steps = ahead.every if ahead0 < ahead.end else n_k
            some(a.array, a0, a.row, a.k, b.array, b.first, b.k, start.array, start0, start.row,
                 c.array, c0, c.row, n_k, left - 1, n_last, steps, ahead.array, ahead0, ahead.step,
                 ahead.own, b.array, NONE)  # fmt: skip
            left -= half
            a0 += half * a.row
            start0 += half * start.row
            c0 += half * c.row
            ahead0 = min(ahead0 + called, ahead.end)

    return panel


_one, _two, _three, _four = (_make_panel(min(n, TILE_VECTORS)) for n in (1, 2, 3, 4))


@inner
def _prefetch_stretch(array, first, size):
    """Prefetch the lines of a stretch, up to the last one that it fills."""
    line = lines_in(array, ONE)
    for i in range(0, size, line):
        prefetch_line(array, first + i)


@inner
def multiply_panel(a, a_gap, b, start, c, ahead, n_k, n_rows, n_vectors, n_last):
    """C = start + A B for one panel of n_vectors vectors, block of rows by block of rows.

    The matrices are `Strided`, and ``ahead`` is `Ahead`. Of the last vector of C only n_last
    elements are read and written. ``a_gap``: how much further than the next row the next block of A
    begins.
    """
    if n_vectors == 1:
        _one(a, a_gap, b, start, c, ahead, n_k, n_rows, n_last)
    elif n_vectors == 2:
        _two(a, a_gap, b, start, c, ahead, n_k, n_rows, n_last)
    elif TILE_VECTORS > 2 and n_vectors == 3:
        _three(a, a_gap, b, start, c, ahead, n_k, n_rows, n_last)
    elif TILE_VECTORS > 3:
        _four(a, a_gap, b, start, c, ahead, n_k, n_rows, n_last)


@inner
def multiply_and_pack(a, b, start, c, ahead, n_k, scratch):
    """Multiply the first TILE_ROWS rows, and pack B to scratch at the same time.

    The panel must be whole. Return a, start, c and ahead for the rows that are left.
    """
    steps = ahead.every if ahead.first < ahead.end else n_k
    _prefetch_first(c.array, c.first + TILE_ROWS * c.row, c.row)
    _packing_block(
        a.array, a.first, a.row, a.k, b.array, b.first, b.k, start.array, start.first, start.row,
        c.array, c.first, c.row, n_k, NONE, n_lanes(scratch), steps, ahead.array, ahead.first,
        ahead.step, ahead.own, scratch, PACKED_B,
    )  # fmt: skip
    called = ahead.end
    if ahead.first < ahead.end:
        called = min(ahead.first + -(-n_k // ahead.every) * ahead.step, ahead.end)
    ahead = Ahead(
        ahead.array, called, ahead.step, ahead.end, ahead.every, ahead.own, ahead.next_a, NONE
    )
    return _below(a), _below(start), _below(c), ahead


@inner
def _below(matrix):
    """Return a matrix without its first TILE_ROWS rows."""
    return Strided(matrix.array, matrix.first + TILE_ROWS * matrix.row, matrix.row, matrix.k)


@inner
def size_ahead(array):
    """Return where prefetching a flat array ends: 0 if it is so small that it is near anyway."""
    return array.size if array.size > FEW_ELEMENTS else NONE


@inner
def steps_between(n_calls, n_k, n_rows):
    """Return every how many steps of the summed index to prefetch, to make so many calls in all.

    Spread evenly over most of a product of so many steps and rows, they leave room for its own
    loads, and what is called in last arrives in time.
    """
    return max(STEPS_AHEAD, 2 * n_k * (n_rows // TILE_ROWS) // (3 * max(ONE, n_calls)))


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
    """Return the length of blocks of the summed index: as few as `block_of_k` allows, and even.

    They begin at whole vectors.
    """
    longest = block_of_k()
    if n_k <= longest:
        return n_k
    n_blocks = (n_k + longest - 1) // longest
    return min(MOST_K, ((n_k + n_blocks - 1) // n_blocks + MAX_LANES - 1) // MAX_LANES * MAX_LANES)


@inner
def deep_blocks(n_rows, n_k, block_k, n_bytes, lanes):
    """Return how much of the summed index, in blocks, to go through for a panel before the next.

    C then is seldom read back, and what is read of A for each panel, at most ``n_bytes`` or one
    block, stays in the second cache.
    """
    if n_k <= block_k:
        return n_k
    n_elements = n_bytes * lanes // VECTOR_BYTES
    return block_k * max(ONE, n_elements // (n_rows * block_k))


@inner
def deep_micro_blocks(n_columns, block_k):
    """Return how many blocks of the summed index there is room for in micro-panels."""
    n_panels = (n_columns + TILE_ROWS - 1) // TILE_ROWS
    return max(ONE, MOST_K * (BLOCK_ROWS + TILE_ROWS) // (n_panels * TILE_ROWS * block_k))


@inner
def pack(b, k, n_k, j, n, padded, scratch, scratch0):
    """Copy b[k : k + n_k, j : j + n] to scratch, rows padded with zeros to whole vectors."""
    lanes = n_lanes(b)
    whole = n // lanes * lanes
    b_flat, ldb = flat(b), b.shape[1]
    source, target = k * ldb + j, scratch0
    if n == TILE_VECTORS * lanes:
        for _ in range(n_k):
            for v in range(TILE_VECTORS):
                copy_vector(b_flat, source + v * lanes, scratch, target + v * lanes)
            source += ldb
            target += padded
        return
    for _ in range(n_k):
        for c in range(0, whole, lanes):
            copy_vector(b_flat, source + c, scratch, target + c)
        if whole < n:
            copy_part(b_flat, source + whole, n - whole, scratch, target + whole)
        source += ldb
        target += padded


@inner
def pack_micro_panels(b, k, n_k, j, n, scratch, scratch0):
    """Copy b[k : k + n_k, j : j + n], TILE_ROWS columns at a time, each set in one stretch."""
    b_flat, ldb, target = flat(b), b.shape[1], scratch0
    for c in range(0, n, TILE_ROWS):
        source, size = k * ldb + j + c, n - c
        for _ in range(n_k):
            if size >= TILE_ROWS:
                _copy_rows(b_flat, source, scratch, target)
            else:
                for i in range(size):
                    scratch[target + i] = b_flat[source + i]
            source += ldb
            target += TILE_ROWS


@inner
def pack_transposed(b, k, n_k, j, n, padded, scratch):
    """Copy the transpose of b[j : j + n, k : k + n_k] to scratch, rows padded with zeros.

    What follows in scratch may be destroyed.
    """
    lanes, b_flat, ldb = n_lanes(b), flat(b), b.shape[1]
    for c in range(0, n, lanes):
        for i in range(0, n_k, lanes):
            transpose_block(
                b_flat, (j + c) * ldb + k + i, ldb, n - c, n_k - i, scratch,
                PACKED_B + i * padded + c, padded,
            )  # fmt: skip
