"""A user's own layer, made to look like ours."""

import inspect
from typing import Any

import numpy as np

from fastmlp.layers.base import Layer
from fastmlp.parameters import Arrays, FlatStore

__all__ = ["Custom", "as_layer"]


class Custom(Layer):
    """Holds a user's layer and keeps its arrays and the model's flat ones the same.

    Parameters
    ----------
    layer : object
        Has ``forward(x, train=False)`` (``train`` may be missing) and ``backward(dy)``, and, if it
        learns, dicts ``params`` and ``grads`` of arrays by name; without them its arrays stay as
        they are, and ``params = {}`` says that this is meant. Its arrays become views of the
        model's, also where it keeps them under an attribute; whatever it assigns to the dicts, or
        the dicts it assigns, are copied into the views around each call.

    Raises
    ------
    TypeError
        If it lacks one of the two methods, or its parameters are not a dict of arrays.

    """

    takes_train = False

    def __init__(self, layer: Any):
        for method in ("forward", "backward"):
            if isinstance(layer, type) or not callable(getattr(layer, method, None)):
                raise TypeError(
                    f"a layer must be an object with forward(x, train=False) and backward(dy), "
                    f"got {layer!r}"
                )
        self.layer = layer
        self.takes_train = _takes_train(layer.forward)
        self._views: dict[str, Arrays] = {}

    @property
    def unlearned(self) -> list[str]:
        """Names of arrays that look like parameters of a layer that does not say that it learns."""
        if hasattr(self.layer, "params"):
            return []
        held = getattr(self.layer, "__dict__", {}).items()
        return [name for name, value in held if isinstance(value, np.ndarray) and _learns(value)]

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the user's arrays."""
        return {name: np.shape(array) for name, array in self._held("params").items()}

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The user's arrays as they are."""
        return {name: np.asarray(array) for name, array in self._held("params").items()}

    def bind(self, store: FlatStore, index: int, views: Arrays) -> None:
        """Put the views where the user's arrays were."""
        super().bind(store, index, views)
        self._views = {"params": views}
        self._replace("params", self._held("params"))
        if self._held("grads"):
            self._views["grads"] = self.grads
            self._replace("grads", self._held("grads"))

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Call the user's forward."""
        self._collect("params")
        arguments = (x, train) if self.takes_train else (x,)
        return np.asarray(self.layer.forward(*arguments))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Call the user's backward and collect its gradients."""
        dx = np.asarray(self.layer.backward(dy))
        if self._params:
            self._views["grads"] = self.grads
            self._collect("grads")
        return dx

    def _collect(self, kind: str) -> None:
        """Copy in what the user assigned since, and put the views back."""
        views, held = self._views.get(kind, {}), self._held(kind)
        strange = {name: held.get(name) for name in views if held.get(name) is not views[name]}
        missing = [name for name, array in strange.items() if array is None]
        if missing:
            raise ValueError(
                f"{type(self.layer).__name__}.{kind} lacks {missing[0]!r}: it needs an array for "
                "each name that params had when the model was built"
            )
        if strange:
            self._views[kind].assign(strange)
            self._replace(kind, strange)

    def _replace(self, kind: str, old: dict[str, Any]) -> None:
        """Put the view in place of each old array, in the dict and in any attribute."""
        held, views = self._held(kind), self._views[kind]
        attributes = getattr(self.layer, "__dict__", {})
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
        return held

    def __repr__(self) -> str:
        """The user's name for it."""
        return f"{type(self.layer).__name__}()"


def _learns(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.size > 0


def as_layer(layer: Any) -> Layer:
    """Return one of our layers as it is, a user's own wrapped."""
    return layer if isinstance(layer, Layer) else Custom(layer)


def _takes_train(forward: Any) -> bool:
    """Tell whether forward can be called as forward(x, train)."""
    try:
        inspect.signature(forward).bind(None, False)
    except TypeError:
        return False
    except ValueError:  # no signature to be read
        return True
    return True
