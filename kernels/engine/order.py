"""The order of an epoch's rows, drawn from a counter-based generator.

Bit for bit what numpy gives: ``Generator(Philox(key=[seed, epoch])).permutation(n)``.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ..machine.jit import inner

__all__ = ["shuffle"]

# Philox4x64 (Salmon, Moraes, Dror and Shaw, 2011): two multipliers, and what is added to the keys.
MULTIPLY0, MULTIPLY1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
ADD0, ADD1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
N_ROUNDS = 10
NOUGHT, UNIT, HALF, LOW = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(0xFFFFFFFF)


@inner
def shuffle(order, seed, epoch):
    """Swap each element, from the last down, with a random one up to it (Durstenfeld, 1964).

    Its number is the lower bits of a draw, as many as i has, and drawn again while it is above i. A
    block of the generator gives eight draws of 32 bits. At most 2**32 elements.
    """
    counter, n_drawn = NOUGHT, 8
    block = (NOUGHT, NOUGHT, NOUGHT, NOUGHT)
    mask, i = LOW, order.size - 1
    while i > 0:
        while mask >> UNIT >= np.uint64(i):
            mask = mask >> UNIT
        if n_drawn == 8:
            counter, n_drawn = counter + UNIT, 0
            block = _philox(counter, np.uint64(seed), np.uint64(epoch))
        word = block[n_drawn >> 1]
        draw = np.int64((word if n_drawn & 1 == 0 else word >> HALF) & mask)
        n_drawn += 1
        # a draw above i swaps the element with itself: no processor could foresee a branch here
        j = min(draw, i)
        order[i], order[j] = order[j], order[i]
        i -= np.int64(draw <= i)


@inner
def _philox(counter, key0, key1):
    """Return the block of a counter below 2**64."""
    a, b, c, d = counter, NOUGHT, NOUGHT, NOUGHT
    for _ in range(N_ROUNDS):
        high0, low0 = _product(MULTIPLY0, a)
        high1, low1 = _product(MULTIPLY1, c)
        a, b, c, d = high1 ^ b ^ key0, low1, high0 ^ d ^ key1, low0
        key0, key1 = key0 + ADD0, key1 + ADD1
    return a, b, c, d


@intrinsic
def _product(typingctx, a, b):
    """``_product(a, b)``: the upper and the lower 64 bits of a * b."""

    def emit(context, builder, signature, arguments):
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        high = builder.trunc(builder.lshr(product, wide(64)), word)
        halves = high, builder.trunc(product, word)
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), emit
