"""The three matrix products of a fully connected layer, each fused with what surrounds it.

    forward    Y = dropout(f(X W + b))             (N, D) (D, H) -> (N, H)
    backward   dZ_below = (dZ W') * f'(below)      (N, H) (H, D) -> (N, D)
    gradient   dW = X' dZ                          (D, N) (N, H) -> (D, H)

All three walk over blocks of C that stay in registers (``simd.make_multiply_block``), inside
blocks of the summed index that stay in the first cache. Each element of C is one chain of
multiply-adds in the order of the summed index, whatever the blocking.

Matrices may be wider than they are used: a row has ``shape[1]`` elements, of which the first few
count. What lies beyond is never read into a result.
"""

import numpy as np

from .activations import activate, scale_by_derivative
from .dropout import drop
from .jit import kernel
from .maths import one, zero
from .opcodes import IDENTITY, KEEP_INPUT, KEEP_OUTPUT
from .simd import (
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
    "BLOCK_K",
    "BLOCK_ROWS",
    "affine_backward",
    "affine_forward",
    "bias_gradient",
    "finish",
    "scratch_size",
    "unfinish",
    "weight_gradient",
]

NONE, ONE = np.int64(0), np.int64(1)
BLOCK_K = 256  # of the summed index: a packed panel of B (24 KB) stays in the first cache
BLOCK_ROWS = 256  # of C
BLOCK_COLUMNS = 480  # of C, whole panels: their packed part of B (240 KB) stays in the second cache
FEW_ROWS = 2 * TILE_ROWS  # with so few rows, packing B costs more than it saves ...
FEW_ELEMENTS = 8192  # ... as it does where all of B stays in the first cache
MAX_WIDTH = 16 * TILE_VECTORS  # of a panel, in elements, for any vector width and dtype

# Where each part of a thread's scratch begins.
PACKED_B = np.int64(0)
PANEL = PACKED_B + BLOCK_K * (BLOCK_COLUMNS + MAX_WIDTH)
START = PANEL + BLOCK_ROWS * MAX_WIDTH
PACKED_A = START + BLOCK_COLUMNS + MAX_WIDTH
SCRATCH = PACKED_A + BLOCK_K * BLOCK_ROWS

