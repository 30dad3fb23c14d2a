"""Models in safetensors files: arrays by name and the architecture as JSON, but no code."""

import inspect
import json
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from fastmlp import layers as known_layers
from fastmlp import losses
from fastmlp.common.errors import printable, unknown
from fastmlp.common.files import write_whole
from fastmlp.common.validation import is_finite
from fastmlp.layers.activations import Activation
from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom
from fastmlp.layers.normalization import Normalize
from fastmlp.layers.stack import Stack
from fastmlp.storage.header import Entry, RefusedError, check_layout, parse, read_header

__all__ = ["read", "require_name", "save"]

_Model = TypeVar("_Model", bound=Any)

_FORMAT = "fastmlp 1"
_BYTES_A_LAYER = 1024  # of the header, at most
_LONGEST_REASON = 250  # characters
_CORRUPT = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
_LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (getattr(known_layers, name) for name in known_layers.__all__)
    if isinstance(kind, type) and issubclass(kind, Layer) and kind not in (Layer, Activation)
}
_OTHER_FORMATS = {
    "onnx": "ONNX",
    "pt": "PyTorch's format",
    "pth": "PyTorch's format",
    "ckpt": "a checkpoint of another library",
    "pkl": "a pickle",
    "pickle": "a pickle",
    "joblib": "joblib's format",
    "npy": "numpy's format",
    "npz": "numpy's format",
    "mat": "MATLAB's format",
    "h5": "HDF5",
    "hdf5": "HDF5",
    "keras": "Keras' format",
    "pb": "TensorFlow's format",
    "tflite": "TensorFlow's format",
    "mlmodel": "Core ML's format",
    "gguf": "GGUF",
    "pmml": "PMML",
    "json": "JSON",
    "yaml": "YAML",
    "csv": "CSV",
    "zip": "a zip archive",
    "gz": "gzip",
}


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a file; see ``Model.save``."""
    from safetensors.numpy import save as to_bytes

    require_name(path)
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
    architecture = {
        "format": _FORMAT,
        "dtype": str(model.dtype),
        "seed": model.seed,
        "layers": described,
    }
    if losses.is_built_in(model.loss):
        architecture["loss"] = {"loss": model.loss.kind, **vars(model.loss)}
    tensors = {name: np.asarray(a, order="C") for name, a in _arrays(model).items()}
    write_whole(path, to_bytes(tensors, {"architecture": json.dumps(architecture)}))
    _warn_of_non_finite(model, f"the model saved as {printable(path)}", 4)  # through Model.save


def require_name(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a file's name has the ending of another format."""
    name = Path(path)
    other = _OTHER_FORMATS.get(name.suffix[1:].lower())
    if other is not None:
        raise ValueError(
            f"{printable(path)}: models are saved as safetensors, not as {other}: "
            f"name the file {printable(name.with_suffix('.safetensors').name)}"
        )


def read(path: str | os.PathLike[str], max_layers: int, make: Callable[..., _Model]) -> _Model:
    """Return the model in a file; see `fastmlp.load`.

    Parameters
    ----------
    path : str or path
    max_layers : int
        A file with more layers is refused before memory is allocated for them.
    make : callable
        ``make(*layers, seed=seed, dtype=dtype)`` returns a model with these new layers.

    """
    with open(path, "rb") as stream:
        try:
            model = _read_model(stream, max_layers, make)
        except _CORRUPT as error:
            why = printable(error) if isinstance(error, RefusedError) else "its header is corrupt"
            raise ValueError(
                f"{printable(path)} cannot be loaded as a model: {why[:_LONGEST_REASON]}"
            ) from None
    _warn_of_non_finite(model, f"the model in {printable(path)}", 4)  # through fastmlp.load
    return model


def _read_model(stream: BinaryIO, max_layers: int, make: Callable[..., _Model]) -> _Model:
    header, n_bytes = read_header(stream, (64 + max_layers) * _BYTES_A_LAYER)
    architecture = _read_architecture(header.pop("__metadata__", None))
    entries = check_layout(header, n_bytes)
    if len(architecture["layers"]) > max_layers:
        raise RefusedError(
            f"it has {len(architecture['layers']):,} layers, more than max_layers={max_layers}: "
            "pass a larger max_layers if you trust the file"
        )
    layers, dtype = _build_layers(architecture, entries), architecture["dtype"]
    if {entry.name: entry.shape for entry in entries} != _shapes(layers):
        raise RefusedError("its arrays do not match its layers")
    if any(entry.dtype != dtype for entry in entries if not _any_dtype(layers, entry)):
        raise RefusedError(f"its arrays are not all {dtype}")
    for layer in layers:
        layer.start_unset()
    try:
        model = make(*layers, seed=architecture["seed"], dtype=dtype)
    except (TypeError, ValueError) as error:  # layers that do not fit together, an invalid seed
        raise RefusedError(str(error)) from None
    model.loss = _build_loss(architecture.get("loss"))
    arrays = _arrays(model)
    for entry in entries:
        target = arrays[entry.name]
        target[...] = np.fromfile(stream, entry.dtype, target.size).reshape(target.shape)
    for index, layer in enumerate(layers):
        _require_valid_state(index, layer)
    return model


def _read_architecture(metadata: Any) -> dict[str, Any]:
    """Return the architecture in the file; raise RefusedError if another program wrote it."""
    stranger = RefusedError("it is a safetensors file, but was not written by fastmlp")
    try:
        architecture = parse(metadata["architecture"])
        form = architecture["format"]
    except (KeyError, TypeError, RefusedError):
        raise stranger from None
    if not isinstance(form, str) or not form.startswith("fastmlp "):
        raise stranger
    if form != _FORMAT:
        raise RefusedError(
            f"its format is {form[:40]!r} and this version reads {_FORMAT!r}: "
            "load it with the version of fastmlp that saved it"
        )
    if architecture["dtype"] not in ("float32", "float64"):
        raise RefusedError("its header is corrupt")
    if type(architecture["layers"]) is not list:
        raise RefusedError("its header is corrupt")
    return architecture


def _build_layers(architecture: dict[str, Any], entries: list[Entry]) -> list[Layer]:
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


def _any_dtype(layers: list[Layer], entry: Entry) -> bool:
    """Tell whether an array may differ from the model's dtype, as those of Normalize do."""
    return isinstance(layers[int(entry.name.split(".")[0])], Normalize)


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


def _arrays(model: Stack) -> dict[str, np.ndarray]:
    return dict(model.params) | model.state


def _warn_of_non_finite(model: Stack, what: str, stacklevel: int) -> None:
    """Warn if a model is useless; this is no error, as saving a diverged one may be intended."""
    bad = [name for name, array in _arrays(model).items() if not is_finite(array)]
    if not bad:
        return
    index, local = bad[0].split(".")
    more = f" (and in {len(bad) - 1} more)" if len(bad) > 1 else ""
    warnings.warn(
        f"{what} holds NaN or infinity in {local!r} of layer {index}, "
        f"{model.stages[int(index)]!r}{more}: its training diverged, do not use its predictions",
        RuntimeWarning,
        stacklevel=stacklevel,
    )
