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

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..machine.simd import broadcast, data_pointer, full_vector, masked_load, transposed

__all__ = [
    "TILE",
    "pack_columns_tile",
    "pack_pairs_tile",
    "pack_rows_tile",
    "pointers",
    "round_row",
]

TILE = np.int64(256)  # float32 elements, 1 KB
LANES = 16
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_INT = types.int64
# The bits of some float32 numbers; _LARGEST is also a bfloat16.
_ONE, _LARGEST, _INFINITY = 0x3F800000, 0x7F7F0000, 0x7F800000


@intrinsic
def round_row(typingctx, source, source0, size, target, target0, plane, parts):
    """Write ``size`` numbers as a row of A tiles, one after the other; zeros up to a whole tile.

    The low parts, where ``parts`` is 2, go ``plane`` elements further on.
    """

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 3))
        size, plane, parts = arguments[2], arguments[5], arguments[6]
        width = size.type(2 * LANES)
        n_widths = builder.sdiv(builder.add(size, size.type(2 * LANES - 1)), width)
        with cgutils.for_range(builder, n_widths, intp=size.type) as loop:
            start = builder.mul(loop.index, width)
            neighbours = _load_width(
                builder, builder.gep(source, [start]), builder.sub(size, start)
            )
            place = builder.gep(target, [builder.mul(loop.index, size.type(int(TILE)))])
            _store_parts(builder, _Neighbours(builder, *neighbours), place, plane, parts)
        return context.get_dummy_value()

    return types.void(source, _INT, _INT, target, _INT, _INT, _INT), emit


@intrinsic
def pack_rows_tile(typingctx, source, source0, source_row, n_k, n_j, target, target0, plane, parts):
    """Pack a B tile from rows of k: target[p, j] = (source[2 p, j], source[2 p + 1, j]).

    n_k rows and n_j columns are there, at most 32 and 16; the rest is zeros.
    """

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 5))
        source_row, n_k, n_j, plane, parts = (arguments[i] for i in (2, 3, 4, 7, 8))
        with cgutils.for_range(builder, n_k.type(LANES), intp=n_k.type) as loop:
            pair = _load_pair(builder, source, source_row, loop.index, n_k, n_j)
            place = builder.gep(target, [builder.mul(loop.index, n_k.type(LANES))])
            _store_parts(builder, _Rows(builder, *pair), place, plane, parts)
        return context.get_dummy_value()

    return types.void(source, *(_INT,) * 4, target, *(_INT,) * 3), emit


@intrinsic
def pack_columns_tile(
    typingctx, source, source0, source_row, n_k, n_i, target, target0, plane, parts
):
    """Pack an A tile from rows of k: target[i, p] = (source[2 p, i], source[2 p + 1, i])."""

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 5))
        source_row, n_k, n_i, plane, parts = (arguments[i] for i in (2, 3, 4, 7, 8))
        pairs = [
            _Rows(builder, *_load_pair(builder, source, source_row, n_k.type(p), n_k, n_i))
            for p in range(LANES)
        ]
        _store_transposed(builder, pairs, target, plane, parts)
        return context.get_dummy_value()

    return types.void(source, *(_INT,) * 4, target, *(_INT,) * 3), emit


@intrinsic
def pack_pairs_tile(
    typingctx, source, source0, source_row, n_j, n_k, target, target0, plane, parts
):
    """Pack a B tile from rows of j: target[p, j] = (source[j, 2 p], source[j, 2 p + 1])."""

    def emit(context, builder, signature, arguments):
        source, target = pointers(context, builder, signature, arguments, (0, 5))
        source_row, n_j, n_k, plane, parts = (arguments[i] for i in (2, 3, 4, 7, 8))
        pairs = []
        for j in range(LANES):
            row = builder.gep(source, [builder.mul(source_row, source_row.type(j))])
            there = builder.icmp_signed("<", n_k.type(j), n_j)
            left = builder.select(there, n_k, n_k.type(0))
            pairs.append(_Neighbours(builder, *_load_width(builder, row, left)))
        _store_transposed(builder, pairs, target, plane, parts)
        return context.get_dummy_value()

    return types.void(source, *(_INT,) * 4, target, *(_INT,) * 3), emit


class _BFloat(ir.types._BaseFloatType):
    """LLVM's bfloat, which llvmlite does not name."""

    null = "0.0"
    intrinsic_name = "bf16"

    def __str__(self):
        return "bfloat"


_BFloat._create_instance()


class _Neighbours:
    """32 numbers next to each other in k, as two vectors: the rounded ones are pairs already."""

    def __init__(self, builder, first, second):
        self.builder, self.numbers = builder, (first, second)

    def rounded(self, numbers):
        """Return pairs of bfloat16 of two vectors of numbers."""
        return self.builder.bitcast(_round(self.builder, *numbers), _INTS)

    def widened(self, pairs):
        """Return the two vectors of float32 that pairs stand for."""
        builder = self.builder
        halves = builder.bitcast(pairs, ir.VectorType(ir.IntType(16), 2 * LANES))
        for i in range(2):
            lanes = full_vector(LANES, range(LANES * i, LANES * (i + 1)))
            half = builder.zext(builder.shuffle_vector(halves, halves, lanes), _INTS)
            yield builder.bitcast(builder.shl(half, _splat(16)), _FLOATS)


