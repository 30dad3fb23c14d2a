"""The three matrix products of a layer on bfloat16 tiles; the same contracts as in ``affine``.

Operands that lie along the summed index, x for the forward and dz for the backward product, are
rounded once, by ``round_block``, right after they were computed. Weights are rounded and packed as
they are read, a block at a time that stays in the second cache; each thread packs what it needs.

A rounded matrix has its rows as bfloat16, so twice as many in a row of float32 elements; its low
parts (``parts`` 2) lie ``plane`` elements behind it. Its rows are padded with zeros to whole tiles,
and memory for whole tiles of rows must be there.
"""

import numpy as np

from .affine import SCRATCH, finish, unfinish
from .bf16 import (
    TILE,
    begin_tiles,
    end_tiles,
    multiply_tiles,
    pack_columns_tile,
    pack_pairs_tile,
    pack_rows_tile,
    round_row,
)
from .jit import inner, kernel
from .maths import zero
from .simd import flat, part, row_of

__all__ = [
    "affine_backward_bf16",
    "affine_forward_bf16",
    "pack_gradient_bf16",
    "round_block",
    "weight_gradient_bf16",
]

NONE, ONE = np.int64(0), np.int64(1)
ROWS = np.int64(16)  # of a tile; a block of C has two
DEPTH = np.int64(32)  # of a tile, in the summed index
BLOCK = np.int64(32)  # rows and columns of C at once
BLOCK_K = np.int64(256)
BLOCK_COLUMNS = np.int64(512)

# Parts of a thread's scratch, as far as that of the float32 products reaches.
EDGE = np.int64(0)  # a block of C at an edge
PACKED = EDGE + BLOCK * BLOCK
assert PACKED + BLOCK_K * BLOCK_COLUMNS <= SCRATCH * 4


@kernel
def round_block(x, rounded, plane, parts, row, row_end, column, column_end):
    """rounded[i, j] = bfloat16(x[i, j]) in a block; ``column`` must be a multiple of 32.

    Reads x. Writes rounded, with zeros up to the next multiple of 32 columns.
    """
    x_flat, target = flat(x), flat(rounded)
    for i in range(row, row_end):
        source, place = i * x.shape[1] + column, i * rounded.shape[1] + column // 2
        round_row(x_flat, source, column_end - column, target, place, plane, parts)


