"""The three matrix products of a fully connected layer.

    forward    Y = X W + b       (N, D) (D, H) -> (N, H)
    backward   dX = dZ W'        (N, H) (H, D) -> (N, D)
    gradient   dW = X' dZ        (D, N) (N, H) -> (D, H)

All three walk over blocks of C that stay in registers, panel by panel (``panels``), inside blocks
of the summed index. Each element of C is one chain of multiply-adds in the order of the summed
index, whatever the blocking. It is several, added in pairs, only where a layer has a few outputs
(`affine_forward`) or a batch a single row (`affine_backward`).

Matrices may be wider than they are used: a row has ``shape[1]`` elements, of which the first few
count. What lies beyond is never read into a result.
"""

from ..machine.jit import inner, kernel
from ..machine.maths import zero
from ..machine.simd import flat, lines_in, n_lanes
from .blocks import LINES_AHEAD, dot_rows
from .panels import (
    BLOCK_COLUMNS,
    BLOCK_ROWS,
    FEW_ELEMENTS,
    FEW_ROWS,
    NARROW,
    NONE,
    ONE,
    PACKED_A,
    PACKED_B,
    SCRATCH,
    START,
    TILE_ROWS,
    TILE_VECTORS,
    Ahead,
    Strided,
    a_bytes,
    block_of_k,
    deep_blocks,
    deep_micro_blocks,
    even_block,
    multiply_and_pack,
    multiply_long_row,
    multiply_panel,
    pack,
    pack_micro_panels,
    pack_transposed,
    panel_width,
    size_ahead,
    steps_between,
)

__all__ = [
    "BLOCK_COLUMNS",
    "BLOCK_ROWS",
    "NARROW",
    "SCRATCH",
    "affine_backward",
    "affine_forward",
    "weight_gradient",
]

FEW_OUTPUTS = 4  # with so few, most of a vector of outputs would be empty


