"""Calling kernels by address, through a table in memory.

A kernel called in the usual way becomes part of the caller's machine code: it is compiled again for
each caller, and a switch compiles all its variants even if a network needs only one. A kernel
called by address is compiled once, when a plan first needs it.

A `Link` is one kernel. A `Family` is a set of kernels with the same signature, such as the updates
of all optimizers: ``FAMILY.call(memory, code, ...)`` calls the one at position ``code`` of its
table. An error in a called kernel ends the caller with the same error, and a code without a kernel
is also an error.

A call takes the table of a run's arrays (see ``plan.op``), whose first row locates the table of
addresses. That table begins with two numbers for each link or family: for a link, its address; for
a family, the position of its members' addresses and their number. An address of 0 means that the
plan did not request the kernel.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.callconv import Status
from numba.extending import intrinsic

from . import compiling
from .crew import Task, compile_missing
from .simd import data_pointer

__all__ = [
    "BLOCK", "BOOL", "BYTES", "DOUBLE", "DOUBLES", "INT", "INTS", "KEY", "MATRIX", "MEMORY", "REAL",
    "REALS", "Block", "Family", "Link", "address_of", "number", "propagate", "table_of",
    "task_of",
]  # fmt: skip


class Block(NamedTuple):
    """Rows [row, row_end) and columns [column, column_end) of a matrix."""

    row: int
    row_end: int
    column: int
    column_end: int


INT, BOOL, KEY, DOUBLE = types.int64, types.boolean, types.uint64, types.float64
INTS, BYTES = types.Array(types.int64, 1, "C"), types.Array(types.uint8, 1, "C")
DOUBLES, MEMORY = types.Array(types.float64, 1, "C"), types.Array(types.int64, 2, "C")
BLOCK = types.NamedUniTuple(types.int64, 4, Block)
# Placeholders for a number, a flat array and a matrix in the working dtype.
REAL, REALS, MATRIX = "real", "reals", "matrix"

OUTCOME = types.UniTuple(types.int64, 2)  # a call's status, and the address of its error


@dataclass(eq=False)
class Link:
    """A kernel that is called by address.

    Attributes
    ----------
    module, name : str
        Its location: ``fastmlp.kernels.<module>.<name>``.
    arguments : tuple
        The types it is compiled for; REAL, REALS and MATRIX depend on the working dtype.
    place : int
        Its row in the table of addresses, see `number`.
    call : intrinsic
        ``call(memory, *arguments)``.
    attempt : intrinsic
        Like ``call``, but returns any error; pass it to `propagate` to raise it.

    """

    module: str
    name: str
    arguments: tuple[Any, ...]
    place: int = -1
    call: Any = field(default=None, repr=False)
    attempt: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.call, self.attempt = _make_call(self), _make_attempt(self)

    def signature(self, real: types.Type) -> tuple[types.Type, ...]:
        """Return the argument types for a working dtype."""
        array = {REAL: real, REALS: types.Array(real, 1, "C"), MATRIX: types.Array(real, 2, "C")}
        return tuple(array.get(a, a) if isinstance(a, str) else a for a in self.arguments)

    def kernel(self, code: int = 0) -> Any:
        """Return the kernel; a family returns the one with this code."""
        return getattr(_module(self.module), self.name)


@dataclass(eq=False)
class Family(Link):
    """Kernels with one signature, called by their code: the position in a table.

    ``fastmlp.kernels.<module>.TABLE`` is a sequence of rows with a ``name`` and, as the attribute
    ``<name of the family>``, a kernel or None.
    """

    def rows(self) -> Sequence[Any]:
        """Return the table."""
        return _module(self.module).TABLE

    def kernel(self, code: int = 0) -> Any:
        """Return the kernel with this code."""
        row = self.rows()[code]
        kernel = getattr(row, self.name)
        if kernel is None:
            raise LookupError(f"{row.name!r} of {self.module} has no kernel {self.name!r}")
        return kernel


def number(links: Iterable[Link]) -> None:
    """Number all links and families in order, setting their ``place``."""
    for place, link in enumerate(links):
        link.place = place


def table_of(links: Sequence[Link], needed: Iterable[Any], dtype: np.dtype) -> np.ndarray:
    """Compile the needed kernels, or load them from the cache; return the table of addresses.

    Parameters
    ----------
    links : sequence of Link
        All links and families, in the order of their places.
    needed : iterable of Link or (Family, int)
        The kernels that a plan calls: links, and members of a family by code.
    dtype : numpy.dtype
        The working dtype.

    """
    heads, members = np.zeros(2 * len(links), np.int64), []
    for link in links:
        if isinstance(link, Family):
            heads[2 * link.place] = len(heads) + len(members)
            heads[2 * link.place + 1] = len(link.rows())
            members += [0] * len(link.rows())
    table = np.concatenate([heads, np.array(members, np.int64)])
    tasks = [task_of(*((what, 0) if isinstance(what, Link) else what), dtype) for what in needed]
    compile_missing(tasks)
    for task in tasks:
        place = 2 * task.place
        if isinstance(links[task.place], Family):
            place = table[place] + task.code
        table[place] = address_of(task.kernel, task.signature)
    compiling.watch.finish()
    return table


def task_of(link: Link, code: int, dtype: np.dtype) -> Task:
    """Return what is to be compiled for a link, or for a family's member."""
    name = np.dtype(dtype).name
    signature = link.signature(getattr(types, name))
    return Task(link.place, code, name, link.kernel(code), signature)


