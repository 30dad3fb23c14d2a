"""Models and ensembles in safetensors files: arrays by name, architectures as JSON, but no code."""

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.common.files import write_whole
from fastmlp.common.validation import is_finite
from fastmlp.layers.stack import Stack
from fastmlp.storage.architecture import arrays_of, build, describe, require_valid_state
from fastmlp.storage.header import Entry, RefusedError, check_layout, parse, read_header

__all__ = [
    "MAX_LAYERS",
    "TABLE_FORMAT",
    "format_of",
    "read",
    "read_description",
    "require_name",
    "save",
    "save_ensemble",
    "write",
]

MAX_LAYERS = 10_000
"""The default limit on the number of layers in a file."""

TABLE_FORMAT = "fastmlp table 1"
"""The format of models of tables, which hold several networks and an encoder."""

_FORMAT = "fastmlp 1"
_ENSEMBLE = "fastmlp ensemble 1"
_BYTES_A_LAYER = 1024  # of the header, at most
_LONGEST_REASON = 250  # characters
_CORRUPT = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
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
    require_name(path)
    write(path, {"format": _FORMAT} | describe(model), arrays_of(model))
    _warn_of_non_finite(model, f"the model saved as {printable(path)}", 4)  # through Model.save


def save_ensemble(
    models: Sequence[Any], weights: Sequence[float], path: str | os.PathLike[str]
) -> None:
    """Write models and the weights of their mean to one file; see ``Ensemble.save``."""
    require_name(path)
    members = []
    for number, model in enumerate(models):
        try:
            members.append(describe(model))
        except TypeError as error:
            raise TypeError(f"model {number}: {error}") from None
    architecture = {"format": _ENSEMBLE, "weights": list(weights), "models": members}
    arrays = {
        f"{number}.{name}": array
        for number, model in enumerate(models)
        for name, array in arrays_of(model).items()
    }
    write(path, architecture, arrays)
    for number, model in enumerate(models):
        _warn_of_non_finite(model, f"model {number} of the ensemble saved as {printable(path)}", 4)


