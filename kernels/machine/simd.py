"""Building blocks that numba has no word for: vector register blocks and views without owners.

Each is an ``@intrinsic`` that emits LLVM instructions. Vectors are LLVM vector types of the width
that ``isa`` names, so that the same code becomes AVX-512, AVX2, SSE or NEON instructions.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import isa

__all__ = [
    "array_at",
    "broadcast",
    "copy_part",
    "copy_vector",
    "data_pointer",
    "declare",
    "flat",
    "full_vector",
    "lines_in",
    "load",
    "make_copy",
    "masked_load",
    "masked_store",
    "n_lanes",
    "part",
    "prefetch",
    "prefetch_line",
    "row_of",
    "some_lanes",
    "store",
    "transpose_block",
    "transposed",
    "vector_type",
    "view",
]

CACHE_LINE = 64  # bytes
_INDEX = ir.IntType(64)
_INT = types.int64


@intrinsic
def n_lanes(typingctx, array):
    """``n_lanes(array)``: how many of its elements a vector register holds (a constant)."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(types.int64, _lanes(signature.args[0].dtype))

    return types.int64(array), emit


@intrinsic
def part(typingctx, flat, offset, size):
    """``part(flat, offset, size)``: a stretch of a flat array, without an owner."""

    def emit(context, builder, signature, arguments):
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        item_size = context.get_constant(types.intp, flat.dtype.bitwidth // 8)
        data = builder.gep(source.data, [arguments[1]])
        return _borrowed(context, builder, flat, data, [arguments[2]], [item_size])

    return flat(flat, _INT, _INT), emit


@intrinsic
def row_of(typingctx, matrix, row, column, size):
    """``row_of(matrix, row, column, size)``: matrix[row, column : column + size], without an owner.

    Loops over such a row from 0 become vector code; an index that might be negative, as far as
    the compiler knows, would keep them scalar.
    """
    result = types.Array(matrix.dtype, 1, "C")

    def emit(context, builder, signature, arguments):
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        n_columns = builder.extract_value(source.shape, 1)
        start = builder.add(builder.mul(arguments[1], n_columns), arguments[2])
        data = builder.gep(source.data, [start])
        item_size = context.get_constant(types.intp, matrix.dtype.bitwidth // 8)
        return _borrowed(context, builder, result, data, [arguments[3]], [item_size])

    return result(matrix, _INT, _INT, _INT), emit


@intrinsic
def view(typingctx, flat, offset, n_rows, n_columns):
    """``view(flat, offset, n_rows, n_columns)``: a row-major matrix inside a flat array.

    The view holds no reference to its owner, so making one costs a few instructions and touches
    no reference count that another thread also touches; the caller keeps ``flat`` alive.
    """
    matrix = types.Array(flat.dtype, 2, "C")

    def emit(context, builder, signature, arguments):
        flat_array = context.make_array(signature.args[0])(context, builder, arguments[0])
        data = builder.gep(flat_array.data, [arguments[1]])
        item_size = context.get_constant(types.intp, flat.dtype.bitwidth // 8)
        shape = [arguments[2], arguments[3]]
        strides = [builder.mul(arguments[3], item_size), item_size]
        return _borrowed(context, builder, matrix, data, shape, strides)

    return matrix(flat, _INT, _INT, _INT), emit


@intrinsic
def lines_in(typingctx, array, n_lines):
    """``lines_in(array, n_lines)``: how many of its elements fill so many cache lines."""

    def emit(context, builder, signature, arguments):
        elements = CACHE_LINE * 8 // signature.args[0].dtype.bitwidth
        return builder.mul(arguments[1], _INDEX(elements))

    return types.int64(array, _INT), emit


@intrinsic
def array_at(typingctx, memory, index, like):
    """``array_at(memory, index, like)``: the flat array whose address and length stand in a row.

    Its elements have the type of ``like``. It has no owner; ``plan.op`` names the rows.
    """
    result = types.Array(like, 1, "C")

    def emit(context, builder, signature, arguments):
        table = context.make_array(signature.args[0])(context, builder, arguments[0])
        entry = builder.gep(table.data, [builder.mul(arguments[1], _INDEX(2))])
        pointer = context.get_data_type(like).as_pointer()
        data = builder.inttoptr(builder.load(entry), pointer)
        length = builder.load(builder.gep(entry, [_INDEX(1)]))
        item_size = context.get_constant(types.intp, like.bitwidth // 8)
        return _borrowed(context, builder, result, data, [length], [item_size])

    return result(memory, _INT, like), emit


@intrinsic
def flat(typingctx, matrix):
    """``flat(matrix)``: all elements of a row-major matrix as one row, without an owner."""
    row = types.Array(matrix.dtype, 1, "C")

    def emit(context, builder, signature, arguments):
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        item_size = context.get_constant(types.intp, matrix.dtype.bitwidth // 8)
        return _borrowed(context, builder, row, source.data, [source.nitems], [item_size])

    return row(matrix), emit


@intrinsic
def prefetch_line(typingctx, array, place):
    """Prefetch the cache line of element ``place``, which may be anywhere, to the second cache."""

    def emit(context, builder, signature, arguments):
        data = data_pointer(context, builder, signature, arguments, 0)
        prefetch(builder, builder.gep(data, [arguments[1]]), 1)
        return context.get_dummy_value()

    return types.void(array, _INT), emit


@intrinsic
def copy_vector(typingctx, source, source0, target, target0):
    """Copy one vector: ``target[target0 : ...] = source[source0 : ...]``, flat memory both."""

    def emit(context, builder, signature, arguments):
        vector = vector_type(context, signature.args[0].dtype)
        source, target = (
            builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]])
            for i in (0, 2)
        )
        store(builder, load(builder, source, vector, 0), target, vector, 0)
        return context.get_dummy_value()

    return types.void(source, _INT, target, _INT), emit


@intrinsic
def copy_part(typingctx, source, source0, size, target, target0):
    """Copy ``size`` elements, fewer than a vector has, and zeros up to a whole vector."""

    def emit(context, builder, signature, arguments):
        vector = vector_type(context, signature.args[0].dtype)
        source, target = (
            builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[j]])
            for i, j in ((0, 1), (3, 4))
        )
        found = masked_load(builder, source, some_lanes(builder, arguments[2], vector))
        store(builder, found, target, vector, 0)
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, target, _INT), emit