@kernel
def affine_forward(x, weight, bias, has_bias, y, n_in, scratch, block):
    """y[i, j] = sum_k x[i, k] weight[k, j] + bias[j] in a block of rows and columns.

    x (N, >= D); weight (D, H); bias (H,), read where ``has_bias``; y (N, >= H); scratch of SCRATCH
    elements, which no other thread uses. A block has whole vectors of columns, or ends at the last.
    Reads x, weight, bias. Writes y in the block. May destroy y beyond the last column, scratch.
    """
    row, row_end, column, column_end = block
    lanes = n_lanes(x)
    x_flat, w_flat, y_flat = flat(x), flat(weight), flat(y)
    ldx, ldw, ldy = x.shape[1], weight.shape[1], y.shape[1]
    block_k, limit = even_block(n_in), size_ahead(w_flat)
    is_narrow = ldw <= FEW_OUTPUTS and n_in >= 4 * lanes and n_in * ldw <= START
    if is_narrow and column_end - column == ldw:
        _few_outputs(x, weight, bias, has_bias, y, n_in, scratch, row, row_end)
        return
    if not has_bias:
        _fill_start(scratch, lanes)
    if row_end - row == 1:
        column = _one_row(
            x_flat, row * ldx, w_flat, ldw, bias, has_bias, y_flat, row * ldy, n_in, scratch,
            column, column_end,
        )  # fmt: skip
    for r in range(row, row_end, BLOCK_ROWS):
        n_rows = min(BLOCK_ROWS, row_end - r)
        in_place = n_rows <= FEW_ROWS or n_in * ldw <= FEW_ELEMENTS
        is_far = n_rows * n_in > 8 * FEW_ELEMENTS
        deep = deep_blocks(n_rows, n_in, block_k, a_bytes() // 2, lanes)
        every = steps_between(ONE, ONE, n_rows)  # one call for each row of the next block
        for k0 in range(0, n_in, deep):
            k_end = min(n_in, k0 + deep)
            j = column
            while j < column_end:
                n = panel_width(column_end - j, lanes)
                n_vectors = (n + lanes - 1) // lanes
                padded = n_vectors * lanes
                for k in range(k0, k_end, block_k):
                    n_k, left = min(block_k, k_end - k), n_rows
                    b = Strided(w_flat, k * ldw + j, NONE, ldw)
                    a = Strided(x_flat, r * ldx + k, ldx, ONE)
                    c = Strided(y_flat, r * ldy + j, ldy, ONE)
                    if k > 0:
                        start = c
                    elif has_bias:
                        start = Strided(bias, j, NONE, ONE)
                    else:
                        start = Strided(scratch, START, NONE, ONE)
                    if k + n_k < k_end:
                        soon = (k + n_k) * ldw + j
                    else:
                        soon = k0 * ldw + j + n if j + n < column_end else k_end * ldw + column
                    # the first panel that reads a part of a large x prefetches the next one
                    is_last = j + n >= column_end and k + n_k == k_end
                    is_new = k_end < n_in if is_last else j == column and k + n_k < k_end
                    ahead = Ahead(
                        w_flat, soon, ldw, min(soon + n_k * ldw, limit), every, False,
                        n_k if is_new and is_far else NONE, NONE,
                    )  # fmt: skip
                    n_last = n - padded + lanes
                    if not in_place or n < padded:
                        if n == TILE_VECTORS * lanes and n_rows >= TILE_ROWS:
                            a, start, c, ahead = multiply_and_pack(
                                a, b, start, c, ahead, n_k, scratch
                            )
                            left -= TILE_ROWS
                        else:
                            pack(weight, k, n_k, j, n, padded, scratch, PACKED_B)
                        b = Strided(scratch, PACKED_B, NONE, padded)
                    multiply_panel(a, NONE, b, start, c, ahead, n_k, left, n_vectors, n_last)
                j += n


@kernel
def affine_backward(dz, weight, dx, n_out, scratch, block):
    """dx[i, j] = sum_k dz[i, k] weight[j, k] in a block of rows and columns.

    dz (N, >= H); weight (D, H); dx (N, >= D). A block has whole vectors of columns, or
    ends at the last.
    Reads dz, weight. Writes dx in the block. May destroy dx beyond the last column, scratch.
    """
    row, row_end, column, column_end = block
    lanes = n_lanes(dz)
    dz_flat, w_flat, dx_flat = flat(dz), flat(weight), flat(dx)
    ldz, ldw, ldx = dz.shape[1], weight.shape[1], dx.shape[1]
    if dz.shape[0] == 1:  # of the whole batch, not of this thread: bits do not depend on that
        for j in range(column, column_end, lanes):
            dot_rows(
                w_flat, j * ldw, ldw, dz_flat, NONE, n_out, dx_flat, j, min(lanes, column_end - j)
            )
        return
    block_k, line = even_block(n_out), lines_in(weight, LINES_AHEAD)
    limit = min(column_end * ldw, size_ahead(w_flat))
    _fill_start(scratch, lanes)
    for r in range(row, row_end, BLOCK_ROWS):
        n_rows = min(BLOCK_ROWS, row_end - r)
        deep = deep_blocks(n_rows, n_out, block_k, a_bytes(), lanes)
        every = steps_between(TILE_VECTORS * lanes, line, n_rows)
        for k0 in range(0, n_out, deep):
            k_end = min(n_out, k0 + deep)
            j = column
            while j < column_end:
                n = panel_width(column_end - j, lanes)
                n_vectors = (n + lanes - 1) // lanes
                padded = n_vectors * lanes
                for k in range(k0, k_end, block_k):
                    n_k = min(block_k, k_end - k)
                    pack_transposed(weight, k, n_k, j, n, padded, scratch)
                    a = Strided(dz_flat, r * ldz + k, ldz, ONE)
                    b = Strided(scratch, PACKED_B, NONE, padded)
                    c = Strided(dx_flat, r * ldx + j, ldx, ONE)
                    start = c if k > 0 else Strided(scratch, START, NONE, ONE)
                    soon = (j + n) * ldw + k * n  # the next panel's rows lie in one stretch
                    ahead = Ahead(
                        w_flat, soon, line, min(soon + n_k * n, limit), every, False, NONE, NONE
                    )
                    n_last = n - padded + lanes
                    multiply_panel(a, NONE, b, start, c, ahead, n_k, n_rows, n_vectors, n_last)
                j += n


@kernel
def weight_gradient(
    x, dz, n_rows, n_out, out, out0, scratch, first, last, kept, is_kept, theta, state1, state2,
    place,
):  # fmt: skip
    """out[d - first, h] = sum_n x[n, d] dz[n, h] for the inputs d in [first, last).

    x (N, >= D); dz (N, >= H); the rows of the gradient go to the flat array ``out`` from ``out0``
    on, without gaps, as they lie in the parameters. At most BLOCK_ROWS inputs at a time. Unless
    ``kept`` is negative, dz is packed to scratch[kept:] as a whole, where ``is_kept`` tells that it
    was packed by the call before. Meanwhile what the optimizer will need next is prefetched into
    the second cache: theta, state1 and state2 from ``place`` on, nothing if they end there.
    Reads x, dz. Writes out. May destroy scratch.
    """
    lanes = n_lanes(x)
    width = TILE_VECTORS * lanes
    x_flat, dz_flat = flat(x), flat(dz)
    ldx, ldz = x.shape[1], dz.shape[1]
    n_first, block_k = last - first, even_block(n_rows)
    if n_out <= FEW_OUTPUTS:
        _turned_gradient(x, dz, n_rows, n_out, out, out0, scratch, first, n_first)
        return
    _fill_start(scratch, lanes)
    # Rows of x lie far apart: bring what a block reads of them together, where it is often read.
    micro = n_first > 2 * TILE_ROWS and ldx > NARROW and n_out > 2 * width
    deep = block_k * deep_micro_blocks(n_first, block_k) if micro else block_k
    step = lines_in(theta, LINES_AHEAD)
    due, due0, due_end, stage = theta, place, place, NONE
    every = ONE
    if place < theta.size:
        n_steps = min(n_rows, deep) * (n_out // width)
        every = steps_between(3 * n_first * n_out // step, n_steps, n_first)
    for k0 in range(0, n_rows, deep):
        k_end = min(n_rows, k0 + deep)
        if micro:
            pack_micro_panels(x, k0, k_end - k0, first, n_first, scratch, PACKED_A)
        j, packed = NONE, kept
        while j < n_out:
            n = panel_width(n_out - j, lanes)
            n_vectors = (n + lanes - 1) // lanes
            if kept >= 0 and n == width - lanes:  # micro-panels of x are for the widest block
                n_vectors = TILE_VECTORS
            padded = n_vectors * lanes
            near = n_first <= FEW_ROWS or n_rows <= NARROW or ldz <= 8 * NARROW
            if k_end == n_rows and 3 * j >= stage * n_out:  # one array after the other
                due = theta if stage == 0 else (state1 if stage == 1 else state2)
                due0 = min(place, due.size)
                due_end = min(place + n_first * n_out, due.size)
                stage += 1
            for k in range(k0, k_end, block_k):
                n_k = min(block_k, k_end - k)
                if kept < 0 and near and j + padded <= ldz:  # far apart, rows would fall into few
                    b = Strided(dz_flat, k * ldz + j, NONE, ldz)  # sets of a cache
                else:
                    b = Strided(
                        scratch, PACKED_B if kept < 0 else packed + k * padded, NONE, padded
                    )
                    if not is_kept:
                        pack(dz, k, n_k, j, n, padded, scratch, b.first)
                if micro and n_vectors == TILE_VECTORS:
                    a = Strided(scratch, PACKED_A + (k - k0) * TILE_ROWS, ONE, TILE_ROWS)
                    a_gap = TILE_ROWS * (k_end - k0 - 1)
                else:
                    a, a_gap = Strided(x_flat, k * ldx + first, ONE, ldx), NONE
                c = Strided(out, out0 + j, n_out, ONE)
                start = c if k > 0 else Strided(scratch, START, NONE, ONE)
                ahead = Ahead(
                    due, due0, step, due_end, every, True, NONE, n_k * padded if kept >= 0 else NONE
                )
                n_last = n - padded + lanes
                multiply_panel(a, a_gap, b, start, c, ahead, n_k, n_first, n_vectors, n_last)
                if due0 < due_end:
                    due0 = min(due0 + n_first // TILE_ROWS * -(-n_k // every) * step, due_end)
            j += n
            packed += padded * n_rows


@inner
def _fill_start(scratch, lanes):
    """Let a panel start from zeros."""
    for c in range(TILE_VECTORS * lanes):
        scratch[START + c] = zero(scratch[0])


@inner
def _one_row(
    x, x0, weight, ldw, bias, has_bias, y, y0, n_in, scratch, column, column_end
):  # fmt: skip
    """The product for one row, eight vectors of columns at a time; return where it stopped.

    Each stretch of the weight is read once, in place: reading it is all that this costs.
    """
    lanes = n_lanes(x)
    width, start, start0 = 8 * lanes, scratch, START
    for j in range(width):
        scratch[START + j] = zero(x[0])
    while column + width <= column_end:
        if has_bias:
            start, start0 = bias, column
        multiply_long_row(
            x, x0, NONE, ONE, weight, column, ldw, start, start0, NONE, y, y0 + column, NONE, n_in,
            NONE, lanes, n_in, scratch, NONE, NONE, False, scratch, NONE,
        )  # fmt: skip
        column += width
    return column


@inner
def _few_outputs(x, weight, bias, has_bias, y, n_in, scratch, row, row_end):
    """The product for a few outputs: vectors of inputs instead of nearly empty ones of outputs.

    The weight is transposed to where panels are packed.
    """
    lanes, n_out = n_lanes(x), weight.shape[1]
    x_flat, w_flat, y_flat, columns, columns0 = flat(x), flat(weight), flat(y), flat(weight), NONE
    if n_out > 1:
        columns, columns0 = scratch, PACKED_B
        for h in range(n_out):
            for k in range(n_in):
                scratch[PACKED_B + h * n_in + k] = w_flat[k * n_out + h]
    for r in range(row, row_end, lanes):
        n = min(lanes, row_end - r)
        for h in range(n_out):
            dot_rows(
                x_flat, r * x.shape[1], x.shape[1], columns, columns0 + h * n_in, n_in, scratch,
                START, n,
            )  # fmt: skip
            add = bias[h] if has_bias else zero(x[0, 0])
            for i in range(n):
                y_flat[(r + i) * y.shape[1] + h] = scratch[START + i] + add


@inner
def _turned_gradient(x, dz, n_rows, n_out, out, out0, scratch, first, n_first):
    """The gradient of a few outputs, computed as dZ' X and then transposed."""
    dz_turned = Strided(flat(dz), NONE, ONE, dz.shape[1])
    turned = Strided(scratch, PACKED_A, n_first, ONE)
    target = Strided(out, out0, NONE, ONE) if n_out == 1 else turned
    _rows_times_matrix(dz_turned, n_out, x, first, n_first, n_rows, target, scratch)
    if n_out > 1:
        for d in range(n_first):
            for h in range(n_out):
                out[out0 + d * n_out + h] = scratch[turned.first + h * n_first + d]


@inner
def _rows_times_matrix(a, n, b, column, n_columns, n_k, c, scratch):
    """C[i, j] = sum_k A[i, k] b[k, column + j] for the n rows of A and j in [0, n_columns).

    A and C are `Strided`.
    """
    lanes, b_flat, ldb = n_lanes(b), flat(b), b.shape[1]
    for i in range(8 * lanes):
        scratch[START + i] = zero(scratch[0])
    j = NONE
    while n == 1 and j + 8 * lanes <= n_columns:
        multiply_long_row(
            a.array, a.first, NONE, a.k, b_flat, column + j, ldb, scratch, START, NONE, c.array,
            c.first + j, NONE, n_k, NONE, lanes, n_k, scratch, NONE, NONE, False,
            scratch, NONE,
        )  # fmt: skip
        j += 8 * lanes
    longest = block_of_k()
    while j < n_columns:
        width = panel_width(n_columns - j, lanes)
        n_vectors = (width + lanes - 1) // lanes
        padded = n_vectors * lanes
        for k in range(0, n_k, longest):
            n_now = min(longest, n_k - k)
            if column + j + padded <= ldb:
                panel = Strided(b_flat, k * ldb + column + j, NONE, ldb)
            else:
                pack(b, k, n_now, column + j, width, padded, scratch, PACKED_B)
                panel = Strided(scratch, PACKED_B, NONE, padded)
            rows = Strided(a.array, a.first + k * a.k, a.row, a.k)
            target = Strided(c.array, c.first + j, c.row, ONE)
            start = target if k > 0 else Strided(scratch, START, NONE, ONE)
            ahead = Ahead(scratch, NONE, NONE, NONE, ONE, False, NONE, NONE)
            n_last = width - padded + lanes
            multiply_panel(rows, NONE, panel, start, target, ahead, n_now, n, n_vectors, n_last)
        j += width
