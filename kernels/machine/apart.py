"""Telling LLVM that the arrays of a function do not overlap, so that it need not look."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["nothing_overlaps"]


@intrinsic
def nothing_overlaps(typingctx):
    """``nothing_overlaps()``: what the function that says so writes, it reads from nowhere else.

    Otherwise LLVM compares the places of all arrays before each loop, and with more than eight
    pairs it makes no vector code at all.
    """

    def emit(context, builder, signature, arguments):
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), emit