@kernel
def affine_forward_bf16(
    x, plane, parts, weight, bias, has_bias, code, alpha, p, key, keep, saved, y, n_in, scratch,
    row, row_end, column, column_end,
):  # fmt: skip
    """``affine.affine_forward`` on a rounded x; ``row`` and ``column`` must be multiples of 32.

    Reads x, weight, bias. Writes y, saved in the block. May destroy scratch.
    """
    w_flat, ldw = flat(weight), weight.shape[1]
    for i in range(row, row_end):
        target = row_of(y, i, column, column_end - column)
        if has_bias:
            source = part(bias, column, column_end - column)
            for j in range(column_end - column):
                target[j] = source[j]
        else:
            for j in range(column_end - column):
                target[j] = zero(alpha)
    begin_tiles()
    for first in range(column, column_end, BLOCK_COLUMNS):
        last = min(column_end, first + BLOCK_COLUMNS)
        n_tiles_j = 2 * ((last - first + BLOCK - 1) // BLOCK)
        for k in range(0, n_in, BLOCK_K):
            n_k = min(BLOCK_K, n_in - k)
            n_tiles_k = (n_k + DEPTH - 1) // DEPTH
            b_plane = n_tiles_j * n_tiles_k * TILE
            for t in range(n_tiles_k):
                left_k = n_k - t * DEPTH
                for j in range(n_tiles_j):
                    source = (k + t * DEPTH) * ldw + first + j * ROWS
                    pack_rows_tile(
                        w_flat, source, ldw, left_k, last - first - j * ROWS, scratch,
                        PACKED + (j * n_tiles_k + t) * TILE, b_plane, parts,
                    )  # fmt: skip
            _multiply_block(x, k // 2, plane, parts, scratch, b_plane, n_tiles_k, y, row, row_end,
                            first, last)  # fmt: skip
    end_tiles()
    finish(code, alpha, p, key, keep, saved, y, row, row_end, column, column_end)


@kernel
def affine_backward_bf16(
    dz, plane, parts, weight, code, alpha, p, key, saved, dx, n_out, scratch, row, row_end, column,
    column_end,
):  # fmt: skip
    """``affine.affine_backward`` on a rounded dz; ``row`` and ``column`` multiples of 32.

    Reads dz, weight, saved. Writes dx in the block. May destroy scratch.
    """
    w_flat, ldw = flat(weight), weight.shape[1]
    for i in range(row, row_end):
        target = row_of(dx, i, column, column_end - column)
        for j in range(column_end - column):
            target[j] = zero(alpha)
    begin_tiles()
    for first in range(column, column_end, BLOCK_COLUMNS):
        last = min(column_end, first + BLOCK_COLUMNS)
        n_tiles_j = 2 * ((last - first + BLOCK - 1) // BLOCK)
        for k in range(0, n_out, BLOCK_K):
            n_k = min(BLOCK_K, n_out - k)
            n_tiles_k = (n_k + DEPTH - 1) // DEPTH
            b_plane = n_tiles_j * n_tiles_k * TILE
            for j in range(n_tiles_j):
                left_j = last - first - j * ROWS
                for t in range(n_tiles_k):
                    source = (first + j * ROWS) * ldw + k + t * DEPTH
                    pack_pairs_tile(
                        w_flat, source, ldw, left_j, n_k - t * DEPTH, scratch,
                        PACKED + (j * n_tiles_k + t) * TILE, b_plane, parts,
                    )  # fmt: skip
            _multiply_block(dz, k // 2, plane, parts, scratch, b_plane, n_tiles_k, dx, row, row_end,
                            first, last)  # fmt: skip
    end_tiles()
    unfinish(code, alpha, p, key, saved, dx, row, row_end, column, column_end)


@kernel
def pack_gradient_bf16(dz, n_rows, n_out, parts, scratch, packed):
    """Pack dz for ``weight_gradient_bf16`` to scratch[packed:], once for all pieces of a layer.

    Reads dz. Writes scratch.
    """
    dz_flat, ldz = flat(dz), dz.shape[1]
    n_tiles_j = 2 * ((n_out + BLOCK - 1) // BLOCK)
    n_tiles_k = (n_rows + DEPTH - 1) // DEPTH
    for t in range(n_tiles_k):
        for j in range(n_tiles_j):
            pack_rows_tile(
                dz_flat, t * DEPTH * ldz + j * ROWS, ldz, n_rows - t * DEPTH, n_out - j * ROWS,
                scratch, packed + (j * n_tiles_k + t) * TILE, n_tiles_j * n_tiles_k * TILE, parts,
            )  # fmt: skip


@kernel
def weight_gradient_bf16(
    x, n_rows, n_out, parts, out, out0, scratch, packed, first, last, theta, state1, state2, place,
):  # fmt: skip
    """``affine.weight_gradient`` with dz as ``pack_gradient_bf16`` left it in scratch[packed:].

    x is the float32 matrix; its strip is rounded and packed here, by the one piece that needs it.
    Reads x. Writes out. May destroy scratch before ``packed``.
    """
    x_flat, ldx = flat(x), x.shape[1]
    n_first = last - first
    n_tiles_j = 2 * ((n_out + BLOCK - 1) // BLOCK)
    n_tiles_i = 2 * ((n_first + BLOCK - 1) // BLOCK)
    n_tiles_k = (n_rows + DEPTH - 1) // DEPTH
    a_plane, b_plane = n_tiles_i * n_tiles_k * TILE, n_tiles_j * n_tiles_k * TILE
    for t in range(n_tiles_k):
        for i in range(n_tiles_i):
            pack_columns_tile(
                x_flat, t * DEPTH * ldx + first + i * ROWS, ldx, n_rows - t * DEPTH,
                n_first - i * ROWS, scratch, PACKED + (i * n_tiles_k + t) * TILE, a_plane, parts,
            )  # fmt: skip
    n_lines = (n_first * n_out + 15) // 16
    n_blocks = (n_tiles_i // 2) * (n_tiles_j // 2)
    share = 16 * ((3 * n_lines + n_blocks - 1) // n_blocks)
    begin_tiles()
    block = NONE
    for i in range(0, n_first, BLOCK):
        for j in range(0, n_out, BLOCK):
            n_i, n_j = min(BLOCK, n_first - i), min(BLOCK, n_out - j)
            whole = n_i == BLOCK and n_j == BLOCK
            if whole:
                c, c0, c_row = out, out0 + i * n_out + j, n_out
            else:
                c, c0, c_row = scratch, EDGE, BLOCK
            # one array after the other of what the optimizer needs next
            soon = block * share
            array = soon // (16 * n_lines)
            due = theta if array == 0 else (state1 if array == 1 else state2)
            due0 = min(place + soon - array * 16 * n_lines, due.size)
            multiply_tiles(
                scratch, PACKED + i // ROWS * n_tiles_k * TILE, ROWS, n_tiles_k * TILE, TILE,
                a_plane, scratch, packed + j // ROWS * n_tiles_k * TILE, n_tiles_k * TILE, b_plane,
                c, c0, c_row, n_tiles_k, parts, False, due, due0,
            )  # fmt: skip
            block += ONE
            if not whole:
                for r in range(n_i):
                    source = part(scratch, EDGE + r * BLOCK, n_j)
                    target = part(out, out0 + (i + r) * n_out + j, n_j)
                    for h in range(n_j):
                        target[h] = source[h]
    end_tiles()


@inner
def _multiply_block(
    a, a0, plane, parts, scratch, b_plane, n_tiles_k, c, row, row_end, first, last
):  # fmt: skip
    """c += a B in a block, B packed in scratch; edges by way of scratch."""
    a_flat, c_flat, lda, ldc = flat(a), flat(c), a.shape[1], c.shape[1]
    for j in range(first, last, BLOCK):
        b0 = PACKED + (j - first) // ROWS * n_tiles_k * TILE
        for i in range(row, row_end, BLOCK):
            n_i, n_j = min(BLOCK, row_end - i), min(BLOCK, last - j)
            whole = n_i == BLOCK and n_j == BLOCK
            if whole:
                place, c0, c_row = c_flat, i * ldc + j, ldc
            else:
                place, c0, c_row = scratch, EDGE, BLOCK
                for r in range(n_i):
                    source, target = row_of(c, i + r, j, n_j), part(scratch, EDGE + r * BLOCK, n_j)
                    for h in range(n_j):
                        target[h] = source[h]
            multiply_tiles(
                a_flat, i * lda + a0, lda, ROWS * lda, ROWS, plane, scratch, b0, n_tiles_k * TILE,
                b_plane, place, c0, c_row, n_tiles_k, parts, True, scratch, EDGE,
            )  # fmt: skip
            if not whole:
                for r in range(n_i):
                    source, target = part(scratch, EDGE + r * BLOCK, n_j), row_of(c, i + r, j, n_j)
                    for h in range(n_j):
                        target[h] = source[h]
