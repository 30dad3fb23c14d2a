"""Models as safetensors files: arrays by name, the architecture as JSON, nothing executed."""

import json
import math
import os
from typing import Any, BinaryIO

import numpy as np

from fastmlp import layers as known_layers
from fastmlp.errors import unknown
from fastmlp.files import write_whole
from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom
from fastmlp.layers.normalization import Normalize
from fastmlp.model import Model
from fastmlp.sequential import Sequential

__all__ = ["load", "save"]

_FORMAT = "fastmlp 1"
_MAX_HEADER = 1 << 24
_CORRUPT = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
_DTYPES = {"F32": np.float32, "F64": np.float64}
_LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        *known_layers.ACTIVATIONS.values(),
        known_layers.BatchNorm,
        known_layers.Dropout,
        known_layers.Flatten,
        known_layers.LayerNorm,
        known_layers.Linear,
        known_layers.Normalize,
    )
}


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to a file; see ``Model.save``."""
    from safetensors.numpy import save as to_bytes

    described = []
    for index, layer in enumerate(model.stages):
        if isinstance(layer, Custom) or _LAYERS.get(type(layer).__name__) is not type(layer):
            raise TypeError(
                f"layer {index}, {layer!r}, is not one of fastmlp's own and cannot be saved: "
                "save model.theta with numpy.save and build the model again to load it"
            )
        described.append({"layer": type(layer).__name__, **layer.config()})
    architecture = {
        "format": _FORMAT,
        "dtype": str(model.dtype),
        "seed": model.seed,
        "layers": described,
    }
    tensors = {name: np.ascontiguousarray(a) for name, a in _arrays(model).items()}
    write_whole(path, to_bytes(tensors, {"architecture": json.dumps(architecture)}))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Return the model in a file that ``model.save`` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Sequential
        It predicts what the saved one did. An optimizer is not part of it.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, corrupt, or no such file; found out from the header and the size of the
        file, before memory is taken for its contents.

    """
    with open(path, "rb") as stream:
        try:
            return _read_model(stream)
        except _CORRUPT as error:
            why = str(error) if isinstance(error, ValueError) else "its header is corrupt"
            raise ValueError(f"{path} is not a model that fastmlp saved: {why}") from None


def _read_model(stream: BinaryIO) -> Sequential:
    architecture, entries = _read_header(stream)
    layers, dtype = _build_layers(architecture, entries), architecture["dtype"]
    wanted = {f"{i}.{n}": s for i, la in enumerate(layers) for n, s in _shapes(la).items()}
    if {name: tuple(entry["shape"]) for name, entry in entries.items()} != wanted:
        raise ValueError("its arrays are not those of its layers")
    if any(_DTYPES[entry["dtype"]] != np.dtype(dtype) for entry in entries.values()):
        raise ValueError(f"its arrays are not all {dtype}")
    model = Sequential(*layers, seed=architecture["seed"], dtype=dtype)
    arrays = _arrays(model)
    for name in sorted(entries, key=lambda name: entries[name]["data_offsets"]):
        flat = np.fromfile(stream, model.dtype.newbyteorder("<"), arrays[name].size)
        arrays[name][...] = flat.reshape(arrays[name].shape)
    return model


def _arrays(model: Model) -> dict[str, np.ndarray]:
    return dict(model.params) | model.state


def _shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array a layer has in the file, without making them."""
    if isinstance(layer, known_layers.BatchNorm):
        n = layer.n_features
        return layer.param_shapes() | {"running_mean": (n,), "running_var": (n,)}
    if isinstance(layer, Normalize):
        return {"mean": layer.mean.shape, "std": layer.std.shape}
    return layer.param_shapes()


def _build_layers(architecture: dict[str, Any], tensors: dict[str, Any]) -> list[Layer]:
    """Return new layers as the file describes them; they draw no weights yet."""
    built = []
    for index, entry in enumerate(architecture["layers"]):
        options = dict(entry)
        name = options.pop("layer")
        if name not in _LAYERS:
            raise unknown("layer", name, _LAYERS)
        if name == "Normalize":
            shape = tuple(tensors[f"{index}.mean"]["shape"])
            options = {"mean": np.zeros(shape), "std": np.ones(shape)}
        built.append(_LAYERS[name](**options))
    return built


def _read_header(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the architecture, and what lies where; both fit the size of the file."""
    size = os.fstat(stream.fileno()).st_size
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _MAX_HEADER):
        raise ValueError("it is truncated or of another kind")
    header = json.loads(stream.read(length).decode())
    architecture = json.loads(header.pop("__metadata__")["architecture"])
    if architecture["format"] != _FORMAT:
        raise ValueError(f"its format is {architecture['format']!r}, expected {_FORMAT!r}")
    end = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        start, stop = entry["data_offsets"]
        shape = entry["shape"]
        if not all(type(n) is int and n >= 0 for n in (start, stop, *shape)):
            raise ValueError("its header is corrupt")
        n_bytes = math.prod(shape) * np.dtype(_DTYPES[entry["dtype"]]).itemsize
        if start != end or stop - start != n_bytes:
            raise ValueError("its header is corrupt")
        end = stop
    if 8 + length + end != size:
        raise ValueError("it is truncated")
    return architecture, header
