"""Flushing denormal numbers to 0 while a thread trains.

A network that fits its data has gradients near 0 with denormal squares, and arithmetic on denormals
is many times slower. The setting is per thread, and is restored at the end.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["flush_denormals", "restore_denormals"]

FLUSH_TO_ZERO, DENORMALS_ARE_ZERO = 0x8000, 0x0040  # bits of the x86 register MXCSR


@intrinsic
def flush_denormals(typingctx):
    """``flush_denormals()``: treat denormals as 0 from now on; return the previous setting."""

    def emit(context, builder, signature, arguments):
        if not _has_mxcsr(builder):
            return context.get_constant(types.int32, 0)
        place = cgutils.alloca_once(builder, ir.IntType(32))
        _call(builder, "llvm.x86.sse.stmxcsr", place)
        before = builder.load(place)
        flags = ir.IntType(32)(FLUSH_TO_ZERO | DENORMALS_ARE_ZERO)
        builder.store(builder.or_(before, flags), place)
        _call(builder, "llvm.x86.sse.ldmxcsr", place)
        return before

    return types.int32(), emit


@intrinsic
def restore_denormals(typingctx, setting):
    """``restore_denormals(setting)``: restore the setting that ``flush_denormals`` returned."""

    def emit(context, builder, signature, arguments):
        if _has_mxcsr(builder):
            place = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(arguments[0], place)
            _call(builder, "llvm.x86.sse.ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(types.int32), emit


def _has_mxcsr(builder) -> bool:
    return builder.module.triple.startswith(("x86_64", "amd64"))


def _call(builder, name, place):
    pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
    function_type = ir.FunctionType(ir.VoidType(), [pointer.type])
    builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), [pointer])