_BLOCK_1 = make_multiply_block(TILE_ROWS, 1)
_BLOCK_2 = make_multiply_block(TILE_ROWS, 2)
_BLOCK_3 = make_multiply_block(TILE_ROWS, TILE_VECTORS)
_HALF_1 = make_multiply_block(TILE_ROWS // 2, 1)
_HALF_2 = make_multiply_block(TILE_ROWS // 2, 2)
_HALF_3 = make_multiply_block(TILE_ROWS // 2, TILE_VECTORS)
_ROW_1 = make_multiply_block(1, 1)
_ROW_2 = make_multiply_block(1, 2)
_ROW_3 = make_multiply_block(1, TILE_VECTORS)
_LONG_ROW = make_multiply_block(1, 8)


def scratch_size() -> int:
    """Return how many elements of scratch each thread needs."""
    return SCRATCH


@kernel
def affine_forward(
    x, weight, bias, has_bias, code, alpha, p, key, keep, saved, y, n_in, scratch, row, row_end,
    column, column_end,
):
    """y[i, j] = dropout(f(sum_k x[i, k] weight[k, j] + bias[j])) in a block of rows and columns.

    x (N, >= D); weight (D, H); bias (H,), read where ``has_bias``; y, saved (N, >= H); scratch of
    ``scratch_size()`` elements, one for each thread. f is activation ``code`` with ``alpha``;
    dropout with probability ``p`` (0: none) and mask ``key``. ``column`` must be a multiple of
    the panel width. ``keep`` says what of f goes to ``saved``.
    Reads x, weight, bias. Writes y, saved in the block. May destroy y beyond the last column,
    scratch.
    """
    lanes = n_lanes(x)
    width = TILE_VECTORS * lanes
    x_flat, w_flat, y_flat = flat(x), flat(weight), flat(y)
    ldx, ldw, ldy = x.shape[1], weight.shape[1], y.shape[1]
    block_k = _even_block(n_in)
    if row_end - row == 1:
        first = column
        column = _one_row(
            x_flat, row * ldx, w_flat, ldw, bias, has_bias, y_flat, row * ldy, n_in, scratch, column,
            column_end,
        )  # fmt: skip
        finish(code, alpha, p, key, keep, saved, y, row, row_end, first, column)
    for r in range(row, row_end, BLOCK_ROWS):
        n_rows = min(BLOCK_ROWS, row_end - r)
        in_place = n_rows <= FEW_ROWS or n_in * ldw <= FEW_ELEMENTS
        for first in range(column, column_end, BLOCK_COLUMNS):
            last = min(column_end, first + BLOCK_COLUMNS)
            for j in range(last - first):
                scratch[START + j] = bias[first + j] if has_bias else zero(alpha)
            for k in range(0, n_in, block_k):
                n_k = min(block_k, n_in - k)
                soon = (k + block_k) * ldw  # the rows of the weight that come next
                soon_end = soon + block_k * ldw
                for j in range(first, last, width):
                    n = min(width, last - j)
                    n_vectors = (n + lanes - 1) // lanes
                    padded = n_vectors * lanes
                    if in_place and n == padded:
                        b, b0, b_k = w_flat, k * ldw + j, ldw
                    else:
                        b, b0, b_k = scratch, PACKED_B + (j - first) * n_k, padded
                        _pack(weight, k, n_k, j, n, padded, scratch, b0)
                    if j + padded <= ldy:
                        c, c0, c_row = y_flat, r * ldy + j, ldy
                    else:
                        c, c0, c_row = scratch, PANEL, padded
                    if k == 0:
                        start, start0, start_row = scratch, START + j - first, NONE
                    else:
                        start, start0, start_row = c, c0, c_row
                    _multiply(x_flat, r * ldx + k, ldx, ONE, b, b0, b_k, start, start0, start_row,
                              c, c0, c_row, n_k, n_rows, n_vectors, w_flat, soon, soon_end,
                              scratch, NONE, NONE)
                    soon = min(soon + lines_in(w_flat, n_rows // TILE_ROWS * n_k), soon_end)
                    if j + padded > ldy and k + n_k == n_in:
                        _unpack(scratch, padded, y, r, n_rows, j, n)
            finish(code, alpha, p, key, keep, saved, y, r, r + n_rows, first, last)


@kernel
def _one_row(
    x, x0, weight, ldw, bias, has_bias, y, y0, n_in, scratch, column, column_end
):  # fmt: skip
    """The product for one row, eight vectors of columns at a time; return the column it came to.

    One pass over each stretch of the weight, as it lies: what it costs is reading it.
    """
    width = 8 * n_lanes(x)
    if not has_bias:
        for j in range(width):
            scratch[START + j] = zero(x[0])
    while column + width <= column_end:
        if has_bias:
            _LONG_ROW(x, x0, NONE, ONE, weight, column, ldw, bias, column, NONE, y, y0 + column, NONE,
                      n_in, scratch, NONE, scratch, NONE)  # fmt: skip
        else:
            _LONG_ROW(x, x0, NONE, ONE, weight, column, ldw, scratch, START, NONE, y, y0 + column,
                      NONE, n_in, scratch, NONE, scratch, NONE)  # fmt: skip
        column += width
    return column


@kernel
def finish(code, alpha, p, key, keep, saved, y, row, row_end, column, column_end):
    """y = dropout(f(y)) in a block; ``keep`` says what of f goes to ``saved`` on the way.

    Reads y. Writes y, saved. May destroy nothing else.
    """
    if keep == KEEP_INPUT:
        _copy(y, saved, row, row_end, column, column_end)
    if code != IDENTITY:
        activate(code, alpha, y, row, row_end, column, column_end)
    if keep == KEEP_OUTPUT:
        _copy(y, saved, row, row_end, column, column_end)
    if p > zero(p):
        drop(y, p, key, row, row_end, column, column_end)


@kernel
def unfinish(code, alpha, p, key, saved, dy, row, row_end, column, column_end):
    """dy = dy * mask * f'(saved) in a block: the gradient at the input of ``finish``.

    Reads dy, saved. Writes dy. May destroy nothing else.
    """
    if p > zero(p):
        drop(dy, p, key, row, row_end, column, column_end)
    if code != IDENTITY:
        scale_by_derivative(code, alpha, dy, saved, row, row_end, column, column_end)


@kernel
def affine_backward(
    dz, weight, code, alpha, p, key, saved, dx, n_out, scratch, row, row_end, column, column_end,
):
    """dx[i, j] = (sum_k dz[i, k] weight[j, k]) * mask * f'(saved[i, j]) in a block.

    dz (N, >= H); weight (D, H); dx, saved (N, >= D). f, its ``alpha``, ``p`` and ``key`` are those
    of the layer below, whose output this layer read, so dx is the gradient at that layer's own
    product. ``column`` must be a multiple of the panel width.
    Reads dz, weight, saved. Writes dx in the block. May destroy dx beyond the last column, scratch.
    """
    lanes = n_lanes(dz)
    width = TILE_VECTORS * lanes
    dz_flat, w_flat, dx_flat = flat(dz), flat(weight), flat(dx)
    ldz, ldw, ldx = dz.shape[1], weight.shape[1], dx.shape[1]
    block_k = _even_block(n_out)
    for c in range(width):
        scratch[START + c] = zero(alpha)
    for r in range(row, row_end, BLOCK_ROWS):
        n_rows = min(BLOCK_ROWS, row_end - r)
        for j in range(column, column_end, width):
            n = min(width, column_end - j)
            n_vectors = (n + lanes - 1) // lanes
            padded = n_vectors * lanes
            for k in range(0, n_out, block_k):
                n_k = min(block_k, n_out - k)
                _pack_transposed(weight, k, n_k, j, n, padded, scratch)
                if j + padded <= ldx:
                    c, c0, c_row = dx_flat, r * ldx + j, ldx
                else:
                    c, c0, c_row = scratch, PANEL, padded
                if k == 0:
                    start, start0, start_row = scratch, START, NONE
                else:
                    start, start0, start_row = c, c0, c_row
                _multiply(dz_flat, r * ldz + k, ldz, ONE, scratch, PACKED_B, padded,
                          start, start0, start_row, c, c0, c_row, n_k, n_rows, n_vectors,
                          w_flat, (j + n) * ldw + k * n, (j + n) * ldw + (k + n_k) * n, scratch, NONE, NONE)
            if j + padded > ldx:
                _unpack(scratch, padded, dx, r, n_rows, j, n)
        unfinish(code, alpha, p, key, saved, dx, r, r + n_rows, column, column_end)


@kernel
def weight_gradient(x, dz, n_rows, n_out, out, out0, scratch, first, last, theta, state1, state2, place):
    """out[d - first, h] = sum_n x[n, d] dz[n, h] for the inputs d in [first, last).

    x (N, >= D); dz (N, >= H); the rows of the gradient go to the flat array ``out`` from ``out0``
    on, without gaps, as they lie in the parameters. At most BLOCK_ROWS inputs at a time. What the
    optimizer will need next, theta, state1 and state2 from ``place`` on, is called into the second
    cache meanwhile.
    Reads x, dz. Writes out. May destroy scratch.
    """
    lanes = n_lanes(x)
    width = TILE_VECTORS * lanes
    x_flat, dz_flat = flat(x), flat(dz)
    ldx, ldz = x.shape[1], dz.shape[1]
    n_first, block_k = last - first, _even_block(n_rows)
    for c in range(width):
        scratch[START + c] = zero(out[0])
    for k in range(0, n_rows, block_k):
        n_k = min(block_k, n_rows - k)
        if n_first <= 2 * TILE_ROWS:
            a, a0, a_k = x_flat, k * ldx + first, ldx
        else:  # rows of x lie far apart: bring this strip of them together
            a, a0, a_k = scratch, PACKED_A, n_first
            for i in range(n_k):
                source = row_of(x, k + i, first, n_first)
                target = part(scratch, PACKED_A + i * n_first, n_first)
                for c in range(n_first):
                    target[c] = source[c]
        due, due0, due_end, stage = theta, place, place, NONE
        for j in range(0, n_out, width):
            n = min(width, n_out - j)
            n_vectors = (n + lanes - 1) // lanes
            padded = n_vectors * lanes
            if j + padded <= ldz:
                b, b0, b_k = dz_flat, k * ldz + j, ldz
            else:
                _pack(dz, k, n_k, j, n, padded, scratch, PACKED_B)
                b, b0, b_k = scratch, PACKED_B, padded
            if 3 * j >= stage * n_out:  # one array after the other
                due = theta if stage == 0 else (state1 if stage == 1 else state2)
                due0 = min(place, due.size)
                due_end = min(place + n_first * n_out, due.size)
                stage += 1
            direct = n == padded
            if direct:
                c, c0, c_row = out, out0 + j, n_out
            else:
                c, c0, c_row = scratch, PANEL, padded
            if k == 0:
                start, start0, start_row = scratch, START, NONE
            else:
                start, start0, start_row = c, c0, c_row
                if not direct:
                    for i in range(n_first):
                        target = part(scratch, PANEL + i * padded, n)
                        source = part(out, out0 + i * n_out + j, n)
                        for h in range(n):
                            target[h] = source[h]
            _multiply(a, a0, ONE, a_k, b, b0, b_k, start, start0, start_row,
                      c, c0, c_row, n_k, n_first, n_vectors, scratch, NONE, NONE,
                      due, due0, due_end)
            due0 = min(due0 + lines_in(due, n_first // TILE_ROWS * n_k), due_end)
            if not direct:
                for i in range(n_first):
                    source = part(scratch, PANEL + i * padded, n)
                    target = part(out, out0 + i * n_out + j, n)
                    for h in range(n):
                        target[h] = source[h]


@kernel
def bias_gradient(dz, n_rows, n_out, out, out0, scratch):
    """out[out0 + h] = sum_n dz[n, h], the product of a row of ones with dz.

    Reads dz. Writes out. May destroy scratch.
    """
    lanes = n_lanes(dz)
    width = TILE_VECTORS * lanes
    dz_flat, ldz = flat(dz), dz.shape[1]
    scratch[PACKED_A] = one(out[0])
    for j in range(0, n_out, width):
        n = min(width, n_out - j)
        n_vectors = (n + lanes - 1) // lanes
        padded = n_vectors * lanes
        for c in range(padded):
            scratch[PANEL + c] = zero(out[0])
        for k in range(0, n_rows, BLOCK_K):
            n_k = min(BLOCK_K, n_rows - k)
            if j + padded <= ldz:
                b, b0, b_k = dz_flat, k * ldz + j, ldz
            else:
                b, b0, b_k = scratch, PACKED_B, padded
                _pack(dz, k, n_k, j, n, padded, scratch, PACKED_B)
            _multiply(scratch, PACKED_A, NONE, NONE, b, b0, b_k, scratch, PANEL, NONE,
                      scratch, PANEL, NONE, n_k, ONE, n_vectors, scratch, NONE, NONE,
                      scratch, NONE, NONE)
        for c in range(n):
            out[out0 + j + c] = scratch[PANEL + c]


@kernel
def _even_block(n_k):
    """The summed index in as few blocks as BLOCK_K allows, all about as long."""
    n_blocks = (n_k + BLOCK_K - 1) // BLOCK_K
    return (n_k + n_blocks - 1) // n_blocks


@kernel
def _copy(source, target, row, row_end, column, column_end):
    n = column_end - column
    for i in range(row, row_end):
        a, b = row_of(source, i, column, n), row_of(target, i, column, n)
        for j in range(n):
            b[j] = a[j]


@kernel
def _pack(b, k, n_k, j, n, padded, scratch, scratch0):
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


@kernel
def _pack_transposed(b, k, n_k, j, n, padded, scratch):
    """Copy the transpose of b[j : j + n, k : k + n_k] to scratch, rows padded with zeros."""
    lanes, nought = n_lanes(b), zero(scratch[0])
    b_flat, ldb = flat(b), b.shape[1]
    whole_j, whole_k = n // lanes * lanes, n_k // lanes * lanes
    for c in range(0, whole_j, lanes):
        for i in range(0, whole_k, lanes):
            transpose_block(b_flat, (j + c) * ldb + k + i, ldb,
                            scratch, PACKED_B + i * padded + c, padded)
    for i in range(n_k):
        target = PACKED_B + i * padded
        for c in range(whole_j if i < whole_k else NONE, n):
            scratch[target + c] = b[j + c, k + i]
        for c in range(n, padded):
            scratch[target + c] = nought


@kernel
def _unpack(scratch, padded, y, r, n_rows, j, n):
    for i in range(n_rows):
        source, target = part(scratch, PANEL + i * padded, n), row_of(y, r + i, j, n)
        for c in range(n):
            target[c] = source[c]


@kernel
def _multiply(
    a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k, n_rows, n_vectors,
    soon, soon0, soon_end, due, due0, due_end,
):
    """C = start + A B for one panel of n_vectors vectors, block of rows by block of rows.

    Meanwhile soon[soon0 : soon_end] is called into the second cache to be read, and
    due[due0 : due_end] to be written, as far as the time allows.
    """
    lines = lines_in(soon, n_k)
    i = 0
    while i + TILE_ROWS <= n_rows:
        if n_vectors == TILE_VECTORS:
            _BLOCK_3(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        elif n_vectors == 2:
            _BLOCK_2(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        else:
            _BLOCK_1(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        i += TILE_ROWS
        a0 += TILE_ROWS * a_row
        start0 += TILE_ROWS * start_row
        c0 += TILE_ROWS * c_row
        soon0 = min(soon0 + lines, soon_end)
        due0 = min(due0 + lines, due_end)
    if i + TILE_ROWS // 2 <= n_rows:
        if n_vectors == TILE_VECTORS:
            _HALF_3(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        elif n_vectors == 2:
            _HALF_2(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        else:
            _HALF_1(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        i += TILE_ROWS // 2
        a0 += TILE_ROWS // 2 * a_row
        start0 += TILE_ROWS // 2 * start_row
        c0 += TILE_ROWS // 2 * c_row
    while i < n_rows:
        if n_vectors == TILE_VECTORS:
            _ROW_3(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        elif n_vectors == 2:
            _ROW_2(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        else:
            _ROW_1(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
                     soon, soon0, due, due0)
        i += 1
        a0 += a_row
        start0 += start_row
        c0 += c_row
