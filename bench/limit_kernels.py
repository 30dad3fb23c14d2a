"""Loops that do one thing at full speed: multiply-adds, tile products, or streaming.

They are independent of fastmlp's own kernels, so that fastmlp's speed can be compared with them.
"""

# Intrinsics are called without their first parameter, which the type checker cannot know.
# pyright: reportCallIssue=false
# Nor does it know that setuptools installs kernels/ as fastmlp.kernels.
# pyright: reportMissingImports=false

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.kernels.machine import isa

__all__ = [
    "FLOPS_PER_FMA_ROUND",
    "FLOPS_PER_TILE_ROUND",
    "TILE_BYTES",
    "fma_rounds",
    "tile_rounds",
    "tiles_available",
    "triad",
]

# A vector of float32, and enough accumulators to hide the latency of an FMA on both units.
LANES = isa.current().vector_bytes // 4
ACCUMULATORS = 24 if LANES == 16 else 12

FLOPS_PER_FMA_ROUND = 2 * LANES * ACCUMULATORS
"""Number of operations in one round of `fma_rounds`."""

FLOPS_PER_TILE_ROUND = 4 * 2 * 16 * 16 * 32
"""Number of operations in one round of `tile_rounds`: four products of 16 x 32 by 32 x 16."""

TILE_BYTES = 1024


@intrinsic
def _fma_loop(typingctx, n, factor, addend):
    def emit(context, builder, signature, arguments):
        n, factor, addend = arguments
        vector = ir.VectorType(ir.FloatType(), LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{LANES}f32"
        )
        factor, addend = _splat(builder, factor, vector), _splat(builder, addend, vector)
        # LLVM keeps these slots in registers.
        slots = [cgutils.alloca_once_value(builder, addend) for _ in range(ACCUMULATORS)]
        with cgutils.for_range(builder, n):
            for slot in slots:
                builder.store(builder.call(fma, [builder.load(slot), factor, addend]), slot)
        total = builder.load(slots[0])
        for slot in slots[1:]:
            total = builder.fadd(total, builder.load(slot))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(types.int64, types.float32, types.float32), emit


@numba.njit(nogil=True)
def fma_rounds(n):
    """Run `n` rounds of independent multiply-adds on registers; return a number that uses them."""
    return _fma_loop(n, np.float32(0.5), np.float32(1.0))


@intrinsic
def _tile_loop(typingctx, n, configuration, data):
    def emit(context, builder, signature, arguments):
        n, configuration, data = arguments
        byte, word = ir.IntType(8), ir.IntType(64)
        configuration = builder.inttoptr(configuration, byte.as_pointer())
        data = builder.inttoptr(data, byte.as_pointer())

        def call(name, arguments):
            function = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
            builder.call(
                cgutils.get_or_insert_function(builder.module, function, f"llvm.x86.{name}"),
                arguments,
            )

        def tile(number):
            return ir.Constant(byte, number)

        call("ldtilecfg", [configuration])
        for number in range(4):
            call("tilezero", [tile(number)])
        for number in range(4):
            place = builder.gep(data, [ir.Constant(word, TILE_BYTES * number)])
            call("tileloadd64", [tile(4 + number), place, ir.Constant(word, 64)])
        with cgutils.for_range(builder, n):
            for number in range(4):
                operands = [tile(4 + number // 2), tile(6 + number % 2)]
                call("tdpbf16ps", [tile(number), *operands])
        place = builder.gep(data, [ir.Constant(word, TILE_BYTES * 4)])
        call("tilestored64", [tile(0), place, ir.Constant(word, 64)])
        call("tilerelease", [])
        return context.get_dummy_value()

    return types.void(types.int64, types.uintp, types.uintp), emit


@numba.njit(nogil=True)
def tile_rounds(n, configuration, data):
    """Run `n` rounds of four bfloat16 tile products; `tiles_available` must have returned True.

    Parameters
    ----------
    n : int
        Rounds.
    configuration, data : int
        Addresses of a tile configuration (64 bytes) and of five tiles: four factors, and one that
        is overwritten. The factors should hold realistic numbers, since zeros take less power and
        so allow a higher clock rate.

    """
    _tile_loop(n, configuration, data)


def tiles_available() -> bool:
    """Ask the system for permission to use the tile unit; return whether it is granted."""
    return isa.current().bf16_tiles


@numba.njit(nogil=True, error_model="numpy", fastmath=True)
def triad(a, b, c, rounds):
    """Set a = b + 3 c, `rounds` times, which streams three float32 arrays."""
    for _ in range(rounds):
        for i in range(a.size):
            a[i] = b[i] + np.float32(3) * c[i]


def _splat(builder, value, vector):
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, empty, lanes)
