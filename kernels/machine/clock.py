"""A clock for compiled code."""

import sys

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["seconds"]

MONOTONIC = 6 if sys.platform == "darwin" else 1  # CLOCK_MONOTONIC of clock_gettime
WORD, STATUS = ir.IntType(64), ir.IntType(32)


@intrinsic
def seconds(typingctx):
    """``seconds()``: the time in seconds since some moment; it never goes back."""

    def emit(context, builder, signature, arguments):
        if sys.platform == "win32":
            (ticks,) = _ask(builder, "QueryPerformanceCounter", 1)
            (per_second,) = _ask(builder, "QueryPerformanceFrequency", 1)
            return builder.fdiv(_real(builder, ticks), _real(builder, per_second))
        whole, nano = _ask(builder, "clock_gettime", 2, STATUS(MONOTONIC))
        parts = builder.fmul(_real(builder, nano), ir.DoubleType()(1e-9))
        return builder.fadd(_real(builder, whole), parts)

    return types.float64(), emit


def _ask(builder, name, n_words, *arguments):
    """Call a function of the system that writes some 64-bit words; return them."""
    place = cgutils.alloca_once(builder, WORD, size=n_words)
    kinds = [*(argument.type for argument in arguments), WORD.as_pointer()]
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(STATUS, kinds), name)
    builder.call(function, [*arguments, place])
    return [builder.load(builder.gep(place, [WORD(i)])) for i in range(n_words)]


def _real(builder, word):
    return builder.sitofp(word, ir.DoubleType())