def _module(name: str) -> Any:
    return import_module(f"..{name}", __package__)


_known: dict[Any, int] = {}  # kernel and signature -> address


def address_of(kernel: Any, signature: tuple[types.Type, ...]) -> int:
    """Compile a kernel, or load it from the cache, and return its address."""
    if (kernel, signature) not in _known:
        kernel.compile(signature)
        compiled = kernel.overloads[signature]
        if compiled.signature.return_type != types.none:
            raise TypeError(f"{kernel} returns something, which nobody who calls it could get")
        library, name = compiled.library, compiled.fndesc.llvm_func_name
        _known[kernel, signature] = library.get_pointer_to_function(name)
    return _known[kernel, signature]


def _make_call(link: Link):
    """Return an intrinsic that calls a kernel and raises its errors."""

    @intrinsic
    def call(typingctx, memory, *arguments):
        def emit(context, builder, signature, values):
            status = _emit_call(link, context, builder, signature, values)
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value()

        _check_types(link, arguments)
        return types.void(memory, types.StarArgTuple(arguments)), emit

    return call


def _make_attempt(link: Link):
    """Return an intrinsic that calls a kernel and returns its status."""

    @intrinsic
    def attempt(typingctx, memory, *arguments):
        def emit(context, builder, signature, values):
            status = _emit_call(link, context, builder, signature, values)
            word = ir.IntType(64)
            code = builder.sext(status.code, word)
            code = builder.select(status.is_error, code, word(0))
            where = builder.ptrtoint(status.excinfoptr, word)
            where = builder.select(status.is_user_exc, where, word(0))
            return context.make_tuple(builder, OUTCOME, (code, where))

        _check_types(link, arguments)
        return OUTCOME(memory, types.StarArgTuple(arguments)), emit

    return attempt


@intrinsic
def propagate(typingctx, outcome):
    """``propagate(outcome)``: raise the error that ``attempt`` returned, if any."""

    def emit(context, builder, signature, values):
        code, where = cgutils.unpack_tuple(builder, values[0])
        failed = builder.icmp_signed("!=", code, code.type(0))
        convention = context.call_conv
        with cgutils.if_unlikely(builder, failed):
            place = convention._get_excinfo_argument(builder.function)
            code = builder.trunc(code, ir.IntType(32))
            status = Status(
                code=code, is_ok=None, is_none=None, is_error=failed, is_stop_iteration=None,
                is_python_exc=None, is_user_exc=None,
                excinfoptr=builder.inttoptr(where, place.type.pointee),
            )  # fmt: skip
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(outcome), emit


def _check_types(link: Link, arguments: Sequence[Any]) -> None:
    """Raise unless a call's types match its link; a family's code comes first."""
    given = tuple(types.unliteral(a) for a in arguments)
    code = (INT,) if isinstance(link, Family) else ()
    expected = {(*code, *link.signature(real)) for real in (types.float32, types.float64)}
    if given not in expected:
        raise TypeError(f"{link.module}.{link.name} is called with {given}, not as its link says")


def _emit_call(link: Link, context, builder, signature, values):
    """Emit the call and return its status."""
    types_given = [types.unliteral(a) for a in signature.args[1].types]
    arguments = cgutils.unpack_tuple(builder, values[1])
    rows = data_pointer(context, builder, signature, values, 0)
    word = ir.IntType(64)
    table = builder.inttoptr(builder.load(rows), word.as_pointer())
    place = word(2 * link.place)
    if isinstance(link, Family):
        code, *arguments = arguments
        types_given = types_given[1:]
        count = builder.load(builder.gep(table, [builder.add(place, word(1))]))
        unknown = builder.icmp_unsigned(">=", code, count)
        _raise_if(context, builder, unknown, f"no {link.name} of {link.module} has this code")
        place = builder.add(builder.load(builder.gep(table, [place])), code)
    address = builder.load(builder.gep(table, [place]))
    missing = builder.icmp_signed("==", address, word(0))
    _raise_if(context, builder, missing, f"the plan did not ask for {link.module}.{link.name}")
    function_type = context.call_conv.get_function_type(types.none, types_given)
    function = builder.inttoptr(address, function_type.as_pointer())
    status, _ = context.call_conv.call_function(
        builder, function, types.none, types_given, arguments
    )
    return status


def _raise_if(context, builder, condition, message: str) -> None:
    with cgutils.if_unlikely(builder, condition):
        context.call_conv.return_user_exc(builder, LookupError, (message,))
