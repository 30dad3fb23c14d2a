"""Minibatch gather: pick rows, convert them and standardise them in one pass."""

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .jit import kernel
from .opcodes import FLOAT32, UINT8
from .simd import part, row_of

__all__ = ["gather_rows"]

NONE = np.int64(0)


@kernel
def gather_rows(raw, code, order, first, shift, scale, standardise, out, row, row_end, n_columns):
    """out[i, j] = (X[order[first + i], j] - shift[j]) * scale[j] for rows [row, row_end).

    ``raw`` holds the bytes of X, a row-major matrix of n_columns columns whose type ``code`` names
    (UINT8, FLOAT32, FLOAT64); it is never copied or converted as a whole. An empty ``order``
    stands for the rows as they lie. Without ``standardise``,
    out = X and shift and scale are not read.
    Reads raw, order, shift, scale. Writes out. May destroy nothing else.
    """
    item_size = 1 if code == UINT8 else (4 if code == FLOAT32 else 8)
    for i in range(row, row_end):
        start = (order[first + i] if order.size > 0 else first + i) * n_columns
        target = row_of(out, i, NONE, n_columns)
        source = part(raw, start * item_size, n_columns * item_size)
        if code == UINT8:
            for j in range(n_columns):
                target[j] = source[j]
        elif code == FLOAT32:
            for j in range(n_columns):
                target[j] = _load(source, j, types.float32)
        else:
            for j in range(n_columns):
                target[j] = _load(source, j, types.float64)
        if standardise:
            for j in range(n_columns):
                target[j] = (target[j] - shift[j]) * scale[j]


@intrinsic
def _load(typingctx, raw, index, dtype):
    """``_load(raw, index, dtype)``: element ``index`` of the bytes in raw, read as dtype."""

    def emit(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer_type = context.get_data_type(dtype.dtype).as_pointer()
        pointer = builder.gep(builder.bitcast(array.data, pointer_type), [arguments[1]])
        return builder.load(pointer, align=1)

    return dtype.dtype(raw, types.int64, dtype), emit
