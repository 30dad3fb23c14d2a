"""Elementary functions that LLVM can vectorise.

The C library's ``exp`` and ``tanh`` are scalar calls. The functions below are plain arithmetic,
accurate to a few units in the last place in float32 and float64, so LLVM vectorises loops of them.
"""

import math

import llvmlite.ir as ir
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from . import isa
from .jit import inner
from .simd import declare

__all__ = [
    "bounded_exp", "constant", "cos_of_turns", "exp", "expm1", "fused_multiply_add", "log1p",
    "logistic", "maximum", "one", "reciprocal", "root", "sign", "sin_of_turns", "tanh", "zero",
]  # fmt: skip

HAS_WIDE_VECTORS = isa.current().vector_bytes == 64


@inner
def exp(x):
    """e**x = 2**k * e**r with k = round(x / ln 2), |r| <= ln(2)/2 and e**r by its Taylor series.

    Overflows to infinity, underflows to zero, keeps NaN.
    """
    highest, lowest = constant(x, 710.0, 89.0), constant(x, -746.0, -104.0)
    x = highest if x > highest else x
    x = lowest if x < lowest else x
    k, r = _reduce(x)
    # two factors, because 2**k itself overflows or is denormal at the ends of its range
    half = round_to_even(k * constant(x, 0.5, 0.5))
    return (one(x) + _series(r)) * power_of_two(half) * power_of_two(k - half)


@inner
def bounded_exp(x):
    """e**x for -708 <= x <= 709, or -87 <= x <= 88 in float32, as ``exp``."""
    k, r = _reduce(x)
    return (one(x) + _series(r)) * power_of_two(k)


@inner
def expm1(x):
    """e**x - 1 without cancellation near 0, for x <= 80; the same reduction as ``exp``."""
    lowest = constant(x, -700.0, -80.0)
    x = lowest if x < lowest else x
    k, r = _reduce(x)
    scale = power_of_two(k)
    return fused_multiply_add(scale, _series(r), scale - one(x))


@inner
def log1p(x):
    """log(1 + x) for 0 <= x <= 1: 2 artanh(s) = 2 (s + s**3/3 + s**5/5 + ...), s = x / (2 + x)."""
    s = x / (constant(x, 2.0, 2.0) + x)
    q = s * s  # at most 1/9, so that the terms to s**15 (float32) or s**33 (float64) are enough
    t = constant(x, 1.0 / 33.0, 1.0 / 15.0)
    if is_double(x):
        t = fused_multiply_add(t, q, constant(x, 1.0 / 31.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 29.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 27.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 25.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 23.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 21.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 19.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 17.0, 0.0))
        t = fused_multiply_add(t, q, constant(x, 1.0 / 15.0, 0.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 13.0, 1.0 / 13.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 11.0, 1.0 / 11.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 9.0, 1.0 / 9.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 7.0, 1.0 / 7.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 5.0, 1.0 / 5.0))
    t = fused_multiply_add(t, q, constant(x, 1.0 / 3.0, 1.0 / 3.0))
    s += s
    return fused_multiply_add(s, t * q, s)  # a sum: a product could be contracted with what follows


@inner
def root(x):
    """The square root of x >= 0, for loops that also divide.

    Processors take roots in the unit that divides, which in float64 takes several times as long as
    the arithmetic that it takes otherwise, if vectors are wide.
    """
    if is_double(x) and HAS_WIDE_VECTORS:
        return _root_without_divider(x)
    return math.sqrt(x)


@inner
def _root_without_divider(x):
    """The square root of x >= 0, rounded as the processor's own.

    y approximates 1 / sqrt(x): with e = 1 - x y**2, the next y is y (1 + e/2 + 3/8 e**2 + 5/16
    e**3), which leaves 35/128 e**4. At last, s = x y is corrected by what remains, x - s**2
    (Markstein, 1990).
    """
    y = _nearly_inverse_root(x)
    half = constant(x, 0.5, 0.5)
    for _ in range(2):
        e = fused_multiply_add(-(x * y), y, one(x))
        p = fused_multiply_add(e, constant(x, 0.3125, 0.3125), constant(x, 0.375, 0.375))
        y = fused_multiply_add(y * e, fused_multiply_add(p, e, half), y)
    s = x * y
    s = fused_multiply_add(fused_multiply_add(-s, s, x), half * y, s)
    return s if x < constant(x, np.inf, np.inf) else x


