"""A model: layers in a row over one flat array of parameters."""

import math
import secrets
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any

import numpy as np

from fastmlp import losses
from fastmlp.engine import inference, layerwise
from fastmlp.engine.parameters import Arrays, FlatStore, Slot
from fastmlp.exclusive import Exclusive
from fastmlp.layers.base import Layer
from fastmlp.layers.checks import require_settings, require_widths, warn_of_unlearned
from fastmlp.layers.custom import Custom, as_layer
from fastmlp.layers.flatten import Flatten
from fastmlp.layers.normalization import Normalize
from fastmlp.validation import (
    as_data,
    as_weights,
    float_dtype,
    non_negative,
    positive_int,
    seed_int,
)

__all__ = ["Model"]

_REBUILT = ("stages", "_store", "_training", "_fits", "has_plan", "per_thread")


class Model:
    """Layers in a row. `fastmlp.Sequential` is this and how it is trained.

    Parameters
    ----------
    *layers : Layer or object
        Ours, or a user's own with ``forward(x, train=False)`` and ``backward(dy)``.
    seed : int, default 0
        Of the starting weights. A layer that holds values already keeps them.
    dtype : {"float32", "float64"}, default "float32"
        Of parameters and arithmetic.

    Attributes
    ----------
    loss : Loss or None
        Of the last call of `fit`; `evaluate` and `loss_and_grads` take it where they are given
        none. Kept in copies, pickles and files, unless it is of a class of the user's own.

    Raises
    ------
    TypeError, ValueError
        If something is no layer, two neighbours do not fit, or a layer is in another model.

    """

    def __init__(self, *layers: Any, seed: int = 0, dtype: Any = "float32"):
        if not layers:
            raise ValueError("a model needs at least one layer")
        self.seed: int = seed_int("seed", seed)
        self.dtype: np.dtype = float_dtype(dtype)
        self.key: str = secrets.token_hex(8)  # by which an optimizer knows the model again
        self.told_layerwise = False  # whether the user knows that there is no plan for it
        self.loss: losses.Loss | None = None
        self._build(layers)
        warn_of_unlearned(self.stages)

    def _build(self, layers: tuple[Any, ...]) -> None:
        self.stages: tuple[Layer, ...] = tuple(as_layer(layer) for layer in layers)
        require_widths(self.stages)
        require_settings(self.stages, self.dtype)
        self._store = FlatStore(self.stages, self.dtype, self.seed)
        self.has_plan: bool = inference.can_infer(self)
        self.per_thread: threading.local = threading.local()  # for inference, see compiled
        self._training = Exclusive(
            "this model is being trained already: wait for that call of fit to return, or train "
            "copy.deepcopy(model)"
        )
        self._fits: tuple[tuple[int, ...] | None, int] = None, 0  # last shape of a row that fitted

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers as they were given."""
        return tuple(s.layer if isinstance(s, Custom) else s for s in self.stages)

    @property
    def theta(self) -> np.ndarray:
        """All parameters in one array, each tensor starting on a multiple of 16 elements."""
        return self._store.theta

    @theta.setter
    def theta(self, values: Any) -> None:
        self._store.theta[...] = values

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like `theta`; made when first asked for."""
        return self._store.grad

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Where each tensor lies in `theta` and `grad`."""
        return self._store.slots

    @property
    def version(self) -> object:
        """Another object after each change of a layer's settings, such as a slope or eps."""
        return self._store.version

    @property
    def params(self) -> Arrays:
        """Name (``"0.weight"``: layer index, local name) -> view of `theta`."""
        return self._store.params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        self._store.params.assign(values)

    @property
    def grads(self) -> Arrays:
        """Name -> view of `grad`."""
        return self._store.views(self.grad)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Name -> array that is kept but not trained, such as ``"1.running_mean"``."""
        return {
            f"{i}.{n}": a for i, layer in enumerate(self.stages) for n, a in layer.state.items()
        }

    @property
    def n_parameters(self) -> int:
        """Number of trained values, without padding."""
        return self._store.n_parameters

    def __call__(self, X: Any) -> np.ndarray:
        """Return `predict` of X."""
        return self.predict(X)

    def predict(self, X: Any, *, batch_size: int = 1024) -> np.ndarray:
        """Return the outputs in inference mode.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            Any real dtype. NaN and infinity come through as they are.
        batch_size : int, default 1024
            Rows computed at a time.

        Returns
        -------
        numpy.ndarray, shape (N, C), the model's dtype
            Logits or predictions. May be called from several threads at once. Arrays and settings
            of the layers, such as a slope or eps, may change between calls.

        Raises
        ------
        TypeError, ValueError
            If X is not numeric, empty, or has the wrong number of features.

        """
        X = as_data(X, self.dtype, finite=False, exact=self._takes_exactly)
        self.check_inputs(X)
        if type(batch_size) is not int or batch_size < 1:
            batch_size = positive_int("batch_size", batch_size)
        if self.has_plan:
            return inference.predict(self, X)
        return layerwise.predict(self, X, batch_size)

    def evaluate(
        self,
        X: Any,
        y: Any,
        *,
        loss: Any = None,
        batch_size: int = 1024,
        sample_weight: Any = None,
    ) -> tuple[float, float | None]:
        """Return loss and accuracy in inference mode.

        Parameters
        ----------
        X : array_like, shape (N, ...)
        y : array_like
            Labels (N,) or targets (N, C), as the loss takes them.
        loss : str or Loss, optional
            Default: that of the last call of `fit`, "cross_entropy" before the first.
        batch_size : int, default 1024
            Rows computed at a time.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        loss : float
            Without penalties.
        accuracy : float or None
            Share of right answers; None where the loss knows no right and wrong.

        """
        loss = self._loss(loss)
        batch_size = positive_int("batch_size", batch_size)
        X, y, weights = self.check_data(loss, X, y, sample_weight)
        if self.has_plan:
            return inference.evaluate(self, loss, X, y, weights)
        return layerwise.evaluate(self, loss, X, y, weights, batch_size)

    def loss_and_grads(
        self,
        X: Any,
        y: Any,
        *,
        loss: Any = None,
        l2: float = 0.0,
        sample_weight: Any = None,
        train: bool = False,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of some rows and its gradient on every parameter.

        Parameters
        ----------
        X : array_like, shape (N, ...)
        y : array_like
            Labels (N,) or targets (N, C), as the loss takes them.
        loss : str or Loss, optional
            Default: that of the last call of `fit`, "cross_entropy" before the first.
        l2 : float, default 0.0
            Adds 0.5 * l2 * sum(W * W) over the weight matrices to the loss.
        sample_weight : array_like, shape (N,), optional
        train : bool, default False
            Whether Dropout drops and BatchNorm uses, and follows, the statistics of these rows.

        Returns
        -------
        loss : float
        grads : dict of numpy.ndarray
            Name -> gradient, a copy; ``model.grad`` holds the same until the next call, which is
            where ``optimizer.step(model)`` reads it.

        """
        loss = self._loss(loss)
        l2 = non_negative("l2", l2)
        X, y, weights = self.check_data(loss, X, y, sample_weight)
        value, _ = layerwise.loss_and_grads(self, loss, X, y, weights, l2, train)
        return value, dict(self._store.views(self.grad.copy()))

    def check_inputs(self, X: np.ndarray) -> int:
        """Return the number of outputs for rows like X; raise ValueError if they do not fit."""
        if X.shape[1:] == self._fits[0]:
            return self._fits[1]
        width = math.prod(X.shape[1:])
        if any(isinstance(layer, Custom) for layer in self.stages):
            return math.prod(layerwise.predict(self, X[:1], 1).shape[1:])
        first = next((s.input_width for s in self.stages if s.input_width is not None), width)
        if width != first:
            raise ValueError(
                f"X must have {first} features in a row, as {self.stages[0]!r} expects, got {width}"
            )
        for layer in self.stages:
            width = layer.output_width(width)
        self._fits = X.shape[1:], width
        return width

    def check_data(
        self, loss: losses.Loss, X: Any, y: Any, weights: Any = None, suffix: str = ""
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return X, targets and weights, checked, in the form that training takes."""
        X = as_data(X, self.dtype, f"X{suffix}", exact=self._takes_exactly)
        n_outputs = self.check_inputs(X)
        loss.require_dtype(self.dtype)
        y = loss.as_targets(y, len(X), n_outputs, self.dtype, f"y{suffix}")
        if weights is not None:
            weights = as_weights(weights, len(X), self.dtype, f"sample_weight{suffix}")
        return X, y, weights

    def _loss(self, loss: Any) -> losses.Loss:
        if loss is None:
            loss = "cross_entropy" if self.loss is None else self.loss
        return losses.get(loss)

    def _takes_exactly(self) -> bool:
        """Tell whether X is standardised first, and loses its content if it is rounded before."""
        first = next((s for s in self.stages if not isinstance(s, Flatten)), None)
        if not isinstance(first, Normalize):
            return False
        return first.dtype_between(self.dtype) != self.dtype

    def being_trained(self) -> AbstractContextManager[None]:
        """Keep another thread from training the model at the same time.

        Raises
        ------
        RuntimeError
            If one does already.

        """
        return self._training.held()

    def summary(self) -> None:
        """Print a table: layers, outputs, parameters."""
        rows, width = [("", "layer", "outputs", "parameters")], None
        for index, layer in enumerate(self.stages):
            width = layer.input_width if width is None else width
            known = width is not None and not isinstance(layer, Custom)
            width = layer.output_width(width) if known else None  # type: ignore[arg-type]
            size = sum(slot.size for slot in self._store.slots_of[index])
            rows.append(
                (str(index), repr(layer), "?" if width is None else str(width), f"{size:,}")
            )
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for index, (number, name, outputs, size) in enumerate(rows):
            print(
                f"{number:>{widths[0]}}  {name:<{widths[1]}}  {outputs:>{widths[2]}}  "
                f"{size:>{widths[3]}}"
            )
            if index == 0:
                print("-" * (sum(widths) + 6))
        print(f"{self.n_parameters:,} parameters, {self.dtype}")

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to a safetensors file, whole or not at all; see `fastmlp.load`.

        Raises
        ------
        TypeError
            If it has a layer of the user's own.
        ValueError
            If the name ends like that of another format, such as .onnx or .pt.
        OSError
            If the file cannot be written; an older file of that name is then untouched.

        Warns
        -----
        RuntimeWarning
            If weights are NaN or infinite; the file is written all the same.

        """
        from fastmlp import saving

        saving.save(self, path)

    def __getstate__(self) -> dict[str, Any]:
        """The layers hold the values; the flat array is built again."""
        state = {name: v for name, v in vars(self).items() if name not in _REBUILT}
        if type(self.loss) not in losses.LOSSES.values():
            state["loss"] = None  # a user's own may not be one that can be pickled
        return state | {"layers": self.layers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the flat array from the layers' values."""
        state = dict(state)
        layers = state.pop("layers")
        self.__dict__.update({"loss": None} | state)  # an older pickle has none
        self._build(layers)

    def __repr__(self) -> str:
        """Show the layers."""
        return f"{type(self).__name__}({', '.join(repr(layer) for layer in self.stages)})"
