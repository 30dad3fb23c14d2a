"""The three matrix products of a layer on bfloat16 tiles; the same contracts as in ``affine``.

Every operand is rounded and packed once, right after it was computed and while it is still in the
cache, in the two forms that products read: a layer's input by ``prepare_factor``, the gradient at
its product by ``prepare_gradient``, and its updated weight by ``pack_weight_bf16``.

A packed matrix consists of tiles (see ``packing``). The tiles of 16 rows of A, or of 16 columns of
B, lie one after the other in k. Edges are padded with zeros to whole tiles, and k to whole blocks
of two. With two ``parts``, the low parts lie behind the high ones in the same way.
"""

import numpy as np

from ..machine.jit import inner, kernel
from ..machine.links import Block
from ..machine.maths import zero
from ..machine.simd import flat, part, view
from .packing import TILE, pair_tiles, round_row, transpose_tile, turn_tiles
from .tiles import begin_tiles, end_tiles, multiply_tiles

__all__ = [
    "affine_backward_bf16",
    "affine_forward_bf16",
    "pack_weight_bf16",
    "pair_rows",
    "prepare_factor",
    "prepare_gradient",
    "round_rows",
    "turn_rows",
    "weight_gradient_bf16",
]

NONE = np.int64(0)
ROWS = np.int64(16)  # of a tile; a block of C has two
DEPTH = np.int64(32)  # of a tile, in the summed index
BLOCK = np.int64(32)  # rows and columns of C at once
CHUNK_DEPTH = np.int64(32)  # tiles: 256 rows of A, 512 KB, stay in the second cache, and ...
BLOCK_DEPTH = np.int64(8)  # tiles: 32 columns of B, 16 KB, then stay in the first cache

# Parts of a thread's scratch.
EDGE = np.int64(0)  # a block of C at an edge
START = EDGE + BLOCK * BLOCK  # what a row of C starts with


@kernel
def prepare_factor(x, workspace, rounded, turned, size, n_columns, parts, block):
    """Round a block of a layer's input for the products that will read it.

    x (N, >= n_columns) goes to workspace[rounded:] as the forward product reads it, and to
    workspace[turned:] as the gradient of the weight does. ``size`` is the most rows there are.
    The block must begin at multiples of 32, and its ends be such too or the last of x.
    Reads x. Writes workspace, with zeros where tiles reach beyond the block.
    """
    round_rows(x, workspace, rounded, size, n_columns, parts, block)
    turn_rows(workspace, rounded, size, workspace, turned, size, NONE, n_columns, parts, block)


@kernel
def prepare_gradient(dz, workspace, rounded, packed, size, n_columns, parts, block):
    """Round a block of the gradient at a product, as ``prepare_factor`` does for its input.

    dz (N, >= n_columns) goes to workspace[rounded:] as the backward product reads it, and to
    workspace[packed:] as the gradient of the weight does.
    Reads dz. Writes workspace, with zeros where tiles reach beyond the block.
    """
    round_rows(dz, workspace, rounded, size, n_columns, parts, block)
    pair_rows(workspace, rounded, size, workspace, packed, size, NONE, n_columns, parts, block)