def write(
    path: str | os.PathLike[str], architecture: dict[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write arrays and a description, which names its format and must fit in JSON, to a file."""
    from safetensors.numpy import save as to_bytes

    tensors = {name: np.asarray(a, order="C") for name, a in arrays.items()}
    write_whole(path, to_bytes(tensors, {"architecture": json.dumps(architecture)}))


def require_name(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a file's name has the ending of another format."""
    name = Path(path)
    other = _OTHER_FORMATS.get(name.suffix[1:].lower())
    if other is not None:
        raise ValueError(
            f"{printable(path)}: models are saved as safetensors, not as {other}: "
            f"name the file {printable(name.with_suffix('.safetensors').name)}"
        )


def read(
    path: str | os.PathLike[str],
    max_layers: int,
    make: Callable[..., Any],
    make_ensemble: Callable[[list[Any], Any], Any],
) -> Any:
    """Return the model or ensemble in a file; see `fastmlp.load`.

    Parameters
    ----------
    path : str or path
    max_layers : int
        A file with more layers is refused before memory is allocated for them.
    make : callable
        ``make(*layers, seed=seed, dtype=dtype)`` returns a model with these new layers.
    make_ensemble : callable
        ``make_ensemble(models, weights)`` returns an ensemble.

    """
    with open(path, "rb") as stream:
        try:
            models, weights = _read_models(stream, max_layers, make)
            found = models[0] if weights is None else _ensemble(make_ensemble, models, weights)
        except _CORRUPT as error:
            why = printable(error) if isinstance(error, RefusedError) else "its header is corrupt"
            raise ValueError(
                f"{printable(path)} cannot be loaded as a model: {why[:_LONGEST_REASON]}"
            ) from None
    for number, model in enumerate(models):
        which = "the model" if weights is None else f"model {number} of the ensemble"
        _warn_of_non_finite(model, f"{which} in {printable(path)}", 4)  # through fastmlp.load
    return found


def _read_models(
    stream: BinaryIO, max_layers: int, make: Callable[..., Any]
) -> tuple[list[Any], Any]:
    """Return the models in a file, and their weights if it holds an ensemble, else None."""
    header, n_bytes = read_header(stream, (64 + max_layers) * _BYTES_A_LAYER)
    architecture = read_description(header.pop("__metadata__", None), (_FORMAT, _ENSEMBLE))
    entries = check_layout(header, n_bytes)
    weights = None
    if architecture["format"] == _ENSEMBLE:
        members, weights = architecture["models"], architecture["weights"]
        groups = _grouped(entries, len(members))
    else:
        members, groups = [architecture], [entries]
    n_layers = sum(len(member["layers"]) for member in members)
    if n_layers > max_layers:
        raise RefusedError(
            f"it has {n_layers:,} layers, more than max_layers={max_layers}: "
            "pass a larger max_layers if you trust the file"
        )
    models = []
    for number, (member, group) in enumerate(zip(members, groups, strict=True)):
        try:
            models.append(build(member, group, make))
        except RefusedError as error:
            raise error if weights is None else RefusedError(f"model {number}: {error}") from None
    _read_arrays(stream, entries, models, in_ensemble=weights is not None)
    for model in models:
        require_valid_state(model)
    return models, weights


def _grouped(entries: list[Entry], n_models: int) -> list[list[Entry]]:
    """Return the arrays of each model of an ensemble, under their names in that model."""
    groups: list[list[Entry]] = [[] for _ in range(n_models)]
    for entry in entries:
        number, _, name = entry.name.partition(".")
        if not (number.isascii() and number.isdecimal() and int(number[:9]) < n_models):
            raise RefusedError("its arrays do not match its models")
        groups[int(number)].append(replace(entry, name=name))
    return groups


def _read_arrays(
    stream: BinaryIO, entries: list[Entry], models: list[Any], in_ensemble: bool
) -> None:
    """Copy the arrays from the file to the models."""
    arrays = [arrays_of(model) for model in models]
    for entry in entries:
        number, name = 0, entry.name
        if in_ensemble:
            first, _, name = entry.name.partition(".")
            number = int(first)
        target = arrays[number][name]
        target[...] = np.fromfile(stream, entry.dtype, target.size).reshape(target.shape)


def _ensemble(make: Callable[[list[Any], Any], Any], models: list[Any], weights: Any) -> Any:
    try:
        return make(models, weights)
    except (TypeError, ValueError) as error:  # models that do not fit together, invalid weights
        raise RefusedError(str(error)) from None


def format_of(path: str | os.PathLike[str]) -> str | None:
    """Return the format that a file says it has; None if it says nothing or cannot be read."""
    try:
        with open(path, "rb") as stream:
            header, _ = read_header(stream, 1 << 30)
        return parse(header["__metadata__"]["architecture"])["format"]
    except (OSError, *_CORRUPT):
        return None


def read_description(metadata: Any, forms: Sequence[str]) -> dict[str, Any]:
    """Return the description in a file of one of these formats.

    Raises
    ------
    RefusedError
        If another program wrote the file, or it has another format.

    """
    stranger = RefusedError("it is a safetensors file, but was not written by fastmlp")
    try:
        description = parse(metadata["architecture"])
        form = description["format"]
    except (KeyError, TypeError, RefusedError):
        raise stranger from None
    if not isinstance(form, str) or not form.startswith("fastmlp "):
        raise stranger
    if form not in forms:
        raise RefusedError(
            f"its format is {form[:40]!r} and this version reads "
            f"{' and '.join(map(repr, forms))}: load it with the version of fastmlp that saved it"
        )
    return description


def _warn_of_non_finite(model: Stack, what: str, stacklevel: int) -> None:
    """Warn if a model is useless; this is no error, as saving a diverged one may be intended."""
    bad = [name for name, array in arrays_of(model).items() if not is_finite(array)]
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
