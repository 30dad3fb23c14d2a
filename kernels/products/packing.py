"""Operands of bfloat16 products: rounded, and packed into tiles.

A bfloat16 is the upper half of a float32, rounded to nearest even. Operands come in tiles of 1 KB:
16 rows of 16 pairs of neighbours in the summed index k (Intel, Architecture Instruction Set
Extensions, chapter 3, TDPBF16PS):

    A tile [16 i][16 pairs of k]       B tile [16 pairs of k][16 j]

With two ``parts``, each number is split as x = high + low, low = bfloat16(x - high), and a product
is high high + high low + low high; what is left out is about 2**-16 of it (Henry, Tang and
Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype, 2019, section III). The low
parts lie in a second plane behind the high ones.

Everything is emitted as LLVM vector code by ``@intrinsic``, and arrays are float32 arrays taken as
flat memory, in which a tile takes up TILE elements.
"""

from itertools import product

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..machine.simd import broadcast, data_pointer, full_vector, masked_load, transposed

__all__ = [
    "TILE",
    "pair_tiles",
    "pointers",
    "round_row",
    "transpose_tile",
    "turn_tiles",
]

TILE = np.int64(256)  # float32 elements, 1 KB
LANES = 16
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_INT, _INDEX = types.int64, ir.IntType(64)
# The bits of some float32 numbers; _LARGEST is also a bfloat16.
_ONE, _LARGEST, _INFINITY = 0x3F800000, 0x7F7F0000, 0x7F800000


@intrinsic
def round_row(typingctx, source, source0, size, n_tiles, target, target0, plane, parts):
    """Write ``size`` numbers as a row of n_tiles A tiles, one after the other; zeros to their end.

    The low parts, where ``parts`` is 2, go ``plane`` elements further on.
    """

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 4))
        size, n_tiles, plane, parts = (arguments[i] for i in (2, 3, 6, 7))
        with cgutils.for_range(builder, n_tiles, intp=size.type) as loop:
            start = builder.mul(loop.index, size.type(2 * LANES))
            neighbours = _load_width(
                builder, builder.gep(source, [start]), builder.sub(size, start)
            )
            place = builder.gep(target, [builder.mul(loop.index, size.type(int(TILE)))])
            _store_parts(builder, neighbours, place, plane, parts)
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, _INT, target, _INT, _INT, _INT), emit


@intrinsic
def pair_tiles(typingctx, source, source0, source_gap, target, target0, target_gap):
    """Write a block of 32 rounded rows and columns as two B tiles with pairs of rows.

    The rows are those of two A tiles, ``source_gap`` apart; the tiles of its first and its last 16
    columns are ``target_gap`` apart. One part at a time.
    """

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 3))
        for half, p in product((0, 1), range(LANES // 2)):
            start = builder.gep(source, [arguments[2]]) if half else source
            rows = _load_rows(builder, start, (2 * p, 2 * p + 1))
            for g, pairs in enumerate(_pairs(builder, *rows)):
                begin = builder.gep(target, [arguments[5]]) if g else target
                line = _INDEX(LANES * (LANES // 2 * half + p))
                _store(builder, pairs, builder.gep(begin, [line]))
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, target, _INT, _INT), emit


@intrinsic
def turn_tiles(typingctx, source, source0, source_gap, target, target0, target_gap):
    """Write a block of 32 rounded rows and columns as two A tiles of the transposed matrix.

    As `pair_tiles`; the first tile has the first 16 columns as rows.
    """

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 3))
        lower = builder.gep(source, [arguments[2]])
        for g in (0, 1):
            pairs = []
            for start, p in product((source, lower), range(LANES // 2)):
                rows = _load_rows(builder, start, (2 * p, 2 * p + 1))
                pairs.append(list(_pairs(builder, *rows))[g])
            begin = builder.gep(target, [arguments[5]]) if g else target
            _store_rows(builder, transposed(builder, pairs), begin)
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, target, _INT, _INT), emit


@intrinsic
def transpose_tile(typingctx, source, source0, target, target0):
    """Write an A tile as the B tile of the transposed matrix."""

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 2))
        _store_rows(builder, transposed(builder, _load_rows(builder, source, range(LANES))), target)
        return context.get_dummy_value()

    return types.void(source, _INT, target, _INT), emit


class _BFloat(ir.types._BaseFloatType):
    """LLVM's bfloat, which llvmlite does not name."""

    null = "0.0"
    intrinsic_name = "bf16"

    def __str__(self):
        return "bfloat"


_BFloat._create_instance()