@kernel
def pack_weight_bf16(
    theta, start, n_in, n_out, parts, packed, forward, backward, scratch, first, last
):
    """Round and pack rows [first, last) of a weight for both products that read it.

    The weight (D, H) lies in theta from ``start`` on. Its tiles for the forward product go to
    packed[forward:], those for the backward product to packed[backward:] (-1: there is none), all
    tiles in k of 16 columns after each other. ``first`` must be a multiple of 32, and so must
    ``last`` unless it is D. scratch has room for 32 rounded rows.
    Reads theta. Writes packed. May destroy scratch.
    """
    size = (n_in + DEPTH - 1) // DEPTH * DEPTH
    deep, plane = tiles_deep(n_out), matrix_size(n_out, n_in)
    for row in range(first, last, DEPTH):
        n = min(DEPTH, last - row)
        weight = view(theta, start + row * n_out, n, n_out)
        block = Block(NONE, n, NONE, n_out)
        round_rows(weight, scratch, NONE, DEPTH, n_out, parts, block)
        pair_rows(scratch, NONE, DEPTH, packed, forward, size, row, n_out, parts, block)
        if backward < 0:
            continue
        for number in range(parts):
            source = number * matrix_size(DEPTH, n_out)
            target = backward + number * plane
            for i in range(2):
                for t in range(deep):
                    transpose_tile(
                        scratch, source + (i * deep + t) * TILE, packed,
                        target + ((row // ROWS + i) * deep + t) * TILE,
                    )  # fmt: skip


@kernel
def affine_forward_bf16(
    workspace, rounded, size, parts, packed, forward, bias, has_bias, y, n_in, n_out, scratch, block
):
    """``affine.affine_forward``: x is at workspace[rounded:], the weight at packed[forward:].

    The block must begin at multiples of 32; ``size`` is the most rows there are.
    Reads workspace, packed, bias. Writes y in the block. May destroy scratch.
    """
    for j in range(block.column, block.column_end):
        scratch[START + j - block.column] = bias[j] if has_bias else zero(workspace[0])
    _multiply(workspace, rounded, size, parts, packed, forward, n_in, n_out, y, scratch, block)


@kernel
def affine_backward_bf16(
    workspace, rounded, size, parts, packed, backward, dx, n_in, n_out, scratch, block
):
    """``affine.affine_backward``: dz is at workspace[rounded:], the weight at packed[backward:].

    The block must begin at multiples of 32; ``size`` is the most rows there are.
    Reads workspace, packed. Writes dx in the block. May destroy scratch.
    """
    for j in range(block.column_end - block.column):
        scratch[START + j] = zero(workspace[0])
    _multiply(workspace, rounded, size, parts, packed, backward, n_out, n_in, dx, scratch, block)


@kernel
def weight_gradient_bf16(
    workspace, turned, packed, size, n_rows, n_in, n_out, parts, out, out0, scratch, first, last
):
    """``affine.weight_gradient``: x is at workspace[turned:], dz at workspace[packed:].

    ``first`` must be a multiple of 32; ``size`` is the most rows there are.
    Reads workspace. Writes out. May destroy scratch.
    """
    depth, n_t = tiles_deep(size), tiles_deep(n_rows)
    a_plane, b_plane = matrix_size(n_in, size), matrix_size(n_out, size)
    for j in range(BLOCK):
        scratch[START + j] = zero(out[0])
    begin_tiles()
    for t in range(0, n_t, CHUNK_DEPTH):
        n_now = min(CHUNK_DEPTH, n_t - t)
        for j in range(0, n_out, BLOCK):
            for i in range(0, last - first, BLOCK):
                n_i, n_j = min(BLOCK, last - first - i), min(BLOCK, n_out - j)
                place, whole = out0 + i * n_out + j, n_i == BLOCK and n_j == BLOCK
                if whole:
                    c, c0, c_row = out, place, n_out
                else:
                    c, c0, c_row = scratch, EDGE, BLOCK
                if t == 0:
                    start, start0, start_row = scratch, START, NONE
                else:
                    start, start0, start_row = c, c0, c_row
                    if not whole:
                        copy_block(out, place, n_out, scratch, EDGE, BLOCK, n_i, n_j)
                multiply_tiles(
                    workspace, turned + ((first + i) // ROWS * depth + t) * TILE, depth * TILE,
                    a_plane, workspace, packed + (j // ROWS * depth + t) * TILE, depth * TILE,
                    b_plane, start, start0, start_row, c, c0, c_row, n_now, parts,
                )  # fmt: skip
                if not whole:
                    copy_block(scratch, EDGE, BLOCK, out, place, n_out, n_i, n_j)
    end_tiles()


@inner
def round_rows(x, target, place, size, n_columns, parts, block):
    """Round a block of x (size, n_columns) to the tiles of A at target[place:].

    Where its last rows do not make whole blocks of 32, rows of zeros follow.
    """
    row, row_end, column, column_end = block
    x_flat, depth, plane = flat(x), tiles_deep(n_columns), matrix_size(size, n_columns)
    for i in range(row, tiles_deep(row_end) * DEPTH):
        tile = i // ROWS * depth + column // DEPTH
        n = column_end - column if i < row_end else NONE
        start = i * x.shape[1] + column if i < row_end else NONE
        round_row(
            x_flat, start, n, tiles_deep(column_end - column), target,
            place + tile * TILE + i % ROWS * ROWS, plane, parts,
        )  # fmt: skip


@inner
def turn_rows(source, rounded, n_rows, target, turned, size, first, n_columns, parts, block):
    """Write a rounded block, of a matrix with n_rows rows, as the gradient's left factor.

    The matrix is rows [first, first + n_rows) of one with ``size`` rows.
    """
    deep, depth, t0 = tiles_deep(n_columns), tiles_deep(size), first // DEPTH
    a_plane, b_plane = matrix_size(n_rows, n_columns), matrix_size(n_columns, size)
    for number in range(parts):
        a, b = rounded + number * a_plane, turned + number * b_plane
        for t in range(block.row // DEPTH, tiles_deep(block.row_end)):
            for c in range(block.column // DEPTH, tiles_deep(block.column_end)):
                turn_tiles(
                    source, a + (2 * t * deep + c) * TILE, deep * TILE, target,
                    b + (2 * c * depth + t0 + t) * TILE, depth * TILE,
                )  # fmt: skip


@inner
def pair_rows(source, rounded, n_rows, target, packed, size, first, n_columns, parts, block):
    """Write a rounded block as the right factor of a product, like `turn_rows`."""
    deep, depth, t0 = tiles_deep(n_columns), tiles_deep(size), first // DEPTH
    a_plane, b_plane = matrix_size(n_rows, n_columns), matrix_size(n_columns, size)
    for number in range(parts):
        a, b = rounded + number * a_plane, packed + number * b_plane
        for t in range(block.row // DEPTH, tiles_deep(block.row_end)):
            for c in range(block.column // DEPTH, tiles_deep(block.column_end)):
                pair_tiles(
                    source, a + (2 * t * deep + c) * TILE, deep * TILE, target,
                    b + (2 * c * depth + t0 + t) * TILE, depth * TILE,
                )  # fmt: skip


@inner
def tiles_deep(n):
    """How many tiles n numbers of the summed index take."""
    return (n + DEPTH - 1) // DEPTH


@inner
def matrix_size(n, m):
    """How many elements the tiles of a matrix take, either way up."""
    return tiles_deep(n) * tiles_deep(m) * 2 * TILE


@inner
def _multiply(workspace, a0, size, parts, packed, b0, n_k, n_columns, c, scratch, block):
    """A block of C = start + A B, where start is a row of numbers in scratch.

    A (size, n_k) is at workspace[a0:], B (n_k, n_columns) at packed[b0:].
    """
    row, row_end, column, column_end = block
    c_flat, ldc, depth = flat(c), c.shape[1], tiles_deep(n_k)
    a_plane, b_plane = matrix_size(size, n_k), matrix_size(n_k, n_columns)
    begin_tiles()
    for chunk in range(0, depth, CHUNK_DEPTH):
        for j in range(column, column_end, BLOCK):
            for t in range(chunk, min(depth, chunk + CHUNK_DEPTH), BLOCK_DEPTH):
                n_t = min(BLOCK_DEPTH, depth - t)
                b_tiles = b0 + (j // ROWS * depth + t) * TILE
                for i in range(row, row_end, BLOCK):
                    n_i, n_j = min(BLOCK, row_end - i), min(BLOCK, column_end - j)
                    whole = n_i == BLOCK and n_j == BLOCK
                    if whole:
                        place, c0, c_row = c_flat, i * ldc + j, ldc
                    else:
                        place, c0, c_row = scratch, EDGE, BLOCK
                    if t == 0:
                        start, start0, start_row = scratch, START + j - column, NONE
                    else:
                        start, start0, start_row = place, c0, c_row
                        if not whole:
                            copy_block(c_flat, i * ldc + j, ldc, scratch, EDGE, BLOCK, n_i, n_j)
                    multiply_tiles(
                        workspace, a0 + (i // ROWS * depth + t) * TILE, depth * TILE, a_plane,
                        packed, b_tiles, depth * TILE, b_plane, start, start0, start_row, place, c0,
                        c_row, n_t, parts,
                    )  # fmt: skip
                    if not whole:
                        copy_block(scratch, EDGE, BLOCK, c_flat, i * ldc + j, ldc, n_i, n_j)
    end_tiles()


@inner
def copy_block(source, source0, source_row, target, target0, target_row, n_rows, n_columns):
    """Copy a few rows and columns between flat arrays."""
    for r in range(n_rows):
        a = part(source, source0 + r * source_row, n_columns)
        b = part(target, target0 + r * target_row, n_columns)
        for h in range(n_columns):
            b[h] = a[h]
