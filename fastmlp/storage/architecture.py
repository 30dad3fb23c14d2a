"""The architecture of a model as plain values, and the model that such values describe."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import numpy as np

from fastmlp import layers as known_layers
from fastmlp import losses
from fastmlp.common.errors import unknown
from fastmlp.layers.activations import Activation
from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom
from fastmlp.layers.normalization import Normalize
from fastmlp.layers.stack import Stack
from fastmlp.storage.header import Entry, RefusedError

__all__ = ["arrays_of", "build", "describe", "require_valid_state"]

_Model = TypeVar("_Model", bound=Any)

_LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (getattr(known_layers, name) for name in known_layers.__all__)
    if isinstance(kind, type) and issubclass(kind, Layer) and kind not in (Layer, Activation)
}


def describe(model: Any) -> dict[str, Any]:
    """Return a model's architecture, settings and loss as values that JSON can hold.

    Raises
    ------
    TypeError
        If a layer is not a built-in one.

    """
    described = []
    for index, layer in enumerate(model.stages):
        if isinstance(layer, Custom) or _LAYERS.get(type(layer).__name__) is not type(layer):
            raise TypeError(
                f"layer {index}, {layer!r}, is not a built-in layer and cannot be saved: "
                "save model.theta with numpy.save, and rebuild the model to load it"
            )
        described.append({"layer": type(layer).__name__, **layer.config()})
        if layer.factors:
            described[-1]["factors"] = {name: dict(row) for name, row in layer.factors.items()}
    architecture = {"dtype": str(model.dtype), "seed": model.seed, "layers": described}
    if losses.is_built_in(model.loss):
        architecture["loss"] = {"loss": model.loss.kind, **vars(model.loss)}
    return architecture


def arrays_of(model: Stack) -> dict[str, np.ndarray]:
    """Return the arrays of a model that a file holds, by name."""
    return dict(model.params) | model.state


def build(
    architecture: Mapping[str, Any], entries: list[Entry], make: Callable[..., _Model]
) -> _Model:
    """Return the model that an architecture describes; its arrays are not set yet.

    Parameters
    ----------
    architecture : dict
        What `describe` returned, but from a file, so nothing in it can be relied on.
    entries : list of Entry
        The arrays that the file holds for this model.
    make : callable
        ``make(*layers, seed=seed, dtype=dtype)`` returns a model with these new layers.

    Raises
    ------
    RefusedError
        If the description is wrong or does not fit the arrays.

    """
    dtype = architecture["dtype"]
    if dtype not in ("float32", "float64") or type(architecture["layers"]) is not list:
        raise RefusedError("its header is corrupt")
    layers = _build_layers(architecture, entries)
    if {entry.name: entry.shape for entry in entries} != _shapes(layers):
        raise RefusedError("its arrays do not match its layers")
    if any(entry.dtype != dtype for entry in entries if not _any_float(layers, entry)):
        raise RefusedError(f"its arrays are not all {dtype}")
    for layer in layers:
        layer.start_unset()
    try:
        model = make(*layers, seed=architecture["seed"], dtype=dtype)
    except (TypeError, ValueError) as error:  # layers that do not fit together, an invalid seed
        raise RefusedError(str(error)) from None
    model.loss = _build_loss(architecture.get("loss"))
    return model


def require_valid_state(model: Stack) -> None:
    """Raise RefusedError for a state that a layer could not have been created with."""
    for index, layer in enumerate(model.stages):
        _require_valid_state(index, layer)


def _build_layers(architecture: Mapping[str, Any], entries: list[Entry]) -> list[Layer]:
    """Return new layers as the file describes them, without drawing weights."""
    shapes, built = {entry.name: entry.shape for entry in entries}, []
    for index, entry in enumerate(architecture["layers"]):
        options = dict(entry)
        name, factors = options.pop("layer"), options.pop("factors", {})
        if name not in _LAYERS:
            raise RefusedError(f"layer {index}: {unknown('layer', name[:40], _LAYERS)}")
        if not options.keys() <= _settings_of(name):
            raise RefusedError(f"layer {index}, {name}, has a setting that {name} does not have")
        if name == "Normalize":
            shape = shapes[f"{index}.mean"]
            options = {"mean": np.zeros(shape), "std": np.ones(shape)}
        try:
            built.append(_LAYERS[name](**options))
            built[-1].factors = factors
        except (TypeError, ValueError) as error:
            raise RefusedError(f"layer {index}, {name}: {error}") from None
    return built


def _build_loss(described: Any) -> losses.Loss | None:
    """Return the loss that the model was last trained with, or None if the file has none."""
    if described is None:
        return None
    options = dict(described)
    name = options.pop("loss")
    if name not in losses.LOSSES:
        raise RefusedError(str(unknown("loss", name[:40], losses.LOSSES)))
    try:
        return losses.LOSSES[name](**options)
    except (TypeError, ValueError) as error:
        raise RefusedError(f"the loss {name}: {error}") from None


@cache
def _settings_of(name: str) -> frozenset[str]:
    return frozenset(inspect.signature(_LAYERS[name]).parameters)


def _shapes(layers: list[Layer]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array in a file with these layers, without allocating them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, layer in enumerate(layers):
        own = layer.param_shapes()
        if isinstance(layer, known_layers.BatchNorm):
            own |= dict.fromkeys(("running_mean", "running_var"), (layer.n_features,))
        elif isinstance(layer, known_layers.PiecewiseLinearEmbedding):
            own |= {"edges": (layer.n_numbers, layer.n_bins + 1)}
        elif isinstance(layer, Normalize):
            own |= {"mean": layer.mean.shape, "std": layer.std.shape}
        shapes |= {f"{index}.{name}": shape for name, shape in own.items()}
    return shapes


def _any_float(layers: list[Layer], entry: Entry) -> bool:
    """Tell whether an array may differ from the model's dtype, as those of Normalize do."""
    normalises = isinstance(layers[int(entry.name.split(".")[0])], Normalize)
    return normalises and entry.dtype.kind == "f"


def _require_valid_state(index: int, layer: Layer) -> None:
    """Raise RefusedError for a state that the layer could not have been created with."""
    try:
        if isinstance(layer, Normalize):
            Normalize(layer.mean, layer.std)
    except ValueError as error:
        raise RefusedError(f"layer {index}, Normalize: {error}") from None
    if isinstance(layer, known_layers.PiecewiseLinearEmbedding):
        try:
            layer.edges = layer.edges
        except ValueError as error:
            raise RefusedError(f"layer {index}, {type(layer).__name__}: {error}") from None
    if isinstance(layer, known_layers.BatchNorm) and (layer.state["running_var"] < 0).any():
        raise RefusedError(f"layer {index}, BatchNorm: running_var must not be negative")
