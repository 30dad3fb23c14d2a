"""Synchronising threads inside a kernel: atomic counters and a spinning barrier.

The threads are ordinary Python threads, each in one kernel call without the interpreter lock.
Counters are elements of an int64 array; they only grow, so they never need a reset.
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

SPINS = 1000  # about 40 microseconds; then a thread yields to others


@inner
def wait_for_all(control, place, arrivals, abort):
    """Wait until this has been called ``arrivals`` times in total with the same place.

    ``arrivals`` counts all calls since the counter was 0: k * n at the k-th barrier of n threads.
    Returns at once if control[abort] is set, since then some thread will never arrive.
    """
    fetch_add(control, place, 1)
    spins = 0
    while atomic_load(control, place) < arrivals and atomic_load(control, abort) == 0:
        spins = keep_waiting(spins)


@inner
def keep_waiting(spins):
    """Pause once in a waiting loop that has paused ``spins`` times; return spins + 1."""
    if spins < SPINS:
        relax()
    else:
        yield_processor()
    return spins + 1


@intrinsic
def fetch_add(typingctx, counters, index, amount):
    """``fetch_add(counters, index, amount)``: add, and return the previous value."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), emit


@intrinsic
def exchange_if(typingctx, counters, index, expected, value):
    """``exchange_if(counters, index, expected, value)``: write value if the element is expected.

    Returns whether it was written; no other thread can write in between.
    """

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        result = builder.cmpxchg(pointer, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(result, 1)

    return types.boolean(counters, types.int64, types.int64, types.int64), emit


@intrinsic
def atomic_load(typingctx, counters, index):
    """``atomic_load(counters, index)``: load with acquire ordering."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(counters, types.int64), emit


@intrinsic
def atomic_store(typingctx, counters, index, value):
    """``atomic_store(counters, index, value)``: store with release ordering."""

    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments)
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, types.int64, types.int64), emit


@intrinsic
def relax(typingctx):
    """``relax()``: tell the processor that this is a spin loop."""

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
    """``yield_processor()``: let another thread run on this processor."""

    def emit(context, builder, signature, arguments):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        function_type = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), [])
        return context.get_dummy_value()

    return types.void(), emit


def _pointer(context, builder, signature, arguments):
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])