@intrinsic
def transpose_block(
    typingctx, source, source0, source_row, n_rows, n_columns, target, target0, target_row
):
    """Write the transpose of a square block of ``n_lanes`` rows and columns, or of a part of one.

    ``target[j, i] = source[i, j]``; arrays are taken as flat memory. Where the source has fewer
    rows or columns, there are zeros in the target, which is always written as a whole.
    """

    def emit(context, builder, signature, arguments):
        vector = vector_type(context, signature.args[0].dtype)
        source, target = (
            builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]])
            for i in (0, 5)
        )
        source_row, n_rows, n_columns, target_row = (arguments[i] for i in (2, 3, 4, 7))
        bases = [
            builder.gep(source, [builder.mul(source_row, _INDEX(i))]) for i in range(vector.count)
        ]
        slots = [cgutils.alloca_once(builder, vector) for _ in bases]
        lanes = _INDEX(vector.count)
        is_whole = builder.and_(
            builder.icmp_signed(">=", n_rows, lanes), builder.icmp_signed(">=", n_columns, lanes)
        )
        with builder.if_else(is_whole) as (whole, some):
            with whole:
                for base, slot in zip(bases, slots, strict=True):
                    builder.store(load(builder, base, vector, 0), slot)
            with some:
                for i, (base, slot) in enumerate(zip(bases, slots, strict=True)):
                    there = builder.icmp_signed("<", _INDEX(i), n_rows)
                    left = builder.select(there, n_columns, _INDEX(0))
                    found = masked_load(builder, base, some_lanes(builder, left, vector))
                    builder.store(found, slot)
        for i, column in enumerate(transposed(builder, [builder.load(slot) for slot in slots])):
            base = builder.gep(target, [builder.mul(target_row, _INDEX(i))])
            store(builder, column, base, vector, 0)
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, _INT, _INT, target, _INT, _INT), emit


def make_copy(size: int):
    """Make ``copy(source, source0, target, target0)``, which copies ``size`` elements at once."""

    @intrinsic
    def copy(typingctx, source, source0, target, target0):
        def emit(context, builder, signature, arguments):
            vector = ir.VectorType(context.get_data_type(signature.args[0].dtype), size)
            source, target = (
                builder.gep(
                    data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]]
                )
                for i in (0, 2)
            )
            store(builder, load(builder, source, vector, 0), target, vector, 0)
            return context.get_dummy_value()

        return types.void(source, _INT, target, _INT), emit

    return copy


def transposed(builder, rows):
    """Transpose n vectors of n lanes by log2(n) rounds of swaps between pairs of vectors."""
    n = len(rows)
    half = n // 2
    while half:
        swapped = list(rows)
        for i in range(n):
            if i & half:
                continue
            low, high = rows[i], rows[i + half]
            pick_low = [j if not j & half else n + j - half for j in range(n)]
            pick_high = [j + half if not j & half else n + j for j in range(n)]
            swapped[i] = _shuffle(builder, low, high, pick_low)
            swapped[i + half] = _shuffle(builder, low, high, pick_high)
        rows = swapped
        half //= 2
    return rows


def _shuffle(builder, low, high, lanes):
    return builder.shuffle_vector(low, high, full_vector(len(lanes), lanes))


