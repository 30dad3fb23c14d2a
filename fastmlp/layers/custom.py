"""An adapter that lets a model use custom layers, which need not inherit from `Layer`."""

import inspect
from typing import Any, cast

import numpy as np

from fastmlp.common.errors import instead_of_object
from fastmlp.engine.parameters import Arrays, FlatStore
from fastmlp.layers.base import Layer

__all__ = ["Custom", "as_layer"]


class Custom(Layer):
    """Wraps a custom layer and keeps its arrays in step with the model's flat arrays.

    Parameters
    ----------
    layer : object
        Has ``forward(x, train=False)`` (``train`` is optional) and ``backward(dy)``. To be trained
        it also needs dicts ``params`` and ``grads`` of arrays by name. Without ``params`` its
        arrays never change; ``params = {}`` says that this is intended. The arrays in the dicts
        are replaced by views of the model's, as are attributes that refer to the same arrays. If
        the layer later assigns new arrays or new dicts, their values are copied into the views
        around each call.

    Raises
    ------
    TypeError
        If a method is missing, or ``params`` or ``grads`` is not a dict of arrays.

    """

    takes_train: bool = False

    def __init__(self, layer: Any):
        if isinstance(layer, list | tuple):
            raise TypeError(
                "the layers of a model are separate arguments: write Sequential(*layers) for a list"
            )
        for method in ("forward", "backward"):
            if isinstance(layer, type) or not callable(getattr(layer, method, None)):
                raise TypeError(
                    f"a layer must be an object with forward(x, train=False) and backward(dy), "
                    f"got {instead_of_object(layer)}"
                )
        self.layer = layer
        self.takes_train = _takes_train(layer.forward)
        self._views: dict[str, Arrays] = {}

    @property
    def unlearned(self) -> list[str]:
        """Names of arrays that look like parameters, if the layer has no ``params``."""
        if hasattr(self.layer, "params"):
            return []
        held: dict[str, object] = getattr(self.layer, "__dict__", {})
        return [
            name
            for name, value in held.items()
            if isinstance(value, np.ndarray) and _learns(cast("np.ndarray", value))
        ]

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays in the custom layer's ``params``."""
        return {name: np.shape(array) for name, array in self._held("params").items()}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return the custom layer's own arrays; nothing is drawn."""
        return {name: np.asarray(array) for name, array in self._held("params").items()}

    def bind(self, store: FlatStore, index: int, views: Arrays) -> None:
        """Replace the custom layer's arrays by views of the model's."""
        super().bind(store, index, views)
        self._views = {"params": views}
        self._replace("params", self._held("params"))
        if self._held("grads"):
            self._views["grads"] = self.grads
            self._replace("grads", self._held("grads"))

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Call the custom layer's ``forward``."""
        self._collect("params")
        arguments = (x, train) if self.takes_train else (x,)
        return np.asarray(self.layer.forward(*arguments))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Call the custom layer's ``backward`` and copy its gradients into the model."""
        dx = np.asarray(self.layer.backward(dy))
        if self._params:
            self._views["grads"] = self.grads
            self._collect("grads")
        return dx

    def _collect(self, kind: str) -> None:
        """Copy newly assigned arrays into the views, then put the views back."""
        views, held = self._views.get(kind, Arrays()), self._held(kind)
        strange = {name: held.get(name) for name in views if held.get(name) is not views[name]}
        missing = [name for name, array in strange.items() if array is None]
        if missing:
            raise ValueError(
                f"{type(self.layer).__name__}.{kind} lacks {missing[0]!r}: it needs an array for "
                "each name that params had when the model was built"
            )
        if strange:
            views.assign(strange)
            self._replace(kind, strange)

    def _replace(self, kind: str, old: dict[str, Any]) -> None:
        """Replace each old array by its view, in the dict and in every attribute."""
        held, views = self._held(kind), self._views[kind]
        attributes: dict[str, object] = getattr(self.layer, "__dict__", {})
        for name, array in [(name, old[name]) for name in views if name in old]:
            held[name] = views[name]
            for attribute in [key for key, value in attributes.items() if value is array]:
                setattr(self.layer, attribute, views[name])

    def _held(self, kind: str) -> dict[str, Any]:
        held = getattr(self.layer, kind, None)
        if held is None:
            return {}
        if not isinstance(held, dict):
            raise TypeError(
                f"{type(self.layer).__name__}.{kind} must be a dict of arrays, got {held!r}"
            )
        return cast("dict[str, Any]", held)

    def __repr__(self) -> str:
        """Show the name of the custom class."""
        return f"{type(self.layer).__name__}()"


def _learns(value: object) -> bool:
    if not isinstance(value, np.ndarray):
        return False
    array = cast("np.ndarray", value)
    return array.dtype.kind == "f" and array.size > 0


def as_layer(layer: Any) -> Layer:
    """Return the layer itself if it is a `Layer`, else wrapped in `Custom`."""
    return layer if isinstance(layer, Layer) else Custom(layer)


def _takes_train(forward: Any) -> bool:
    """Tell whether forward can be called as forward(x, train)."""
    try:
        inspect.signature(forward).bind(None, False)
    except TypeError:
        return False
    except ValueError:  # it has no readable signature
        return True
    return True
