"""Lowering layers to operations: which layers to fuse, and how many threads to use.

A layer with kernels has a method ``lowered(width)``, which returns one of the parts in
`fastmlp.engine.plan`; ``width`` is the number of its input features. The method is not inherited: a
derived class may compute something else, so it has no lowering unless it defines its own.
"""

from collections.abc import Sequence

from fastmlp.engine import threads
from fastmlp.engine.plan import (
    Core,
    Drop,
    Elementwise,
    Nothing,
    Operation,
    Part,
    Standardise,
    core_row,
)
from fastmlp.engine.protocols import Layer, Model

__all__ = ["fuse", "fused", "part_of", "useful_threads"]

_FLOPS_WORTH_A_THREAD = 5_000_000

_Fused = tuple[list[Operation], Standardise | None]


def fused(model: Model, width: int) -> _Fused:
    """Return `fuse` for the layers of a model that has a plan."""
    found = fuse(model.stages, width)
    assert found is not None, "a model without a plan is run layer by layer"
    return found


def fuse(layers: Sequence[Layer], n_features: int) -> _Fused | None:
    """Return the layers' operations and the standardisation of their input, if any.

    Returns None if a layer has no lowering, or none in its position.
    """
    operations: list[Operation] = []
    standardise: Standardise | None = None
    width = n_features
    for index, layer in enumerate(layers):
        part = part_of(layer, width)
        last = operations[-1] if operations else None
        if part is None:
            return None
        if isinstance(part, Nothing):
            continue
        if isinstance(part, Standardise):
            if last is not None or standardise is not None:
                return None
            standardise = part
        elif isinstance(part, Core):
            core = Operation(part.name, index, width, part.n_out, numbers=part.numbers)
            core.sizes, core.inner_activation = part.sizes, part.activation
            operations.append(core)
            width = part.n_out
        elif isinstance(part, Elementwise):
            if last is None or last.activates or last.drops:
                last = _pass(operations, width)
            last.activation, last.alpha = part.name, part.alpha
        elif isinstance(part, Drop):
            if last is None or last.drops:
                last = _pass(operations, width)
            last.dropout, last.dropout_layer = part.p, index
    if not operations:
        _pass(operations, width)
    return operations, standardise


def part_of(layer: Layer, width: int) -> Part | None:
    """Return a layer's part, None if its own class does not define ``lowered``."""
    lowered = vars(type(layer)).get("lowered")
    return None if lowered is None else lowered(layer, width)


def useful_threads(
    operations: Sequence[Operation], batch_size: int, n_threads: int | None = None
) -> int:
    """Return how many threads a step can use; a small step ends before a thread has woken up.

    At most ``n_threads`` (default: as many as the process may use) and `threads.MOST`.
    """
    products = sum(o.n_in * o.n_out for o in operations if core_row(o.core).is_product)
    n_worth = int(6 * batch_size * products // _FLOPS_WORTH_A_THREAD)
    if n_worth <= 1:
        return 1
    n_asked = threads.available() if n_threads is None else n_threads
    return min(n_worth, n_asked, threads.MOST)


def _pass(operations: list[Operation], width: int) -> Operation:
    """Add an operation without a product, for a part that cannot join the one before it."""
    operations.append(Operation("copy", -1, width, width))
    return operations[-1]