class _Rows(_Neighbours):
    """Two rows that are neighbours in k: rounded, their numbers alternate."""

    def rounded(self, numbers):
        """Return pairs of bfloat16, one of each vector."""
        halves = _round(self.builder, *numbers)
        lanes = [i // 2 + LANES * (i % 2) for i in range(2 * LANES)]
        mixed = self.builder.shuffle_vector(halves, halves, full_vector(2 * LANES, lanes))
        return self.builder.bitcast(mixed, _INTS)

    def widened(self, pairs):
        """Return the two vectors of float32 that pairs stand for."""
        builder = self.builder
        for bits in (builder.shl(pairs, _splat(16)), builder.and_(pairs, _splat(0xFFFF0000))):
            yield builder.bitcast(bits, _FLOATS)


def _split(pair, limited):
    """Return high and low parts as pairs of bfloat16: x = high + low; ``limited`` numbers."""
    high = pair.rounded([first for first, _ in limited])
    rests = [
        pair.builder.fsub(x, wide) for (_, x), wide in zip(limited, pair.widened(high), strict=True)
    ]
    return high, pair.rounded(rests)


def _as_they_are(builder, numbers):
    """Return what to round to high parts, and what to split, where no number is extreme."""
    return [(x, x) for x in numbers]


def _limited(builder, numbers):
    """Return what to round to high parts, and what to split, for any numbers.

    Infinity is split as 1 + infinity: products of high parts then stay finite, and those of a low
    part with a high one give what infinity times the number is. A number that would round to
    infinity gets the largest bfloat16 as its high part.
    """
    found = []
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
        found.append((builder.bitcast(builder.or_(sign, size), _FLOATS), x))
    return found


def _has_extreme(builder, pairs):
    """Tell whether a number of these pairs would round to infinity, or is not finite."""
    largest = _splat(0)
    for pair in pairs:
        for x in pair.numbers:
            size = builder.and_(builder.bitcast(x, _INTS), _splat(0x7FFFFFFF))
            larger = builder.icmp_unsigned(">", size, largest)
            largest = builder.select(larger, size, largest)
    lanes = builder.icmp_unsigned(">", largest, _splat(_LARGEST))
    return builder.icmp_unsigned("!=", builder.bitcast(lanes, ir.IntType(16)), ir.IntType(16)(0))


def _emit_split(builder, pairs, store):
    """Call ``store(highs, lows)`` with the parts of pairs, in a branch for what they need."""
    with builder.if_else(_has_extreme(builder, pairs), likely=False) as (extreme, usual):
        for branch, limit in ((extreme, _limited), (usual, _as_they_are)):
            with branch:
                parts = [_split(pair, limit(builder, pair.numbers)) for pair in pairs]
                store(*zip(*parts, strict=True))


def _round(builder, first, second):
    """Round 32 numbers to bfloat16, to nearest even; NaN and infinity stay what they are."""
    result = ir.VectorType(_BFloat(), 2 * LANES)
    function_type = ir.FunctionType(result, [_FLOATS, _FLOATS])
    convert = cgutils.get_or_insert_function(
        builder.module, function_type, "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
    )
    halves = builder.call(convert, [second, first])  # the first argument goes to the upper lanes
    return builder.bitcast(halves, ir.VectorType(ir.IntType(16), 2 * LANES))


def _store_parts(builder, pair, place, plane, parts):
    """Store the rounded numbers, or with two parts the high and the low ones."""
    with builder.if_else(builder.icmp_signed("==", parts, parts.type(2))) as (two, one):
        with two:

            def store(highs, lows):
                _store(builder, highs[0], place)
                _store(builder, lows[0], builder.gep(place, [plane]))

            _emit_split(builder, [pair], store)
        with one:
            _store(builder, pair.rounded(pair.numbers), place)


def _store_transposed(builder, pairs, target, plane, parts):
    """Store the transpose of 16 vectors of pairs, rounded, or high parts and low parts."""
    with builder.if_else(builder.icmp_signed("==", parts, parts.type(2))) as (two, one):
        with two:

            def store(highs, lows):
                _store_rows(builder, transposed(builder, highs), target)
                _store_rows(builder, transposed(builder, lows), builder.gep(target, [plane]))

            _emit_split(builder, pairs, store)
        with one:
            rows = [pair.rounded(pair.numbers) for pair in pairs]
            _store_rows(builder, transposed(builder, rows), target)


def _store_rows(builder, rows, target):
    for i, row in enumerate(rows):
        _store(builder, row, builder.gep(target, [ir.IntType(64)(LANES * i)]))


def _store(builder, value, place):
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=4)


def _load_pair(builder, source, source_row, p, n_k, n_columns):
    """Rows 2p and 2p + 1, zeros where there are none."""
    pair = []
    for odd in (0, 1):
        k = builder.add(builder.mul(p, p.type(2)), p.type(odd))
        there = builder.icmp_signed("<", k, n_k)
        left = builder.select(there, n_columns, n_columns.type(0))
        pair.append(_load_some(builder, builder.gep(source, [builder.mul(k, source_row)]), left))
    return tuple(pair)


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
