"""What threads need inside a kernel: an atomic counter and a barrier that spins.

The threads are ordinary Python threads, each inside one kernel call without the interpreter lock.
Counters lie in an int64 array; they only grow, so that nobody has to reset them.
"""

import sys

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .jit import inner

__all__ = [
    "atomic_load",
    "atomic_store",
    "exchange_if",
    "fetch_add",
    "keep_waiting",
    "relax",
    "wait_for_all",
]

SPINS = 1000  # about 40 microseconds; after that a thread lets others run


@inner
def wait_for_all(control, place, arrivals, abort):
    """Return when ``arrivals`` threads in total have called this with the same place.

    ``arrivals`` counts all calls since the counter was 0: k-th barrier of n threads: k * n. Returns
    at once when control[abort] is set: a thread is missing and will never come.
    """
    fetch_add(control, place, 1)
    spins = 0
    while atomic_load(control, place) < arrivals and atomic_load(control, abort) == 0:
        spins = keep_waiting(spins)


@inner
def keep_waiting(spins):
    """Pass a moment, as a waiting loop that has done so ``spins`` times; return spins + 1."""
    if spins < SPINS:
        relax()
    else:
        yield_processor()
    return spins + 1


@intrinsic
def fetch_add(typingctx, counters, index, amount):
    """``fetch_add(counters, index, amount)``: add, and return the value before."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), emit


@intrinsic
def exchange_if(typingctx, counters, index, expected, value):
    """``exchange_if(counters, index, expected, value)``: write value if what is there is expected.

    Returns whether it was; nobody else can write in between.
    """

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        result = builder.cmpxchg(pointer, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(result, 1)

    return types.boolean(counters, types.int64, types.int64, types.int64), emit


@intrinsic
def atomic_load(typingctx, counters, index):
    """``atomic_load(counters, index)``: the value, and all that was written before it."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(counters, types.int64), emit


@intrinsic
def atomic_store(typingctx, counters, index, value):
    """``atomic_store(counters, index, value)``: publish all that was written before."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, types.int64, types.int64), emit


@intrinsic
def relax(typingctx):
    """``relax()``: tell the processor that this is a waiting loop."""

    def emit(context, builder, signature, arguments):
        triple = builder.module.triple
        if triple.startswith(("x86_64", "i686", "amd64")):
            function_type = ir.FunctionType(ir.VoidType(), [])
            pause = cgutils.get_or_insert_function(
                builder.module, function_type, "llvm.x86.sse2.pause"
            )
            builder.call(pause, [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def yield_processor(typingctx):
    """``yield_processor()``: let another thread of this processor run."""

    def emit(context, builder, signature, arguments):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        function_type = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), [])
        return context.get_dummy_value()

    return types.void(), emit


def _pointer(context, builder, signature, arguments):
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])
