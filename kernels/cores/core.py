"""What a core is, and what the engine asks of one.

A core is what an operation begins with: a product, a normalisation, or nothing. The engine calls
its kernels by address and knows nothing else of it. ``o`` is the number of the operation. Every
thread calls the same kernel and takes its own share of the work.

    forward(memory, zero, thread, o, step, n_rows, x)     y from x, in training mode, to the very
                                                          end: activation and dropout included
    infer(memory, zero, thread, o, step, n_rows, x)       the same in inference mode
    backward(memory, zero, thread, o, step, n_rows)       from dz of this operation that of the one
                                                          below, its activation and dropout included
    gradient(memory, zero, thread, u, n_rows, out, out0)  the gradient of piece u of its parameters,
                                                          to out[out0:]

and, where the core has them:

    take_input(memory, zero, o, block)       a block of its input is there
    take_gradient(memory, zero, o, block)    a block of its dz is there
    follow_update(memory, zero, u)           piece u of its parameters has changed
    limit_norms(memory, zero, thread, o, max_norm)
                                             scale each unit's incoming weights down to max_norm
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..machine.links import Link
from ..plan import op

__all__ = ["Core", "Memory", "Shape", "nothing", "one"]


class Shape(NamedTuple):
    """What an operation's needs depend on."""

    n_in: int
    n_out: int
    batch_size: int
    n_threads: int
    row_grain: int
    parts: int
    real_bytes: int


class Memory(Protocol):
    """Hands out places in a block of memory."""

    def take(self, n_elements: int) -> int:
        """Return where so many elements begin."""
        ...


def nothing(shape: Shape) -> int:
    """Return 0."""
    return 0


def one(shape: Shape) -> int:
    """Return 1."""
    return 1


@dataclass(frozen=True)
class Core:
    """A row of the table of cores.

    Attributes
    ----------
    name : str
    forward, infer, backward, gradient, take_input, take_gradient, follow_update, limit_norms
        Its kernels, None where it has none.
    training_calls, inference_calls : tuple of Link
        What its kernels call by address.
    backward_first : bool
        Whether its backward pass makes the gradients of its parameters too, so that it is needed
        even where nothing lies below.
    is_product : bool
        Whether it takes n_in * n_out multiply-adds a row.
    at_lower_precision : str or None
        The core that takes its place where products are of bfloat16 parts.
    row_grain : int
        Rows that it needs to stay together when a batch is divided; 0 for any number.
    split_columns : callable
        How many threads share its columns.
    grain : callable
        Columns are shared out by so many.
    running, scratch : callable
        How many running statistics it has, and how much scratch a thread needs.
    places : callable
        ``places(shape, workspace, packed, is_first)``: take what it needs of the two memories and
        return it as fields of the operation.
    pieces : callable
        ``pieces(shape, weight, bias)``: cut its parameters, which begin at ``weight`` and ``bias``,
        into the pieces of the update, (first input, last input, start, size) each.

    """

    name: str
    forward: Any
    infer: Any
    backward: Any
    gradient: Any = None
    take_input: Any = None
    take_gradient: Any = None
    follow_update: Any = None
    limit_norms: Any = None
    training_calls: tuple[Link, ...] = ()
    inference_calls: tuple[Link, ...] = ()
    backward_first: bool = False
    is_product: bool = False
    at_lower_precision: str | None = None
    row_grain: int = 0
    split_columns: Callable[[Shape], int] = one
    grain: Callable[[Shape], int] = one
    running: Callable[[Shape], int] = nothing
    scratch: Callable[[Shape], int] = nothing
    places: Callable[[Shape, Memory, Memory, bool], dict[int, int]] = lambda *_: {}
    pieces: Callable[[Shape, int, int], list[tuple[int, int, int, int]]] = lambda *_: []

    @property
    def hooks(self) -> int:
        """Which of the optional calls it wants, as the plan has it."""
        wanted = (
            (op.TAKES_INPUT, self.take_input),
            (op.TAKES_GRADIENT, self.take_gradient),
            (op.FOLLOWS_UPDATES, self.follow_update),
            (op.LIMITS_NORMS, self.limit_norms),
            (op.BACKWARD_FIRST, self.backward_first or None),
        )
        return sum(int(bit) for bit, kernel in wanted if kernel is not None)