def _borrowed(context, builder, array_type, data, shape, strides):
    """Build an array over memory that somebody else owns."""
    result = context.make_array(array_type)(context, builder)
    result.meminfo = ir.Constant(context.get_value_type(types.MemInfoPointer(types.voidptr)), None)
    result.parent = ir.Constant(result.parent.type, None)
    n_items = shape[0]
    for extent in shape[1:]:
        n_items = builder.mul(n_items, extent)
    result.nitems = n_items
    result.itemsize = ir.Constant(_INDEX, array_type.dtype.bitwidth // 8)
    result.data = data
    result.shape = cgutils.pack_array(builder, shape, ty=_INDEX)
    result.strides = cgutils.pack_array(builder, strides, ty=_INDEX)
    return result._getvalue()


def data_pointer(context, builder, signature, arguments, i):
    """Return the address of the first element of argument number i, an array."""
    return context.make_array(signature.args[i])(context, builder, arguments[i]).data


def vector_type(context, dtype):
    """Return the LLVM type of a full vector of a numba type."""
    return ir.VectorType(context.get_data_type(dtype), _lanes(dtype))


def full_vector(count, values):
    """Return a constant vector of 32-bit integers."""
    return ir.Constant(ir.VectorType(ir.IntType(32), count), list(values))


def _lanes(dtype) -> int:
    return isa.current().vector_bytes * 8 // dtype.bitwidth


def declare(builder, name, vector, n_arguments):
    """Declare an LLVM intrinsic over vectors or scalars of one type."""
    if isinstance(vector, ir.VectorType):
        suffix = f"v{vector.count}{'f32' if vector.element == ir.FloatType() else 'f64'}"
    else:
        suffix = "f32" if vector == ir.FloatType() else "f64"
    function_type = ir.FunctionType(vector, [vector] * n_arguments)
    return cgutils.get_or_insert_function(builder.module, function_type, f"{name}.{suffix}")


def load(builder, base, vector, column):
    """Load vector number ``column`` from ``base`` on."""
    pointer = builder.gep(base, [_INDEX(column * vector.count)])
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)


def store(builder, value, base, vector, column):
    """Store vector number ``column`` from ``base`` on."""
    pointer = builder.gep(base, [_INDEX(column * vector.count)])
    builder.store(value, builder.bitcast(pointer, vector.as_pointer()), align=4)


def prefetch(builder, place, n_lines, *, own=False, level=2):
    """Prefetch that many cache lines; ``own`` takes them from other processors, to be written.

    ``level`` is the number of the cache: 1 or 2.
    """
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    function_type = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0i8")
    for line in range(n_lines):
        address = builder.gep(builder.bitcast(place, byte), [_INDEX(CACHE_LINE * line)])
        builder.call(function, [address, number(int(own)), number(4 - level), number(1)])


def some_lanes(builder, count, vector):
    """Return a mask of the first ``count`` lanes."""
    lanes = ir.VectorType(ir.IntType(32), vector.count)
    left = broadcast(builder, builder.trunc(count, ir.IntType(32)), lanes)
    return builder.icmp_signed("<", full_vector(vector.count, range(vector.count)), left)


def broadcast(builder, scalar, vector):
    """Return a vector with the same scalar in each lane."""
    one_lane = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = full_vector(vector.count, [0] * vector.count)
    return builder.shuffle_vector(one_lane, ir.Constant(vector, ir.Undefined), zeros)


def masked_load(builder, pointer, mask):
    """Load a vector where the mask is set, zeros elsewhere; touches no other memory."""
    element, count = pointer.type.pointee, mask.type.count
    vector = ir.VectorType(element, count)
    name = f"llvm.masked.load.v{count}{_suffix(element)}.p0"
    function_type = ir.FunctionType(
        vector, [vector.as_pointer(), ir.IntType(32), mask.type, vector]
    )
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    pointer = builder.bitcast(pointer, vector.as_pointer())
    nothing = ir.Constant(vector, None)
    return builder.call(function, [pointer, ir.IntType(32)(1), mask, nothing])


def masked_store(builder, value, pointer, mask):
    """Store a vector where the mask is set; touches no other memory."""
    vector = value.type
    name = f"llvm.masked.store.v{vector.count}{_suffix(vector.element)}.p0"
    function_type = ir.FunctionType(
        ir.VoidType(), [vector, vector.as_pointer(), ir.IntType(32), mask.type]
    )
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    pointer = builder.bitcast(pointer, vector.as_pointer())
    builder.call(function, [value, pointer, ir.IntType(32)(1), mask])


def _suffix(element) -> str:
    if isinstance(element, ir.IntType):
        return f"i{element.width}"
    return "f32" if element == ir.FloatType() else "f64"
