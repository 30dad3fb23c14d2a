"""How the engine calls the kernels: by address, through a table.

A kernel that another one calls in the usual way becomes part of the caller's machine code, and
would be compiled once for each of its callers; and which of the copies a call then reaches, with
which bits, would depend on what else the process has loaded. So the engine calls those below by
their addresses: each is compiled once, when a plan first needs it, and there is only one copy.

`Link.call` is what the engine calls: the table of arrays first, then the kernel's own arguments.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .compiling import watch
from .opcodes import KERNELS
from .simd import data_pointer

__all__ = ["LINKS", "Link", "addresses"]

INT, BOOL, KEY, DOUBLE = types.int64, types.boolean, types.uint64, types.float64
INTS, BYTES = types.Array(types.int64, 1, "C"), types.Array(types.uint8, 1, "C")
DOUBLES = types.Array(types.float64, 1, "C")
# Placeholders for a number, a flat array and a matrix in the working dtype.
REAL, REALS, MATRIX = "real", "reals", "matrix"
MEMORY = types.Array(types.int64, 2, "C")

BLOCK = (INT, INT, INT, INT)  # row, row_end, column, column_end
EPILOGUE = (INT, REAL, REAL, KEY)  # activation, alpha, p, key
LOSS_ROWS = (REALS, REAL, MATRIX, DOUBLES, INTS, INT, INT, INT)
NORM_VECTORS = (REALS, REALS, REALS, REALS)


@dataclass
class Link:
    """A kernel that the engine calls.

    Attributes
    ----------
    subject, name : str
        Where it is.
    arguments : tuple
        The types it is compiled for, with the placeholders above.
    place : int
        Its row in the table of addresses.
    call : intrinsic
        ``call(memory, *arguments)``.

    """

    subject: str
    name: str
    arguments: tuple[Any, ...]
    place: int = 0
    call: Any = field(default=None, repr=False)

    def signature(self, real: types.Type) -> tuple[types.Type, ...]:
        """Return the types of the arguments for a working dtype."""
        array = {REAL: real, REALS: types.Array(real, 1, "C"), MATRIX: types.Array(real, 2, "C")}
        return tuple(array.get(a, a) if isinstance(a, str) else a for a in self.arguments)

    def address(self, real: types.Type) -> int:
        """Compile the kernel, or load it from the cache, and return where it is."""
        dispatcher = getattr(import_module(f".{self.subject}", __package__), self.name)
        signature = self.signature(real)
        dispatcher.compile(signature)
        compiled = dispatcher.overloads[signature]
        return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


LINKS = {
    link.name: link
    for link in (
        Link("gather", "gather_rows",
             (BYTES, INT, INTS, INT, REALS, REALS, DOUBLES, DOUBLES, INT, MATRIX, INT, INT, INT)),
        Link("affine", "affine_forward",
             (MATRIX, MATRIX, REALS, BOOL, *EPILOGUE, INT, MATRIX, MATRIX, INT, REALS, *BLOCK)),
        Link("affine", "affine_backward",
             (MATRIX, MATRIX, *EPILOGUE, MATRIX, MATRIX, INT, REALS, *BLOCK)),
        Link("affine", "weight_gradient",
             (MATRIX, MATRIX, INT, INT, REALS, INT, REALS, INT, INT, REALS, REALS, REALS, INT)),
        Link("affine", "bias_gradient", (MATRIX, INT, INT, REALS, INT, REALS)),
        Link("affine", "finish", (*EPILOGUE, INT, MATRIX, MATRIX, *BLOCK)),
        Link("affine", "unfinish", (*EPILOGUE, MATRIX, MATRIX, *BLOCK)),
        Link("affine_bf16", "prepare_factor", (MATRIX, REALS, INT, INT, INT, INT, INT, *BLOCK)),
        Link("affine_bf16", "prepare_gradient", (MATRIX, REALS, INT, INT, INT, INT, INT, *BLOCK)),
        Link("affine_bf16", "pack_weight_bf16",
             (REALS, INT, INT, INT, INT, REALS, INT, INT, INT, INT)),
        Link("affine_bf16", "affine_forward_bf16",
             (REALS, INT, INT, INT, REALS, INT, REALS, BOOL, *EPILOGUE, INT, MATRIX, MATRIX, INT,
              INT, REALS, *BLOCK)),
        Link("affine_bf16", "affine_backward_bf16",
             (REALS, INT, INT, INT, REALS, INT, *EPILOGUE, MATRIX, MATRIX, INT, INT, REALS,
              *BLOCK)),
        Link("affine_bf16", "weight_gradient_bf16",
             (REALS, INT, INT, INT, INT, INT, INT, INT, REALS, INT, REALS, INT, INT)),
        Link("inference", "infer_rows", (MEMORY, REAL, INT, INT)),
        Link("losses", "classify_rows", (INT, REAL, MATRIX, INTS, *LOSS_ROWS)),
        Link("losses", "regress_rows", (INT, REAL, MATRIX, MATRIX, *LOSS_ROWS)),
        Link("normalization", "batch_norm_train",
             (MATRIX, *NORM_VECTORS, REALS, REALS, MATRIX, REAL, REAL, INT, INT, INT)),
        Link("normalization", "batch_norm_row",
             (MATRIX, *NORM_VECTORS, REALS, REALS, MATRIX, REAL, REAL, INT, INT)),
        Link("normalization", "batch_norm_row_backward",
             (MATRIX, MATRIX, REALS, REALS, REALS, REALS, REALS, MATRIX, INT, INT)),
        Link("normalization", "batch_norm_inference",
             (MATRIX, *NORM_VECTORS, MATRIX, REAL, INT, INT, INT)),
        Link("normalization", "batch_norm_backward",
             (MATRIX, MATRIX, REALS, REALS, REALS, REALS, REALS, MATRIX, INT, INT, INT)),
        Link("normalization", "layer_norm_forward",
             (MATRIX, *NORM_VECTORS, MATRIX, REAL, INT, INT, INT)),
        Link("normalization", "layer_norm_backward",
             (MATRIX, MATRIX, REALS, REALS, REALS, MATRIX, INT, INT, INT)),
        Link("normalization", "layer_norm_parameters",
             (MATRIX, MATRIX, *NORM_VECTORS, INT, INT, INT)),
        Link("optimizers", "update",
             (INT, REALS, REALS, REALS, REALS, INT, INT, INT, DOUBLES, BOOL)),
        Link("optimizers", "limit_column_norms", (MATRIX, DOUBLE, INT, INT)),
    )
}  # fmt: skip


def addresses(names: Iterable[str], dtype: np.dtype) -> np.ndarray:
    """Return the table of addresses, int64, with 0 for all but the named kernels."""
    table, dtype = np.zeros(len(LINKS), np.int64), np.dtype(dtype)
    places = {name: (name, dtype.name) for name in names}
    missing = [place for place in places.values() if place not in _known]
    watch.expect(len(missing))
    for name, real in missing:
        _known[name, real] = LINKS[name].address(getattr(types, real))
    for name, place in places.items():
        table[LINKS[name].place] = _known[place]
    return table


_known: dict[tuple[str, str], int] = {}  # name of a kernel and dtype -> address


def _make_call(link: Link):
    """Make the intrinsic that calls a kernel by its address."""

    @intrinsic
    def call(typingctx, memory, *arguments):
        argument_types = tuple(types.unliteral(a) for a in arguments)
        expected = {link.signature(real) for real in (types.float32, types.float64)}
        if argument_types not in expected:
            raise TypeError(f"{link.name} is called with {argument_types}, not as its link says")

        def emit(context, builder, signature, values):
            values = [values[0], *cgutils.unpack_tuple(builder, values[1])]
            rows = data_pointer(context, builder, signature, values, 0)
            entry = builder.load(builder.gep(rows, [rows.type.pointee(int(2 * KERNELS))]))
            table = builder.inttoptr(entry, ir.IntType(64).as_pointer())
            address = builder.load(builder.gep(table, [ir.IntType(64)(link.place)]))
            function_type = context.call_conv.get_function_type(types.none, argument_types)
            function = builder.inttoptr(address, function_type.as_pointer())
            context.call_conv.call_function(
                builder, function, types.none, argument_types, values[1:]
            )
            return context.get_dummy_value()

        return types.void(memory, types.StarArgTuple(arguments)), emit

    return call


for _place, _link in enumerate(LINKS.values()):
    _link.place, _link.call = _place, _make_call(_link)