@intrinsic
def _nearly_inverse_root(typingctx, x):
    """1 / sqrt(x) within 3.5 %, from half of the exponent (Lomont, 2003)."""

    def emit(context, builder, signature, arguments):
        word, start = ir.IntType(32), 0x5F375A86
        if signature.args[0] == types.float64:
            word, start = ir.IntType(64), 0x5FE6EB50C7B537A9
        half = builder.lshr(builder.bitcast(arguments[0], word), word(1))
        return builder.bitcast(builder.sub(word(start), half), arguments[0].type)

    return x(x), emit


@inner
def sign(x):
    """-1, 0 or 1 in the type of x, and NaN for NaN."""
    nought, unit = zero(x), one(x)
    return unit if x > nought else (-unit if x < nought else x)


@inner
def tanh(x):
    """tanh(x) = e / (e + 2) with e = e**(2x) - 1; beyond |x| = 20 it is +-1 to the last bit."""
    limit = constant(x, 20.0, 10.0)
    x = limit if x > limit else x
    x = -limit if x < -limit else x
    e = expm1(x + x)
    return e / (e + constant(x, 2.0, 2.0))


@inner
def cos_of_turns(t):
    """cos(2 pi t): the sine of a quarter turn less |t|, after t is reduced to [-1/2, 1/2]."""
    t = t - round_to_even(t)
    return _sin_of_turns(constant(t, 0.25, 0.25) - abs(t))


@inner
def sin_of_turns(t):
    """sin(2 pi t): t is reduced to [-1/2, 1/2] and mirrored at +-1/4."""
    t = t - round_to_even(t)
    half, quarter = constant(t, 0.5, 0.5), constant(t, 0.25, 0.25)
    mirrored = half - t if t > quarter else t
    return _sin_of_turns(-half - t if t < -quarter else mirrored)


@inner
def _sin_of_turns(t):
    """sin(2 pi t) for |t| <= 1/4: y - y**3/3! + ... to y**13 (float32) or y**21, y = 2 pi t."""
    y = t * constant(t, 6.283185307179586, 6.283185307179586)
    q = y * y
    s = constant(t, 1.0 / 51090942171709440000.0, 1.0 / 6227020800.0)
    if is_double(t):
        s = fused_multiply_add(s, q, constant(t, -1.0 / 121645100408832000.0, 0.0))
        s = fused_multiply_add(s, q, constant(t, 1.0 / 355687428096000.0, 0.0))
        s = fused_multiply_add(s, q, constant(t, -1.0 / 1307674368000.0, 0.0))
        s = fused_multiply_add(s, q, constant(t, 1.0 / 6227020800.0, 0.0))
    s = fused_multiply_add(s, q, constant(t, -1.0 / 39916800.0, -1.0 / 39916800.0))
    s = fused_multiply_add(s, q, constant(t, 1.0 / 362880.0, 1.0 / 362880.0))
    s = fused_multiply_add(s, q, constant(t, -1.0 / 5040.0, -1.0 / 5040.0))
    s = fused_multiply_add(s, q, constant(t, 1.0 / 120.0, 1.0 / 120.0))
    s = fused_multiply_add(s, q, constant(t, -1.0 / 6.0, -1.0 / 6.0))
    return fused_multiply_add(s * q, y, y)


@inner
def logistic(x):
    """1 / (1 + e**-x)."""
    return one(x) / (one(x) + exp(-x))


@inner
def _reduce(x):
    """Split x = k * ln 2 + r, with ln 2 in two parts so that r keeps all its bits."""
    k = round_to_even(x * constant(x, 1.4426950408889634, 1.4426950408889634))
    r = fused_multiply_add(-k, constant(x, 6.93147180369123816490e-01, 0.693359375), x)
    return k, fused_multiply_add(-k, constant(x, 1.90821492927058770002e-10, -2.12194440e-4), r)


