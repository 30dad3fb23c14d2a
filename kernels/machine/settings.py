"""Numbers that compiled code reads from memory, because they differ from machine to machine.

The same compiled kernel then suits every machine with its instructions.
"""

import ctypes

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["make_setting"]

_PREFIX = "fastmlp_setting_"
_kept: dict[str, ctypes.c_int64] = {}  # compiled code has their addresses


def make_setting(name: str, value: int):
    """Make ``setting()``, which returns the value when it runs; the name must be unique."""
    if name in _kept:
        raise ValueError(f"there is a setting {name!r} already")
    _kept[name] = ctypes.c_int64(value)
    llvm.add_symbol(_PREFIX + name, ctypes.addressof(_kept[name]))

    @intrinsic
    def setting(typingctx):
        def emit(context, builder, signature, arguments):
            module, symbol = builder.module, _PREFIX + name
            if symbol not in module.globals:
                ir.GlobalVariable(module, ir.IntType(64), symbol).linkage = "external"
            return builder.load(module.globals[symbol])

        return types.int64(), emit

    return setting
