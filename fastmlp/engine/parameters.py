"""The flat store: all parameters of a model in one array, all gradients in another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from fastmlp import ops
from fastmlp.common import capacity
from fastmlp.common.errors import unknown

__all__ = ["Arrays", "FlatLayer", "FlatStore", "Slot"]

_STRIDE = 16  # every tensor starts on a multiple of this many elements


class Arrays(dict[str, np.ndarray]):
    """Named arrays. Assignment copies values into the existing array, so a view stays a view.

    Raises
    ------
    ValueError
        If an assigned name is unknown, or an assigned array has a different shape.

    """

    def __setitem__(self, name: str, value: Any) -> None:
        """Copy the value into the array with that name."""
        if name not in self:
            raise unknown("array", name, self)
        array, target = np.asarray(value), self[name]
        if array.shape != target.shape:
            raise ValueError(f"{name} must have shape {target.shape}, got {array.shape}")
        target[...] = array

    def assign(self, values: Mapping[str, Any]) -> None:
        """Copy each value into the array with its name."""
        for name, value in values.items():
            self[name] = value

    # dict.update and |= would replace the arrays and take more kinds of arguments.
    update = assign  # type: ignore[assignment]

    # dict's may return any mapping.
    def __ior__(self, values: Mapping[str, Any]) -> "Arrays":  # type: ignore[override]
        """Copy each value into the array with its name."""
        self.assign(values)
        return self

    def __reduce__(self) -> tuple[type["Arrays"], tuple[dict[str, np.ndarray]]]:
        """Pickle and copy as a plain dict of arrays."""
        return Arrays, (dict(self),)


@dataclass(frozen=True)
class Slot:
    """The position of one tensor in the flat arrays.

    Attributes
    ----------
    layer : int
        Index of its layer.
    local : str
        Its name in the layer, ``"weight"``.
    offset : int
        Its first element; a multiple of 16.
    shape : tuple of int

    """

    layer: int
    local: str
    offset: int
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The tensor's name in the model, ``"0.weight"``."""
        return f"{self.layer}.{self.local}"

    @property
    def size(self) -> int:
        """The number of elements, without padding."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """The index just past its last element."""
        return self.offset + self.size

    @property
    def is_weight(self) -> bool:
        """Whether weight decay, l2 and max-norm apply: to matrices, not to biases or gammas."""
        return len(self.shape) >= 2

    def factors(self, given: Mapping[str, Mapping[str, float]]) -> tuple[float, float, float]:
        """Return its factors of rate, epsilon and decay, out of those that its layer gives."""
        own = given.get(self.local, {})
        decay = own.get("decay", 1.0 if self.is_weight else 0.0)
        return own.get("rate", 1.0), own.get("eps", 1.0), decay

    def view(self, flat: np.ndarray) -> np.ndarray:
        """Return its part of a flat array as a view with its shape."""
        return flat[self.offset : self.end].reshape(self.shape)


class FlatLayer(Protocol):
    """What the store needs from a layer."""

    @property
    def params(self) -> Arrays:
        """Its parameters by name."""
        ...

    @property
    def factors(self) -> Mapping[str, Mapping[str, float]]:
        """The factors of its parameters by name, if they are not trained like all others."""
        ...

    @property
    def in_model(self) -> bool:
        """Whether it already belongs to a store."""
        ...

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""
        ...

    def ensure_values(self, seed: int | tuple[int, ...]) -> None:
        """Initialise the parameters unless it already has them."""
        ...

    def bind(self, store: "FlatStore", index: int, views: Arrays) -> None:
        """Replace its parameters with views of the store's arrays."""
        ...


class FlatStore:
    """One 64-byte-aligned array of all parameters and, on demand, one of all gradients.

    The constructor copies the layers' parameters in; from then on, the layers hold views.

    Parameters
    ----------
    layers : sequence of Layer
        Layer i is initialised with the seed (seed, i), unless it already has values.
    dtype : numpy.dtype
        float32 or float64.
    seed : int

    Attributes
    ----------
    slots : tuple of Slot
        In layer order.
    slots_of : tuple of list of Slot
        The slots of each layer.
    theta : numpy.ndarray, shape (n,)
        All parameters; the padding between tensors is always zero.
    params : Arrays
        Name -> view of theta.
    version : object
        Replaced whenever a layer's settings change.

    """

    def __init__(self, layers: tuple[FlatLayer, ...], dtype: np.dtype, seed: int):
        _require_free(layers)
        self.dtype = dtype
        self.layers = layers
        self.version: object = object()
        self.slots_of: tuple[list[Slot], ...] = tuple([] for _ in layers)
        offset = 0
        for index, layer in enumerate(layers):
            for local, shape in layer.param_shapes().items():
                slot = Slot(index, local, offset, tuple(shape))
                self.slots_of[index].append(slot)
                offset += -(-slot.size // _STRIDE) * _STRIDE
        self.slots: tuple[Slot, ...] = tuple(slot for slots in self.slots_of for slot in slots)
        largest = max((slot.size for slot in self.slots), default=0)  # drawn in float64
        n_bytes = offset * dtype.itemsize + largest * 8
        if not capacity.is_small(n_bytes):
            what = f"a network of {self.n_parameters:,} parameters"
            capacity.require(n_bytes, what, "choose smaller layers")
        self.theta: np.ndarray = ops.aligned_zeros(offset, dtype)
        self._grad: np.ndarray | None = None
        for index, layer in enumerate(layers):
            layer.ensure_values((seed, index))
            views = self.local_views(self.theta, index)
            for local, view in views.items():
                view[...] = layer.params[local]
            layer.bind(self, index, views)
        self.params: Arrays = self.views(self.theta)

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like theta; created when first needed."""
        if self._grad is None:
            self._grad = ops.aligned_zeros(self.theta.size, self.dtype)
        return self._grad

    @property
    def factors(self) -> np.ndarray:
        """The factors of rate, epsilon and decay of each slot: float64, shape (slots, 3)."""
        given = [layer.factors for layer in self.layers]
        if not any(given):
            return _usual_factors(tuple(slot.is_weight for slot in self.slots))
        rows = [slot.factors(given[slot.layer]) for slot in self.slots]
        return np.array(rows, np.float64).reshape(-1, 3)

    @property
    def n_parameters(self) -> int:
        """The number of parameters, without padding."""
        return sum(slot.size for slot in self.slots)

    def views(self, flat: np.ndarray) -> Arrays:
        """Return views of an array laid out like theta, by parameter name."""
        return Arrays({slot.name: slot.view(flat) for slot in self.slots})

    def local_views(self, flat: np.ndarray, index: int) -> Arrays:
        """Return views for the layer with that index, by local name."""
        return Arrays({slot.local: slot.view(flat) for slot in self.slots_of[index]})


@cache
def _usual_factors(are_weights: tuple[bool, ...]) -> np.ndarray:
    """Return the factors of slots of which no layer gives any; nobody may write to them."""
    return np.array([(1.0, 1.0, float(is_weight)) for is_weight in are_weights]).reshape(-1, 3)


def _require_free(layers: tuple[FlatLayer, ...]) -> None:
    """Raise if a layer is in another model, or appears twice in this one."""
    seen: set[int] = set()
    for index, layer in enumerate(layers):
        if layer.in_model or id(layer) in seen:
            raise ValueError(
                f"layer {index}, {layer!r}, is part of a model already: "
                "make a new layer, or pass copy.deepcopy(layer)"
            )
        seen.add(id(layer))
