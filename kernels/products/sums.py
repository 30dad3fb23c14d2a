"""Sums over the rows of a matrix."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..machine.jit import kernel
from ..machine.simd import (
    data_pointer,
    flat,
    masked_load,
    masked_store,
    n_lanes,
    some_lanes,
    vector_type,
)

__all__ = ["bias_gradient"]

CHAINS = 4  # sums of every fourth row: one alone would wait for each addition
VECTORS = 2  # next to each other
_INDEX, _INT = ir.IntType(64), types.int64


@kernel
def bias_gradient(dz, n_rows, n_out, out, out0):
    """out[out0 + h] = sum_n dz[n, h].

    The first sum has the rows 0, 4, 8, ..., the second 1, 5, 9, ..., and so on; rows that do not
    make a whole four are added to the first. At last, the sums are added in pairs.
    Reads dz. Writes out.
    """
    dz_flat, width = flat(dz), VECTORS * n_lanes(dz)
    for h in range(0, n_out, width):
        _sum_rows(dz_flat, h, dz.shape[1], n_rows, n_out - h, out, out0 + h)


@intrinsic
def _sum_rows(typingctx, b, b0, b_row, n_rows, n_columns, c, c0):
    """Sum n_rows rows of VECTORS vectors from b[b0] on; only n_columns elements of them count."""

    def emit(context, builder, signature, arguments):
        vector = vector_type(context, signature.args[0].dtype)
        b, c = (
            builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]])
            for i in (0, 5)
        )
        b_row, n_rows, n_columns = arguments[2], arguments[3], arguments[4]
        starts = [_INDEX(v * vector.count) for v in range(VECTORS)]
        masks = [some_lanes(builder, builder.sub(n_columns, v), vector) for v in starts]
        nothing = ir.Constant(vector, None)
        sums = [
            [cgutils.alloca_once_value(builder, nothing) for _ in starts] for _ in range(CHAINS)
        ]

        def add(row, slots):
            base = builder.gep(b, [builder.mul(row, b_row)])
            for start, mask, slot in zip(starts, masks, slots, strict=True):
                found = masked_load(builder, builder.gep(base, [start]), mask)
                builder.store(builder.fadd(builder.load(slot), found), slot)

        whole = builder.and_(n_rows, _INDEX(-CHAINS))
        with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(CHAINS), intp=_INDEX) as (
            first,
            _,
        ):
            for i, slots in enumerate(sums):
                add(builder.add(first, _INDEX(i)), slots)
        with cgutils.for_range_slice(builder, whole, n_rows, _INDEX(1), intp=_INDEX) as (row, _):
            add(row, sums[0])
        for v, (start, mask) in enumerate(zip(starts, masks, strict=True)):
            totals = [builder.load(slots[v]) for slots in sums]
            while len(totals) > 1:
                half = len(totals) // 2
                totals = [builder.fadd(totals[i], totals[half + i]) for i in range(half)]
            masked_store(builder, totals[0], builder.gep(c, [start]), mask)
        return context.get_dummy_value()

    return types.void(b, _INT, _INT, _INT, _INT, c, _INT), emit
