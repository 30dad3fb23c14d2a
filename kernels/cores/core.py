"""The interface between the engine and a core.

A core is the first part of an operation: a product, a normalisation, or nothing. The engine calls
its kernels by address and needs nothing else from it. ``o`` is the number of the operation. Every
thread calls the same kernel and does its own share of the work.

    forward(memory, zero, thread, o, step, n_rows, x)     compute y from x in training mode,
                                                          including activation and dropout
    infer(memory, zero, thread, o, step, n_rows, x)       the same in inference mode
    backward(memory, zero, thread, o, step, n_rows)       compute dz of the operation below from
                                                          this dz, including activation and dropout
    gradient(memory, zero, thread, u, n_rows, out, out0)  write the gradient of piece u of its
                                                          parameters to out[out0:]

and, if the core has them:

    take_input(memory, zero, o, block)       a block of its input is ready
    take_gradient(memory, zero, o, block)    a block of its dz is ready
    follow_update(memory, zero, thread, u)   piece u of its parameters has changed
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
    """The sizes that determine an operation's memory and its division among threads."""

    n_in: int
    n_out: int
    batch_size: int
    n_threads: int
    row_grain: int
    parts: int
    real_bytes: int
    sizes: tuple[int, ...] = ()


class Memory(Protocol):
    """Allocates offsets within a block of memory."""

    def take(self, n_elements: int) -> int:
        """Allocate that many elements; return their offset."""
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
        Its kernels; None for one that it lacks.
    training_calls, inference_calls : tuple of Link
        The kernels that its own kernels call by address.
    backward_first : bool
        Whether its backward pass also computes the gradients of its parameters, so that it must
        run even in the first operation.
    drops_itself : bool
        Whether it applies its operation's dropout, in both passes.
    is_product : bool
        Whether it takes n_in * n_out multiply-adds per row.
    gapless : bool
        Whether rows of its input and output must follow each other without gaps.
    at_lower_precision : str or None
        The core that replaces it when products use bfloat16 parts.
    row_grain : int
        Rows are divided among threads in multiples of this; 0 if any number will do.
    split_columns : callable
        The number of threads that its columns are split over.
    grain : callable
        Columns are divided among threads in multiples of this.
    running, scratch : callable
        The number of its running statistics, and the scratch elements that a thread needs.
    places : callable
        ``places(shape, workspace, packed, is_first)``: allocate what it needs in the two memories
        and return the offsets as fields of the operation.
    pieces : callable
        ``pieces(shape, weight, bias)``: cut its parameters, which begin at ``weight`` and ``bias``,
        into update pieces (first input, last input, start, size).

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
    drops_itself: bool = False
    is_product: bool = False
    gapless: bool = False
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
        """The optional calls that it uses, as bits of ``op.HOOKS``."""
        wanted = (
            (op.TAKES_INPUT, self.take_input),
            (op.TAKES_GRADIENT, self.take_gradient),
            (op.FOLLOWS_UPDATES, self.follow_update),
            (op.LIMITS_NORMS, self.limit_norms),
            (op.BACKWARD_FIRST, self.backward_first or None),
            (op.DROPS_ITSELF, self.drops_itself or None),
        )
        return sum(int(bit) for bit, what in wanted if what is not None)