@inner
def _series(r):
    """e**r - 1 = r + r**2/2! + ... to r**7 (float32) or r**13 (float64), by Horner's rule."""
    s = constant(r, 1.0 / 6227020800.0, 1.0 / 5040.0)
    if is_double(r):
        s = fused_multiply_add(s, r, constant(r, 1.0 / 479001600.0, 0.0))
        s = fused_multiply_add(s, r, constant(r, 1.0 / 39916800.0, 0.0))
        s = fused_multiply_add(s, r, constant(r, 1.0 / 3628800.0, 0.0))
        s = fused_multiply_add(s, r, constant(r, 1.0 / 362880.0, 0.0))
        s = fused_multiply_add(s, r, constant(r, 1.0 / 40320.0, 0.0))
        s = fused_multiply_add(s, r, constant(r, 1.0 / 5040.0, 0.0))
    s = fused_multiply_add(s, r, constant(r, 1.0 / 720.0, 1.0 / 720.0))
    s = fused_multiply_add(s, r, constant(r, 1.0 / 120.0, 1.0 / 120.0))
    s = fused_multiply_add(s, r, constant(r, 1.0 / 24.0, 1.0 / 24.0))
    s = fused_multiply_add(s, r, constant(r, 1.0 / 6.0, 1.0 / 6.0))
    s = fused_multiply_add(s, r, constant(r, 0.5, 0.5))
    s = fused_multiply_add(s, r, one(r))
    return s * r


@intrinsic
def is_double(typingctx, x):
    """``is_double(x)``: a compile-time constant, so the branch not taken is never compiled."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(types.boolean, signature.args[0] == types.float64)

    return types.boolean(x), emit


@intrinsic
def one(typingctx, x):
    """``one(x)``: 1 in the type of x."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(signature.args[0], 1.0)

    return x(x), emit


@intrinsic
def zero(typingctx, x):
    """``zero(x)``: 0 in the type of x."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(signature.args[0], 0.0)

    return x(x), emit


@intrinsic
def constant(typingctx, x, double, single):
    """``constant(x, double, single)``: the constant for float64 or float32, in the type of x."""

    def emit(context, builder, signature, arguments):
        if signature.args[0] == types.float64:
            return arguments[1]
        return builder.fptrunc(arguments[2], ir.FloatType())

    return x(x, types.float64, types.float64), emit


@intrinsic
def fused_multiply_add(typingctx, a, b, c):
    """``fused_multiply_add(a, b, c)``: a * b + c, which no optimisation splits."""

    def emit(context, builder, signature, arguments):
        function = declare(builder, "llvm.fmuladd", arguments[0].type, 3)
        return builder.call(function, arguments)

    return a(a, a, a), emit


@intrinsic
def maximum(typingctx, a, b):
    """``maximum(a, b)``: the larger one; NaN if either is.

    Where a or b is to be stored in its own place, LLVM would make a choice between the two a store
    of some lanes, from which the next load waits for the cache.
    """

    def emit(context, builder, signature, arguments):
        return builder.call(declare(builder, "llvm.maximum", arguments[0].type, 2), arguments)

    return a(a, a), emit


@intrinsic
def reciprocal(typingctx, x):
    """``reciprocal(x)``: 1 / x, by one division that all who need it share.

    LLVM would sink a usual 1 / x into each product with it, which then has a division of its own.
    """

    def emit(context, builder, signature, arguments):
        one = ir.Constant(arguments[0].type, 1.0)
        return builder.fdiv(one, arguments[0], flags=("nsz",))  # without flags, it gets them all

    return x(x), emit


@intrinsic
def round_to_even(typingctx, x):
    """``round_to_even(x)``: the nearest whole number, in the type of x."""

    def emit(context, builder, signature, arguments):
        return builder.call(declare(builder, "llvm.rint", arguments[0].type, 1), arguments)

    return x(x), emit


@intrinsic
def power_of_two(typingctx, k):
    """``power_of_two(k)``: 2**k for a whole k in the range of normal numbers, by its bits."""

    def emit(context, builder, signature, arguments):
        float_type = arguments[0].type
        if signature.args[0] == types.float64:
            integer, bias, shift = ir.IntType(64), 1023, 52
        else:
            integer, bias, shift = ir.IntType(32), 127, 23
        exponent = builder.add(builder.fptosi(arguments[0], integer), integer(bias))
        return builder.bitcast(builder.shl(exponent, integer(shift)), float_type)

    return k(k), emit
