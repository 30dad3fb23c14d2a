"""The base class of layers: it owns their arrays and converts their inputs and outputs."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common import capacity
from fastmlp.common.attributes import require_known
from fastmlp.common.errors import counted
from fastmlp.engine.parameters import Arrays, FlatStore
from fastmlp.layers.factors import checked

__all__ = ["Layer"]


class Layer:
    """Base class of layers: named parameters, their gradients, and state that is not trained.

    A standalone layer creates its arrays when they are first needed, in the dtype of its first
    input (float64 if they are read before that), and widens them if a wider input arrives. In a
    model, its arrays are views of the model's flat arrays and have the model's dtype. Outputs and
    input gradients have the dtype of the input, or float64 if the input holds integers.

    Your own layers do not have to inherit from this class: any object with
    ``forward(x, train=False)`` and ``backward(dy)`` works, plus dicts ``params`` and ``grads`` if
    it has something to learn.
    """

    seed: int = 0
    fade: float = 1.0  # what multiplies a probability of dropout, if there is one
    _params: Arrays | None = None
    _grads: Arrays | None = None
    _state: Arrays | None = None
    _store: FlatStore | None = None
    _index = 0
    _shape: tuple[int, ...] | None = None
    _dtype = np.dtype(np.float64)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a known attribute; refuse others, since a misspelt name would go unnoticed."""
        require_known(self, name)
        object.__setattr__(self, name, value)

    # How a layer describes itself.

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by name."""
        return {}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return initial values of the parameters, in float64."""
        return {}

    def start_state(self) -> dict[str, np.ndarray]:
        """Return initial values of the state, which is kept but not trained, in float64."""
        return {}

    def config(self) -> dict[str, Any]:
        """Return the constructor arguments of this layer as plain values."""
        return {}

    @property
    def input_width(self) -> int | None:
        """The number of input features that the layer requires, or None if it takes any number."""
        return None

    def output_width(self, width: int) -> int:
        """Return the number of output features for ``width`` input features.

        Raises
        ------
        ValueError
            If the layer requires a different number of input features.

        """
        if self.input_width not in (None, width):
            raise ValueError(
                f"{self!r} expects {counted(self.input_width, 'feature')}, got {width}"
            )
        return width

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the layer's output for the rows of x."""
        raise NotImplementedError

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx for the last input, given dL/dy, and store the gradients in ``grads``."""
        raise NotImplementedError

    def backward_first(self, dy: np.ndarray) -> Any:
        """Do what `backward` does for the first layer of a model, where nobody needs dL/dx."""
        return self.backward(dy)

    def begin_step(self, seed: int, step: int) -> None:
        """Prepare for a training step of ``fit``, which has this seed and number."""

    # The layer's arrays.

    @property
    def params(self) -> Arrays:
        """Parameters by name. Assign to them or edit them in place; the next call uses them."""
        if self._params is None:
            self.ensure_values(self.seed)
        return self._params  # type: ignore[return-value] - ensure_values has set it

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        if not self.param_shapes():
            raise TypeError(
                f"{type(self).__name__} declares no parameters: give it param_shapes() and "
                "draw(rng), or make it a class without the base Layer"
            )
        self.params.assign(values)

    @property
    def grads(self) -> Arrays:
        """Gradients from the last `backward` by name, in the shapes of `params`."""
        if self._grads is None and self._store is not None:
            self._grads = self._store.local_views(self._store.grad, self._index)
        elif self._grads is None:
            self._grads = Arrays({name: np.zeros_like(p) for name, p in self.params.items()})
        return self._grads

    @grads.setter
    def grads(self, values: Mapping[str, Any]) -> None:
        self.grads.assign(values)

    @property
    def state(self) -> Arrays:
        """Arrays by name that are saved with the layer but not trained."""
        if self._state is None:
            self._state = Arrays({name: np.array(a) for name, a in self.start_state().items()})
        return self._state

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        self.state.assign(values)

    @property
    def factors(self) -> Mapping[str, Mapping[str, float]]:
        """How each parameter array is trained: name -> factors of the optimizer's numbers.

        ``layer.factors = {"weight": {"rate": 0.1}}`` trains the weight at a tenth of the learning
        rate. The factors are ``rate``; ``eps``, of optimizers that have one; and ``decay``, of the
        weight decay, which is 1 for matrices and 0 for vectors unless it is given. The decay of a
        decoupled optimizer is a share of the array's own rate. To change them, assign all of them.
        """
        rows = vars(self).get("factors", {})
        return MappingProxyType({name: MappingProxyType(row) for name, row in rows.items()})

    @factors.setter
    def factors(self, values: Mapping[str, Mapping[str, float]]) -> None:
        vars(self)["factors"] = checked(values, self.param_shapes())
        self.settings_changed()

    @property
    def in_model(self) -> bool:
        """Whether the layer belongs to a model, so that its arrays are views of the model's."""
        return self._store is not None

    def ensure_values(self, seed: int | tuple[int, ...]) -> None:
        """Draw the parameters unless the layer has them already."""
        if self._params is not None:
            return
        size = sum(map(math.prod, self.param_shapes().values()))
        if not capacity.is_small(8 * size):
            capacity.require(8 * size, f"{self!r}", "choose a smaller one")
        draws = type(self).draw is not Layer.draw  # creating an unused generator is slow
        self._params = Arrays(self.draw(np.random.default_rng(seed)) if draws else {})

    def start_unset(self) -> None:
        """Use zeros that take no memory as parameters, until a model loads the real ones."""
        nothing = np.float64(0.0)
        self._params = Arrays(
            {name: np.broadcast_to(nothing, shape) for name, shape in self.param_shapes().items()}
        )

    def bind(self, store: FlatStore, index: int, views: Arrays) -> None:
        """Switch to views of a model's flat arrays, and cast the state to the model's dtype."""
        self._params, self._grads = views, None
        self._store, self._index = store, index
        self._state = _cast(self.state, store.dtype)

    def settings_changed(self) -> None:
        """Tell the model, if there is one, that plans made with the old settings are out of date.

        Called after a `Setting` has been assigned a new value.
        """
        if self._store is not None:
            self._store.version = object()

    def twin(self) -> "Layer":
        """Return a layer for another thread: it shares the arrays but remembers its own inputs."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    # Conversion of x and dy on the way in and out.

    def _enter(self, x: Any, width: int | None = None, dtype: np.dtype | None = None) -> np.ndarray:
        """Return x as rows (N, D) in the layer's dtype; remember its own shape and dtype."""
        x = np.asarray(x)
        self._shape, self._dtype = x.shape, _floating(x.dtype)
        rows = ops.as_rows(np.atleast_1d(x), self._working_dtype() if dtype is None else dtype)
        if width is not None and (x.ndim < 2 or rows.shape[1] != width):
            raise ValueError(
                f"{self!r} expects rows of {counted(width, 'feature')}, got shape {x.shape}"
            )
        return rows

    def _enter_gradient(self, dy: Any, width: int | None = None) -> np.ndarray:
        """Return dy as rows (N, H) in the layer's dtype."""
        if self._shape is None:
            raise ValueError(f"{type(self).__name__}.backward needs a forward pass first")
        n = self._shape[0] if self._shape else 1
        width = math.prod(self._shape[1:]) if width is None else width
        dy = np.asarray(dy)
        if dy.size != n * width:
            raise ValueError(
                f"{self!r} expects a gradient of shape ({n}, {width}), that of its last output, "
                f"got {dy.shape}"
            )
        return ops.as_rows(dy.reshape(n, width), self._working_dtype())

    def _leave(self, rows: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Return rows in the given shape (default: the input's) and in the input's dtype."""
        dtype = self._dtype if self._store is None else rows.dtype
        shape = self._shape if shape is None else shape
        assert shape is not None, "_enter has kept the shape of the input"
        return rows.reshape(shape).astype(dtype, copy=False)

    def _working_dtype(self) -> np.dtype:
        """Return the dtype of this layer's arrays, after widening them to the input's if needed."""
        if self._store is not None:
            return self._store.dtype
        arrays = [a for group in (self._params, self._state) if group for a in group.values()]
        held = [array.dtype for array in arrays]
        dtype = np.result_type(self._dtype, *held)
        if any(d != dtype for d in held) or (self._params is None and dtype != np.float64):
            self._params = _cast(self.params, dtype)
            self._state = _cast(self.state, dtype)
            self._grads = None
        return dtype

    def __getstate__(self) -> dict[str, Any]:
        """Drop references to the model and the last input, so that a copy is independent."""
        kept = {"_params", "_state"}
        return {
            name: value
            for name, value in vars(self).items()
            if name in kept or not name.startswith("_")
        }

    def __repr__(self) -> str:
        """Show the call that creates this layer."""
        values = (f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({', '.join(values)})"


def _floating(dtype: np.dtype) -> np.dtype:
    """Return float32 for float32 and float16, float64 for everything else."""
    return np.dtype(np.float32 if dtype.name in ("float32", "float16") else np.float64)


def _cast(arrays: Mapping[str, np.ndarray], dtype: np.dtype) -> Arrays:
    return Arrays({name: np.array(a, dtype=dtype, order="C") for name, a in arrays.items()})
