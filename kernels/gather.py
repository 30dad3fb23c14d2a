"""Minibatch gather: select, convert and standardise rows in one pass."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .machine.jit import inner, kernel
from .machine.simd import (
    broadcast,
    data_pointer,
    full_vector,
    masked_load,
    masked_store,
    vector_type,
)
from .plan import op

__all__ = ["gather_rows"]


@kernel
def gather_rows(
    raw, code, order, first, shift, scale, shift64, scale64, standardise, out, row, row_end,
    n_columns,
):  # fmt: skip
    """out[i, j] = (X[order[first + i], j] - shift[j]) * scale[j] for rows [row, row_end).

    ``raw`` holds the bytes of X, a row-major matrix with n_columns columns of the type ``code``
    (UINT8, FLOAT32, FLOAT64); it is never copied or converted as a whole. An empty ``order`` means
    all rows in order. ``standardise`` is one of: AS_THEY_ARE, out = X without reading shift or
    scale; IN_REAL, computed in the dtype of out; IN_DOUBLE, computed with shift64 and scale64 and
    rounded once at the end.
    Reads raw, order, shift, scale, shift64, scale64. Writes out. May destroy nothing else.
    """
    n_items, scaled = n_columns, standardise != op.AS_THEY_ARE
    if order.size == 0 and out.shape[1] == n_columns and standardise == op.AS_THEY_ARE:
        n_items, row_end = (row_end - row) * n_columns, min(row + 1, row_end)  # contiguous
    for i in range(row, row_end):
        source = (order[first + i] if order.size > 0 else first + i) * n_columns
        target = i * out.shape[1]
        if standardise == op.IN_DOUBLE:
            _convert_from(code, raw, source, out, target, n_items, shift64, scale64, True)
        else:
            _convert_from(code, raw, source, out, target, n_items, shift, scale, scaled)


@inner
def _convert_from(code, raw, start, out, out0, size, shift, scale, standardise):
    """Call `_convert` with the type that ``code`` stands for."""
    if code == op.UINT8:
        _convert(raw, types.uint8, start, out, out0, size, shift, scale, standardise)
    elif code == op.FLOAT32:
        _convert(raw, types.float32, start, out, out0, size, shift, scale, standardise)
    elif code == op.FLOAT64:
        _convert(raw, types.float64, start, out, out0, size, shift, scale, standardise)
    else:
        raise LookupError("no type of raw input has this code")


@intrinsic
def _convert(typingctx, raw, dtype, start, out, out0, size, shift, scale, standardise):
    """Convert ``size`` elements of type ``dtype``, from raw[start:] to out[out0:].

    Standardises in the type of shift and scale, then rounds to the type of out. Processes one
    vector at a time and masks the last one, so short rows cost little.
    """

    def emit(context, builder, signature, arguments):
        source_type = context.get_data_type(dtype.dtype)
        vector = vector_type(context, out.dtype)
        between = ir.VectorType(context.get_data_type(shift.dtype), vector.count)
        lanes = full_vector(vector.count, range(vector.count))
        source = builder.bitcast(data_pointer(context, builder, signature, arguments, 0),
                                 source_type.as_pointer())  # fmt: skip
        source = builder.gep(source, [arguments[2]])
        target = builder.gep(
            data_pointer(context, builder, signature, arguments, 3), [arguments[4]]
        )
        shifts, scales = (data_pointer(context, builder, signature, arguments, i) for i in (6, 7))
        size = arguments[5]
        n_vectors = builder.sdiv(
            builder.add(size, size.type(vector.count - 1)), size.type(vector.count)
        )
        with cgutils.for_range(builder, n_vectors, intp=size.type) as loop:
            place = builder.mul(loop.index, size.type(vector.count))
            left = builder.trunc(builder.sub(size, place), ir.IntType(32))
            mask = builder.icmp_signed("<", lanes, broadcast(builder, left, lanes.type))
            x = masked_load(builder, builder.gep(source, [place]), mask)
            x = _as_vector(builder, x, between)
            result = cgutils.alloca_once_value(builder, x)
            with builder.if_then(arguments[8]):
                x = builder.fsub(x, masked_load(builder, builder.gep(shifts, [place]), mask))
                x = builder.fmul(x, masked_load(builder, builder.gep(scales, [place]), mask))
                builder.store(x, result)
            x = _as_vector(builder, builder.load(result), vector)
            masked_store(builder, x, builder.gep(target, [place]), mask)
        return context.get_dummy_value()

    where = (raw, dtype, types.int64, out, types.int64, types.int64, shift, scale, types.boolean)
    return types.void(*where), emit


def _as_vector(builder, x, vector):
    """Convert x to a vector type."""
    if isinstance(x.type.element, ir.IntType):
        return builder.uitofp(x, vector)
    if x.type.element == vector.element:
        return x
    narrows = vector.element == ir.FloatType()
    return builder.fptrunc(x, vector) if narrows else builder.fpext(x, vector)