def _pairs(builder, first, second):
    """Return pairs of the numbers of two rounded rows: of the first 16 columns, and the others."""
    words = ir.VectorType(ir.IntType(16), 2 * LANES)
    first, second = builder.bitcast(first, words), builder.bitcast(second, words)
    for g in range(2):
        lanes = [LANES * g + i // 2 + 2 * LANES * (i % 2) for i in range(2 * LANES)]
        mixed = builder.shuffle_vector(first, second, full_vector(2 * LANES, lanes))
        yield builder.bitcast(mixed, _INTS)


def _usual(builder, numbers):
    """Return the high parts of numbers none of which is extreme, as float32.

    To nearest, and away from 0 in the middle: half of what the low bits can be is added to them.
    """
    for x in numbers:
        bits = builder.add(builder.bitcast(x, _INTS), _splat(0x8000))
        yield builder.bitcast(builder.and_(bits, _splat(0xFFFF0000)), _FLOATS)


def _any(builder, numbers):
    """Return the high parts of any numbers, as float32.

    Infinity is split as 1 + infinity: products of high parts then stay finite, and those of a low
    part with a high one give what infinity times the number is. A number that would round to
    infinity gets the largest bfloat16 as its high part.
    """
    limited = []
    for x in numbers:
        size = builder.and_(builder.bitcast(x, _INTS), _splat(0x7FFFFFFF))
        sign = builder.and_(builder.bitcast(x, _INTS), _splat(0x80000000))
        infinite = builder.icmp_unsigned("==", size, _splat(_INFINITY))
        large = builder.and_(
            builder.icmp_unsigned(">", size, _splat(_LARGEST)),
            builder.icmp_unsigned("<", size, _splat(_INFINITY)),
        )
        size = builder.select(infinite, _splat(_ONE), size)
        size = builder.select(large, _splat(_LARGEST), size)
        limited.append(builder.bitcast(builder.or_(sign, size), _FLOATS))
    halves = _round(builder, *limited)
    for i in range(2):
        lanes = full_vector(LANES, range(LANES * i, LANES * (i + 1)))
        half = builder.zext(builder.shuffle_vector(halves, halves, lanes), _INTS)
        yield builder.bitcast(builder.shl(half, _splat(16)), _FLOATS)


def _has_extreme(builder, numbers):
    """Tell whether one of the numbers would round to infinity, or is not finite."""
    sizes = [builder.and_(builder.bitcast(x, _INTS), _splat(0x7FFFFFFF)) for x in numbers]
    larger = builder.icmp_unsigned(">", *sizes)
    lanes = builder.icmp_unsigned(">", builder.select(larger, *sizes), _splat(_LARGEST))
    return builder.icmp_unsigned("!=", builder.bitcast(lanes, ir.IntType(16)), ir.IntType(16)(0))


def _round(builder, first, second):
    """Round 32 numbers to bfloat16, to nearest even; NaN and infinity stay what they are."""
    result = ir.VectorType(_BFloat(), 2 * LANES)
    function_type = ir.FunctionType(result, [_FLOATS, _FLOATS])
    convert = cgutils.get_or_insert_function(
        builder.module, function_type, "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
    )
    halves = builder.call(convert, [second, first])  # the first argument goes to the upper lanes
    return builder.bitcast(halves, ir.VectorType(ir.IntType(16), 2 * LANES))


def _store_parts(builder, numbers, place, plane, parts):
    """Store two vectors of rounded numbers, or with two parts the high and the low ones."""
    with builder.if_else(builder.icmp_signed("==", parts, parts.type(2))) as (two, one):
        with two:
            low = builder.gep(place, [plane])
            extreme = _has_extreme(builder, numbers)
            with builder.if_else(extreme, likely=False) as branches:
                for branch, split in zip(branches, (_any, _usual), strict=True):
                    with branch:
                        highs = list(split(builder, numbers))
                        rests = map(builder.fsub, numbers, highs)
                        _store(builder, _round(builder, *highs), place)
                        _store(builder, _round(builder, *rests), low)
        with one:
            _store(builder, _round(builder, *numbers), place)


def _store_rows(builder, rows, target):
    for i, row in enumerate(rows):
        _store(builder, row, builder.gep(target, [ir.IntType(64)(LANES * i)]))


def _store(builder, value, place):
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=4)


def _load_rows(builder, tile, numbers):
    """Load rows of a tile, as pairs."""
    return [
        builder.load(
            builder.bitcast(builder.gep(tile, [_INDEX(LANES * i)]), _INTS.as_pointer()), align=4
        )
        for i in numbers
    ]


def _load_width(builder, pointer, count):
    """Load as many of 32 floats as there are, as two vectors."""
    second = builder.gep(pointer, [count.type(LANES)])
    return (
        _load_some(builder, pointer, count),
        _load_some(builder, second, builder.sub(count, count.type(LANES))),
    )


def _load_some(builder, pointer, count):
    """Load as many of 16 floats as there are, zeros for the rest."""
    left = builder.trunc(count, ir.IntType(32))
    mask = builder.icmp_signed(
        "<", full_vector(LANES, range(LANES)), broadcast(builder, left, _INTS)
    )
    return masked_load(builder, pointer, mask)


def pointers(context, builder, signature, arguments, places):
    """Return where operands begin, for arguments in which each array is followed by its offset."""
    return [
        builder.gep(data_pointer(context, builder, signature, arguments, i), [arguments[i + 1]])
        for i in places
    ]


def _splat(value):
    return full_vector(LANES, [value] * LANES)
