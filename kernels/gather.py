"""Minibatch gather: pick rows, convert them and standardise them in one pass."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .jit import kernel
from .opcodes import FLOAT32, UINT8
from .simd import broadcast, data_pointer, full_vector, masked_load, masked_store, vector_type

__all__ = ["gather_rows"]


@kernel
def gather_rows(raw, code, order, first, shift, scale, standardise, out, row, row_end, n_columns):
    """out[i, j] = (X[order[first + i], j] - shift[j]) * scale[j] for rows [row, row_end).

    ``raw`` holds the bytes of X, a row-major matrix of n_columns columns whose type ``code`` names
    (UINT8, FLOAT32, FLOAT64); it is never copied or converted as a whole. An empty ``order``
    stands for the rows as they lie. Without ``standardise``, out = X and shift and scale are not
    read.
    Reads raw, order, shift, scale. Writes out. May destroy nothing else.
    """
    n_items = n_columns
    if order.size == 0 and out.shape[1] == n_columns and not standardise:
        n_items, row_end = (row_end - row) * n_columns, min(row + 1, row_end)  # all in one stretch
    for i in range(row, row_end):
        source = (order[first + i] if order.size > 0 else first + i) * n_columns
        target = i * out.shape[1]
        if code == UINT8:
            _convert(raw, types.uint8, source, out, target, n_items, shift, scale, standardise)
        elif code == FLOAT32:
            _convert(raw, types.float32, source, out, target, n_items, shift, scale, standardise)
        else:
            _convert(raw, types.float64, source, out, target, n_items, shift, scale, standardise)


@intrinsic
def _convert(typingctx, raw, dtype, start, out, out0, size, shift, scale, standardise):
    """Convert ``size`` elements of type ``dtype`` from raw[start] on to out[out0] on.

    A vector at a time, the last one under a mask, so that short rows cost little.
    """

    def emit(context, builder, signature, arguments):
        source_type = context.get_data_type(dtype.dtype)
        vector = vector_type(context, out.dtype)
        lanes = full_vector(vector.count, range(vector.count))
        source = builder.bitcast(data_pointer(context, builder, signature, arguments, 0),
                                 source_type.as_pointer())  # fmt: skip
        source = builder.gep(source, [arguments[2]])
        target = builder.gep(
            data_pointer(context, builder, signature, arguments, 3), [arguments[4]]
        )
        shift, scale = (data_pointer(context, builder, signature, arguments, i) for i in (6, 7))
        size = arguments[5]
        n_vectors = builder.sdiv(
            builder.add(size, size.type(vector.count - 1)), size.type(vector.count)
        )
        with cgutils.for_range(builder, n_vectors, intp=size.type) as loop:
            place = builder.mul(loop.index, size.type(vector.count))
            left = builder.trunc(builder.sub(size, place), ir.IntType(32))
            mask = builder.icmp_signed("<", lanes, broadcast(builder, left, lanes.type))
            x = masked_load(builder, builder.gep(source, [place]), mask)
            x = _as_vector(builder, x, vector)
            result = cgutils.alloca_once_value(builder, x)
            with builder.if_then(arguments[8]):
                x = builder.fsub(x, masked_load(builder, builder.gep(shift, [place]), mask))
                x = builder.fmul(x, masked_load(builder, builder.gep(scale, [place]), mask))
                builder.store(x, result)
            masked_store(builder, builder.load(result), builder.gep(target, [place]), mask)
        return context.get_dummy_value()

    where = (raw, dtype, types.int64, out, types.int64, types.int64, shift, scale, types.boolean)
    return types.void(*where), emit


def _as_vector(builder, x, vector):
    """Convert the elements of x to those of a type of vectors."""
    if isinstance(x.type.element, ir.IntType):
        return builder.uitofp(x, vector)
    if x.type.element == vector.element:
        return x
    narrows = vector.element == ir.FloatType()
    return builder.fptrunc(x, vector) if narrows else builder.fpext(x, vector)
