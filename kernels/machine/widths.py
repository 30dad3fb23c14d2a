"""How wide the vectors are that LLVM uses for the loops of a function.

It prefers half vectors on processors where, long ago, full ones lowered the clock. Loops become
vector code in the function that they are written in, before that is inlined.
"""

from numba.core import types
from numba.extending import intrinsic

from . import isa

__all__ = ["wide_doubles", "wide_vectors"]


@intrinsic
def wide_vectors(typingctx):
    """``wide_vectors()``: let LLVM use full vectors for the loops of the function that says so."""

    def emit(context, builder, signature, arguments):
        _widen(builder)
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def wide_doubles(typingctx, array):
    """``wide_doubles(array)``: `wide_vectors` if the array is in float64.

    In float32, roots and divisions of full vectors take longer than those of two halves.
    """

    def emit(context, builder, signature, arguments):
        if signature.args[0].dtype == types.float64:
            _widen(builder)
        return context.get_dummy_value()

    return types.void(array), emit


def _widen(builder):
    bits = isa.current().vector_bytes * 8
    # llvmlite checks names against a list that has no room for a value
    set.add(builder.function.attributes, f'"prefer-vector-width"="{bits}"')
