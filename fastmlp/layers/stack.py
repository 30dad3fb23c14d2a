"""A sequence of layers that share one flat array of parameters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from fastmlp.common.errors import counted
from fastmlp.common.rows import Rows
from fastmlp.common.validation import as_data, as_weights, float_dtype, seed_int
from fastmlp.engine import layerwise
from fastmlp.engine.parameters import Arrays, FlatStore, Slot
from fastmlp.layers.base import Layer
from fastmlp.layers.checks import require_settings, require_widths
from fastmlp.layers.custom import Custom, as_layer
from fastmlp.layers.flatten import Flatten
from fastmlp.layers.normalization import Normalize
from fastmlp.layers.table import table

__all__ = ["Stack"]


class Stack:
    """Base class of `fastmlp.Sequential`: its layers, and the flat arrays of their parameters.

    Attributes
    ----------
    stages : tuple of Layer
        The layers, with custom ones wrapped.
    seed : int
    dtype : numpy.dtype

    """

    _rebuilt: tuple[str, ...] = ("stages", "_store", "_fits")  # never pickled

    def __init__(self, layers: tuple[Any, ...], seed: int, dtype: Any):
        if not layers:
            raise ValueError("a model needs at least one layer")
        self.seed: int = seed_int("seed", seed)
        self.dtype: np.dtype = float_dtype(dtype)
        self._build(layers)

    def _build(self, layers: tuple[Any, ...]) -> None:
        self.stages: tuple[Layer, ...] = tuple(as_layer(layer) for layer in layers)
        require_widths(self.stages)
        require_settings(self.stages, self.dtype)
        self._store = FlatStore(self.stages, self.dtype, self.seed)
        self._fits: tuple[tuple[int, ...] | None, int] = None, 0  # last valid shape of a row

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers as they were passed."""
        return tuple(s.layer if isinstance(s, Custom) else s for s in self.stages)

    @property
    def theta(self) -> np.ndarray:
        """All parameters in one array, in which each tensor starts at a multiple of 16 elements."""
        return self._store.theta

    @theta.setter
    def theta(self, values: Any) -> None:
        self._store.theta[...] = values

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like `theta`; created at the first access."""
        return self._store.grad

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The position of each tensor in `theta` and `grad`."""
        return self._store.slots

    @property
    def factors(self) -> np.ndarray:
        """The factors of rate, epsilon and decay of each slot: float64, shape (slots, 3)."""
        return self._store.factors

    @property
    def version(self) -> object:
        """An object that is replaced whenever a setting of a layer, such as eps, changes."""
        return self._store.version

    @property
    def params(self) -> Arrays:
        """Views of `theta` by name, such as ``"0.weight"`` (layer index and local name)."""
        return self._store.params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        self._store.params.assign(values)

    @property
    def grads(self) -> Arrays:
        """Views of `grad` by name."""
        return self._store.views(self.grad)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Arrays by name that are saved but not trained, such as ``"1.running_mean"``."""
        return {
            f"{i}.{n}": a for i, layer in enumerate(self.stages) for n, a in layer.state.items()
        }

    @property
    def n_parameters(self) -> int:
        """Number of trainable values, without padding."""
        return self._store.n_parameters

    def check_inputs(self, X: np.ndarray) -> int:
        """Return the number of outputs for rows like X; raise ValueError for a wrong shape."""
        if X.shape[1:] == self._fits[0]:
            return self._fits[1]
        if any(isinstance(layer, Custom) for layer in self.stages):
            outputs = layerwise.forward([layer.twin() for layer in self.stages], X[:1])
            return math.prod(outputs.shape[1:])
        width = math.prod(X.shape[1:])
        first = next((s.input_width for s in self.stages if s.input_width is not None), width)
        if width != first:
            raise ValueError(
                f"X must have {counted(first, 'feature')} per row, as {self.stages[0]!r} expects, "
                f"got {width}"
            )
        for layer in self.stages:
            width = layer.output_width(width)
        self._fits = X.shape[1:], width
        return width

    def require_width(self) -> int:
        """Return the number of features of a row; raise ValueError if no layer says it."""
        width = next((s.input_width for s in self.stages if s.input_width is not None), None)
        if width is None:
            raise ValueError(f"none of the layers of {self!r} says how many inputs there are")
        return width

    def check_data(self, loss: Any, X: Any, y: Any, weights: Any = None, suffix: str = "") -> Rows:
        """Check X, targets and weights, and return them in the form used for training."""
        inputs = as_data(X, self.dtype, f"X{suffix}", exact=self.takes_exactly)
        n_outputs, n_rows = self.check_inputs(inputs), len(inputs)
        loss.require_dtype(self.dtype)
        targets = loss.as_targets(y, n_rows, n_outputs, self.dtype, f"y{suffix}")
        if weights is not None:
            weights = as_weights(weights, n_rows, self.dtype, f"sample_weight{suffix}")
        return Rows(inputs, targets, weights)

    def check_validation(self, loss: Any, data: Any) -> Rows | None:
        """Check ``validation_data`` and return it in the form used for validation."""
        if data is None:
            return None
        if not isinstance(data, tuple | list) or len(cast("Sequence[Any]", data)) not in (2, 3):
            raise TypeError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
        return self.check_data(loss, *data, suffix=" of validation_data")

    def takes_exactly(self) -> bool:
        """Tell whether the inputs must not be rounded before the model standardises them."""
        first = next((s for s in self.stages if not isinstance(s, Flatten)), None)
        if not isinstance(first, Normalize):
            return False
        return first.dtype_between(self.dtype) != self.dtype

    def summary(self) -> None:
        """Print a table of the layers, their outputs and their numbers of parameters."""
        sizes = [sum(slot.size for slot in slots) for slots in self._store.slots_of]
        print(table(self.stages, sizes))
        print(f"{self.n_parameters:,} parameters, {self.dtype}")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the flat arrays, since the layers hold the values."""
        kept = {name: v for name, v in vars(self).items() if name not in self._rebuilt}
        return kept | {"layers": self.layers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the flat arrays from the layers' values."""
        state = dict(state)
        layers = state.pop("layers")
        self.__dict__.update(state)
        self._build(layers)

    def __repr__(self) -> str:
        """Show the layers."""
        return f"{type(self).__name__}({', '.join(repr(layer) for layer in self.stages)})"
