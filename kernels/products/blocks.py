"""Register blocks: the innermost loops of the products in ``affine``."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..machine import isa
from ..machine.simd import (
    CACHE_LINE,
    broadcast,
    data_pointer,
    declare,
    load,
    masked_load,
    masked_store,
    prefetch,
    some_lanes,
    store,
    transposed,
    vector_type,
)

__all__ = ["LINES_AHEAD", "STEPS_AHEAD", "dot_rows", "make_multiply_block", "make_prefetch_block"]

STEPS_AHEAD = isa.current().steps_ahead  # of the summed index, from one call ahead to the next
# Cache lines called in then: a row of a packed panel.
LINES_AHEAD = max(2, -(-isa.current().tile_vectors * isa.current().vector_bytes // CACHE_LINE))
_INDEX, _INT = ir.IntType(64), types.int64


def make_multiply_block(
    n_rows: int, n_vectors: int, *, clamped: bool = False, packing: bool = False
):
    """Make ``block(a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
    last_row, n_last, steps, ahead, ahead0, ahead_step, own, packed, packed0)``.

    The block of C with ``n_rows`` rows of ``n_vectors`` vectors is held in registers:

        C[i, :] = start[i, :] + sum over k, in order, of A[i, k] * B[k, :]

    ``a``, ``b``, ``start`` and ``c`` are arrays, taken as flat memory; ``x0`` is the first element
    of the block in it and ``x_row``, ``x_k`` how far the next row and the next k are. Every
    element of C is one chain of multiply-adds in the order of k, so its bits do not depend on the
    shape of the block, on the vector width, or on how the work is shared out.

    Of the last vector only ``n_last`` elements are read from ``start`` and written to C; B must
    have all. Where rows may be missing (``clamped``), what comes after ``last_row`` is that row
    once more: it computes and writes the same numbers.

    Every ``steps`` steps of k, LINES_AHEAD cache lines are prefetched into the second cache, the
    first ones from ``ahead[ahead0]`` on and ``ahead_step`` elements further each time. Any address
    is allowed there. With ``own`` they are taken from other processors' caches, to be written to.

    A block that is ``packing`` also copies the rows of B, as it reads them, to ``packed`` from
    ``packed0`` on, without gaps: while the processor multiplies, it has time to store.
    """

    @intrinsic
    def block(
        typingctx, a, a0, a_row, a_k, b, b0, b_k, start, start0, start_row, c, c0, c_row, n_k,
        last_row, n_last, steps, ahead, ahead0, ahead_step, own, packed, packed0,
    ):  # fmt: skip
        def emit(context, builder, signature, arguments):
            vector = vector_type(context, signature.args[0].dtype)
            a, b, start, c, ahead, packed = (
                builder.gep(
                    data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]]
                )
                for i in (0, 4, 7, 10, 17, 21)
            )
            a_row, a_k, b_k, start_row, c_row, n_k = (arguments[i] for i in (2, 3, 6, 9, 12, 13))
            last_row, n_last, steps, ahead_step, own = (arguments[i] for i in (14, 15, 16, 19, 20))
            multiply_add = declare(builder, "llvm.fmuladd", vector, 3)

            rows = [_INDEX(row) for row in range(n_rows)]
            if clamped:
                rows = [
                    builder.select(builder.icmp_signed("<", row, last_row), row, last_row)
                    for row in rows
                ]

            def row_starts(base, step):
                return [builder.gep(base, [builder.mul(step, row)]) for row in rows]

            corner = _Corner(builder, vector, n_vectors, n_last)
            sums = corner.loaded(row_starts(start, start_row))
            a_rows = row_starts(a, a_row)
            with cgutils.for_range_slice(builder, _INDEX(0), n_k, steps, intp=_INDEX) as (
                first,
                n_before,
            ):
                place = builder.gep(ahead, [builder.mul(n_before, ahead_step)])
                with builder.if_else(own) as (written, read):
                    with written:
                        prefetch(builder, place, LINES_AHEAD, own=True)
                    with read:
                        prefetch(builder, place, LINES_AHEAD)
                end = builder.add(first, steps)
                end = builder.select(builder.icmp_signed("<", end, n_k), end, n_k)
                with cgutils.for_range_slice(builder, first, end, _INDEX(1), intp=_INDEX) as (
                    index,
                    _,
                ):
                    b_now = builder.gep(b, [builder.mul(index, b_k)])
                    vectors = [load(builder, b_now, vector, v) for v in range(n_vectors)]
                    if packing:
                        width = _INDEX(n_vectors * vector.count)
                        target = builder.gep(packed, [builder.mul(index, width)])
                        for v, loaded in enumerate(vectors):
                            store(builder, loaded, target, vector, v)
                    a_now = builder.mul(index, a_k)
                    for row, base in enumerate(a_rows):
                        number = builder.load(builder.gep(base, [a_now]))
                        factor = broadcast(builder, number, vector)
                        for v in range(n_vectors):
                            total = builder.load(sums[row][v])
                            total = builder.call(multiply_add, [factor, vectors[v], total])
                            builder.store(total, sums[row][v])
            corner.store(sums, row_starts(c, c_row))
            return context.get_dummy_value()

        where = (a, _INT, _INT, _INT, b, _INT, _INT, start, _INT, _INT, c, _INT, _INT)
        besides = (ahead, _INT, _INT, types.boolean, packed, _INT)
        return types.void(*where, *(_INT,) * 4, *besides), emit

    return block


def make_prefetch_block(n_rows: int, n_vectors: int):
    """Make ``prefetch(c, c0, c_row)``, which calls a block of C into the first cache.

    A block begins with reading C, and cannot multiply before that has arrived.
    """
    n_lines = -(-n_vectors * isa.current().vector_bytes // CACHE_LINE)

    @intrinsic
    def prefetch_block(typingctx, c, c0, c_row):
        def emit(context, builder, signature, arguments):
            data = data_pointer(context, builder, signature, arguments, 0)
            first = builder.gep(data, [arguments[1]])
            for row in range(n_rows):
                place = builder.gep(first, [builder.mul(arguments[2], _INDEX(row))])
                prefetch(builder, place, n_lines, level=1)
            return context.get_dummy_value()

        return types.void(c, _INT, _INT), emit

    return prefetch_block


class _Corner:
    """Rows of vectors in memory, of whose last vector only some elements may count."""

    def __init__(self, builder, vector, n_vectors, n_last):
        self.builder, self.vector, self.n_vectors = builder, vector, n_vectors
        self.is_whole = builder.icmp_signed(">=", n_last, n_last.type(vector.count))
        self.mask = some_lanes(builder, n_last, vector)

    def loaded(self, bases):
        """Return slots, which LLVM will keep in registers, with what stands in memory."""
        builder, vector, last = self.builder, self.vector, self.n_vectors - 1
        sums = [
            [cgutils.alloca_once(builder, vector) for _ in range(self.n_vectors)] for _ in bases
        ]
        for slots, base in zip(sums, bases, strict=True):
            for v in range(last):
                builder.store(load(builder, base, vector, v), slots[v])
        with builder.if_else(self.is_whole) as (whole, some):
            with whole:
                for slots, base in zip(sums, bases, strict=True):
                    builder.store(load(builder, base, vector, last), slots[last])
            with some:
                for slots, base in zip(sums, bases, strict=True):
                    builder.store(masked_load(builder, self._end(base), self.mask), slots[last])
        return sums

    def store(self, sums, bases):
        """Write the slots to memory."""
        builder, vector, last = self.builder, self.vector, self.n_vectors - 1
        for slots, base in zip(sums, bases, strict=True):
            for v in range(last):
                store(builder, builder.load(slots[v]), base, vector, v)
        with builder.if_else(self.is_whole) as (whole, some):
            with whole:
                for slots, base in zip(sums, bases, strict=True):
                    store(builder, builder.load(slots[last]), base, vector, last)
            with some:
                for slots, base in zip(sums, bases, strict=True):
                    masked_store(builder, builder.load(slots[last]), self._end(base), self.mask)

    def _end(self, base):
        return self.builder.gep(base, [_INDEX((self.n_vectors - 1) * self.vector.count)])


@intrinsic
def dot_rows(typingctx, b, b0, b_row, z, z0, n_k, c, c0, n_rows):
    """c[i] = sum_k b[i, k] z[k] for n_rows rows, at most as many as a vector has elements.

    Each is summed in as many chains as a vector has elements; those are then added in pairs.
    """

    def emit(context, builder, signature, arguments):
        vector = vector_type(context, signature.args[0].dtype)
        b, z, c = (
            builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]])
            for i in (0, 3, 6)
        )
        b_row, n_k, n_rows = arguments[2], arguments[5], arguments[8]
        multiply_add = declare(builder, "llvm.fmuladd", vector, 3)
        last_row = builder.sub(n_rows, _INDEX(1))
        bases = []
        for i in range(vector.count):
            row = builder.select(builder.icmp_signed("<", _INDEX(i), last_row), _INDEX(i), last_row)
            bases.append(builder.gep(b, [builder.mul(b_row, row)]))
        sums = [cgutils.alloca_once_value(builder, ir.Constant(vector, None)) for _ in bases]

        def add(factor, read):
            for base, slot in zip(bases, sums, strict=True):
                total = builder.call(multiply_add, [read(base), factor, builder.load(slot)])
                builder.store(total, slot)

        lanes = _INDEX(vector.count)
        n_whole = builder.sdiv(n_k, lanes)
        with cgutils.for_range(builder, n_whole, intp=_INDEX) as loop:
            k = builder.mul(loop.index, lanes)
            factor = load(builder, builder.gep(z, [k]), vector, 0)
            add(factor, lambda base: load(builder, builder.gep(base, [k]), vector, 0))
        k = builder.mul(n_whole, lanes)
        left = builder.sub(n_k, k)
        with builder.if_then(builder.icmp_signed(">", left, _INDEX(0))):
            mask = some_lanes(builder, left, vector)
            factor = masked_load(builder, builder.gep(z, [k]), mask)
            add(factor, lambda base: masked_load(builder, builder.gep(base, [k]), mask))
        parts = transposed(builder, [builder.load(slot) for slot in sums])
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(parts[i], parts[half + i]) for i in range(half)]
        masked_store(builder, parts[0], c, some_lanes(builder, n_rows, vector))
        return context.get_dummy_value()

    return types.void(b, _INT, _INT, z, _INT, _INT, c, _INT, _INT), emit
