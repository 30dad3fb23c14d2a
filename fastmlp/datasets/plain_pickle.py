"""A safe reader of pickles that hold only dicts, lists, strings, numbers and uint8 arrays.

The standard unpickler calls whatever a file names. Even with a restricted ``find_class`` it passes
the file's arguments to numpy's constructors, and a small file can make it allocate gigabytes. This
reader executes only the instructions that plain data needs. It recognises the few names that an
array needs but never looks them up, so a file cannot cause any import or call.
"""

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["load_plain"]

MAX_INSTRUCTIONS = 500_000
"""An official CIFAR-10 batch has about 40,000; more could only be meant to fill the memory."""

MAX_ENCODED = 1 << 26
"""Limit on the total output of all ``_codecs.encode`` calls, which can share one long input."""


def load_plain(data: bytes) -> Any:
    """Return the object that a pickle of plain data describes.

    Parameters
    ----------
    data : bytes
        The whole pickle, protocol 2 to 5. The caller limits its length; the result takes at most a
        small multiple of that, or of ``MAX_INSTRUCTIONS``.

    Returns
    -------
    object
        Consists of dict (with bytes or str keys), list, tuple, bytes, str, int, bool, None, and
        read-only uint8 arrays. Python 2 strings become bytes.

    Raises
    ------
    ValueError
        If the pickle is damaged or asks for anything else. The message is a clause such as "it is
        a damaged pickle".

    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count == MAX_INSTRUCTIONS:
                raise _RefusedError(f"it has more than {MAX_INSTRUCTIONS} instructions")
            if opcode.name not in _STEPS:
                raise _RefusedError(f"it uses {opcode.name}, which plain data does not need")
            _STEPS[opcode.name](machine, argument)
        return machine.pop()
    except _RefusedError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # genops refuses wrong lengths and encodings; the other errors come from a corrupt stack.
        raise ValueError(f"it is a damaged pickle ({type(error).__name__})") from None


class _RefusedError(ValueError):
    """The pickle asks for something that is not plain data."""


@dataclass(frozen=True)
class _Name:
    """A global name in the file; it is only compared, never looked up."""

    module: str
    name: str


class _Array:
    """The result of a call of ``_reconstruct``; a BUILD instruction fills it later."""

    contents: np.ndarray | None = None


_MARK, _UINT8 = object(), object()
_NDARRAY, _DTYPE = _Name("numpy", "ndarray"), _Name("numpy", "dtype")
# numpy 2 writes _core where numpy 1 wrote core; protocol 5 writes _frombuffer.
_RECONSTRUCT = {_Name(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
_FROM_BUFFER = {_Name(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")}
_ENCODE = _Name("_codecs", "encode")  # used by Python 3 for bytes in protocol 2
_NAMES = {_NDARRAY, _DTYPE, _ENCODE} | _RECONSTRUCT | _FROM_BUFFER


class _Machine:
    """The pickle machine: its stack and its memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.n_encoded = 0

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise LookupError("mark")
        return value.contents if isinstance(value, _Array) else value

    def pop_to_mark(self) -> list[Any]:
        items = []
        while self.stack[-1] is not _MARK:
            items.append(self.pop())
        self.stack.pop()
        items.reverse()
        return items

    def pop_tuple(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(items)))

    def remember(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("append")
        target.extend(values)

    def set_items(self, flat: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(flat) % 2:
            raise TypeError("items")
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            # No other keys, since hashing deeply nested tuples can take forever.
            if type(key) not in (bytes, str):
                raise _RefusedError("it has a dict whose keys are not strings")
            target[key] = value

    def push_name(self, module: str, name: str) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError("name")
        wanted = _Name(module, name)
        if wanted not in _NAMES:
            raise _RefusedError(f"it asks for {module}.{name}"[:100] + ", which no data file needs")
        self.push(wanted)

    def reduce(self) -> None:
        """Push what the call ``function(*arguments)`` would return."""
        arguments, function = self.pop(), self.pop()
        if type(function) is not _Name:
            raise TypeError("call")
        if function in _RECONSTRUCT and arguments[0] == _NDARRAY:
            self.push(_Array())
        elif function == _DTYPE:
            if arguments[0] not in ("u1", b"u1"):
                raise _RefusedError("it holds an array that is not uint8")
            self.push(_UINT8)
        elif function in _FROM_BUFFER:
            buffer, dtype, shape, order = arguments
            self.push(_uint8_array(buffer, dtype, shape, "F" if order == "F" else "C"))
        elif function == _ENCODE and arguments[1] == "latin1":
            self.push(self.encoded(arguments[0]))
        else:
            raise _RefusedError("it makes a call that no data file needs")

    def encoded(self, text: str) -> bytes:
        self.n_encoded += len(text)
        if self.n_encoded > MAX_ENCODED:
            raise _RefusedError(f"its strings expand to more than {MAX_ENCODED} bytes")
        return str.encode(text, "latin1")

    def build(self) -> None:
        """Fill the object below the top of the stack with the contents at the top."""
        state = self.pop()
        target = self.stack[-1]
        if target is _UINT8:
            return
        if not isinstance(target, _Array) or target.contents is not None:
            raise _RefusedError("it changes an object in a way that no data file needs")
        _, shape, dtype, fortran, buffer = state
        target.contents = _uint8_array(buffer, dtype, shape, "F" if fortran else "C")


def _uint8_array(buffer: Any, dtype: Any, shape: Any, order: Literal["C", "F"]) -> np.ndarray:
    """Return an array that is a view of the bytes and so takes no extra memory."""
    if dtype is not _UINT8 or not isinstance(buffer, (bytes, bytearray)):
        raise _RefusedError("it holds an array that is not uint8")
    # Few dimensions only, since their product could become a huge number.
    sound = type(shape) is tuple and len(shape) <= 4 and all(type(n) is int for n in shape)
    if not sound or min(shape, default=0) < 0 or math.prod(shape) != len(buffer):
        raise _RefusedError("it holds an array whose shape does not fit its contents")
    return np.frombuffer(buffer, np.uint8).reshape(shape, order=order)


_Step = Callable[[_Machine, Any], None]


def _ignore(machine: _Machine, argument: Any) -> None:
    """Do nothing: the instruction has no effect on plain data."""


def _push_argument(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _push_python2_string(machine: _Machine, argument: str) -> None:
    machine.push(argument.encode("latin-1"))


def _put(machine: _Machine, argument: int | None) -> None:
    machine.remember(argument)


def _get(machine: _Machine, argument: int) -> None:
    machine.push(machine.memo[argument])


def _stack_global(machine: _Machine, argument: None) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push_name(module, name)


_STEPS: dict[str, _Step] = {
    **dict.fromkeys(["PROTO", "FRAME", "STOP"], _ignore),
    **dict.fromkeys(["SHORT_BINSTRING", "BINSTRING"], _push_python2_string),
    **dict.fromkeys(["SHORT_BINUNICODE", "BINUNICODE"], _push_argument),
    **dict.fromkeys(["SHORT_BINBYTES", "BINBYTES", "BYTEARRAY8"], _push_argument),
    **dict.fromkeys(["BININT", "BININT1", "BININT2"], _push_argument),
    **dict.fromkeys(["BINPUT", "LONG_BINPUT", "MEMOIZE"], _put),
    **dict.fromkeys(["BINGET", "LONG_BINGET"], _get),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": lambda machine, _: machine.push(_MARK),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.pop_tuple(1),
    "TUPLE2": lambda machine, _: machine.pop_tuple(2),
    "TUPLE3": lambda machine, _: machine.pop_tuple(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "GLOBAL": lambda machine, name: machine.push_name(*name.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
}
