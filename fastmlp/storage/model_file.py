"""Models in safetensors files: arrays by name and the architecture as JSON, but no code."""

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.common.validation import is_finite
from fastmlp.optimizers import Optimizer
from fastmlp.storage import optimizer_state
from fastmlp.storage.architecture import arrays_of, build, describe, require_valid_state
from fastmlp.storage.checked_file import CheckedFile, open_file, write
from fastmlp.storage.header import (
    LONGEST,
    DamagedError,
    Entry,
    RefusedError,
    parse,
    read_header,
)

__all__ = [
    "FORMAT",
    "MAX_LAYERS",
    "TABLE_FORMAT",
    "format_of",
    "read",
    "read_architecture",
    "require_name",
    "save",
    "save_ensemble",
]

MAX_LAYERS = 10_000
"""The default limit on the number of layers in a file."""

TABLE_FORMAT = "fastmlp table 1"
"""The format of models of tables, which hold several networks and an encoder."""

FORMAT = "fastmlp 2"
_ENSEMBLE = "fastmlp ensemble 2"
_WITHOUT_CHECKSUM = ("fastmlp 1", "fastmlp ensemble 1")
_BYTES_A_LAYER = 1024  # of the header, at most
_LONGEST_REASON = 250  # characters
_CORRUPT = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
_EXPORTED = {"onnx": "ONNX", "h": "C headers", "js": "JavaScript modules"}
_OTHER_FORMATS = {
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


def save(
    model: Any,
    path: str | os.PathLike[str],
    optimizer: Optimizer | None = None,
    optimizer_name: str | None = None,
) -> None:
    """Write a model to a file; see ``Model.save``.

    Parameters
    ----------
    model : Sequential
    path : str or path
    optimizer : Optimizer, optional
        Stored with its state.
    optimizer_name : str, optional
        The name by which the model knows it.

    """
    require_name(path)
    texts = {"architecture": json.dumps({"format": FORMAT} | describe(model))}
    arrays = arrays_of(model)
    if optimizer is not None:
        if not optimizer.fits(model):
            raise ValueError(
                "the optimizer belongs to another model, so this one cannot continue with it: "
                "save the optimizer that trained this model"
            )
        described = optimizer_state.describe(optimizer) | {"name": optimizer_name}
        texts["optimizer"] = json.dumps(described)
        arrays |= optimizer_state.state_arrays(optimizer, model)
    write(path, texts, arrays)
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
    write(path, {"architecture": json.dumps(architecture)}, arrays)
    for number, model in enumerate(models):
        _warn_of_non_finite(model, f"model {number} of the ensemble saved as {printable(path)}", 4)


def require_name(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a file's name has the ending of another format."""
    name = Path(path)
    suffix, better = name.suffix[1:].lower(), name.with_suffix(".safetensors").name
    exported = _EXPORTED.get(suffix)
    if exported is not None:
        raise ValueError(
            f"{printable(path)}: models are saved as safetensors, and {exported} are written by "
            f"export(path) of a model, or by fastmlp export: save the model as {printable(better)}"
        )
    other = _OTHER_FORMATS.get(suffix)
    if other is not None:
        raise ValueError(
            f"{printable(path)}: models are saved as safetensors, not as {other}: "
            f"name the file {printable(better)}"
        )


def read(
    path: str | os.PathLike[str],
    max_layers: int,
    make: Callable[..., Any],
    make_ensemble: Callable[[list[Any], Any], Any],
    with_optimizer: bool = False,
) -> tuple[Any, Optimizer | None, str | None]:
    """Return the model or ensemble in a file, and its optimizer with the name it was saved by.

    Parameters
    ----------
    path : str or path
    max_layers : int
        A file with more layers is refused before memory is allocated for them.
    make : callable
        ``make(*layers, seed=seed, dtype=dtype)`` returns a model with these new layers.
    make_ensemble : callable
        ``make_ensemble(models, weights)`` returns an ensemble.
    with_optimizer : bool, default False
        Whether to read the optimizer too, and to refuse a file without one.

    """
    with open(path, "rb") as stream:
        try:
            file = open_file(stream, (64 + max_layers) * _BYTES_A_LAYER)
            architecture = read_architecture(file.texts, file.has_checksum)
            if with_optimizer and "optimizer" not in file.texts:
                raise RefusedError(
                    "it holds no optimizer: load it without one, or save it with "
                    "model.save(path, optimizer=optimizer)"
                )
            models, weights, others = _read_models(
                file, architecture, max_layers, make, with_optimizer
            )
            found = models[0] if weights is None else _ensemble(make_ensemble, models, weights)
            optimizer, name = None, None
            if with_optimizer:
                described = parse(file.texts["optimizer"])
                optimizer, name = optimizer_state.build(described), described.get("name")
                optimizer.prepare(found)
                optimizer_state.put_state(optimizer, found, described, others)
        except _CORRUPT as error:
            why = printable(error) if isinstance(error, RefusedError) else "its header is corrupt"
            raise ValueError(
                f"{printable(path)} cannot be loaded as a model: {why[:_LONGEST_REASON]}"
            ) from None
    for number, model in enumerate(models):
        which = "the model" if weights is None else f"model {number} of the ensemble"
        _warn_of_non_finite(model, f"{which} in {printable(path)}", 4)  # through fastmlp.load
    return found, optimizer, name


def read_architecture(
    texts: dict[str, Any],
    has_checksum: bool,
    forms: Sequence[str] = (FORMAT, _ENSEMBLE, *_WITHOUT_CHECKSUM),
) -> dict[str, Any]:
    """Return the architecture in a file of one of these formats.

    Raises
    ------
    RefusedError
        If another program wrote the file, or it has another format.

    """
    stranger = RefusedError("it is a safetensors file, but was not written by fastmlp")
    try:
        architecture = parse(texts["architecture"])
        form = architecture["format"]
    except (KeyError, TypeError, RefusedError):
        raise stranger from None
    if not isinstance(form, str) or not form.startswith("fastmlp "):
        raise stranger
    if form not in forms:
        raise RefusedError(
            f"its format is {form[:40]!r} and this version reads "
            f"{' and '.join(map(repr, forms))}: load it with the version of fastmlp that saved it"
        )
    if not (has_checksum or form in _WITHOUT_CHECKSUM):
        raise DamagedError("it is damaged: its checksum is missing")
    return architecture


def _read_models(
    file: CheckedFile,
    architecture: dict[str, Any],
    max_layers: int,
    make: Callable[..., Any],
    with_others: bool,
) -> tuple[list[Any], Any, dict[str, np.ndarray]]:
    """Return the models in a file, their weights if it holds an ensemble, and other arrays.

    The arrays that belong to something else, whose names have a slash, are read only if wanted.
    """
    entries = file.entries()
    own = [entry for entry in entries if not (file.has_checksum and "/" in entry.name)]
    weights = None
    if architecture["format"].startswith("fastmlp ensemble"):
        members, weights = architecture["models"], architecture["weights"]
        groups = _grouped(own, len(members))
        if weights is None:
            raise RefusedError("its header is corrupt")
    else:
        members, groups = [architecture], [own]
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
    others = _read_arrays(file, entries, models, weights is not None, with_others)
    for model in models:
        require_valid_state(model)
    return models, weights, others


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
    file: CheckedFile, entries: list[Entry], models: list[Any], in_ensemble: bool, with_others: bool
) -> dict[str, np.ndarray]:
    """Copy the arrays from the file to the models; return the others if they are wanted."""
    arrays = {
        f"{number}.{name}" if in_ensemble else name: array
        for number, model in enumerate(models)
        for name, array in arrays_of(model).items()
    }
    others = {}
    for entry in entries:
        if entry.name in arrays:
            arrays[entry.name][...] = file.read_next(entry)
        elif with_others:
            others[entry.name] = file.read_next(entry)
        else:
            file.skip(entry)
    return others


def _ensemble(make: Callable[[list[Any], Any], Any], models: list[Any], weights: Any) -> Any:
    try:
        return make(models, weights)
    except (TypeError, ValueError) as error:  # models that do not fit together, invalid weights
        raise RefusedError(str(error)) from None


def format_of(path: str | os.PathLike[str]) -> str | None:
    """Return the format that a file says it has; None if it says nothing or cannot be read."""
    try:
        with open(path, "rb") as stream:
            header, _ = read_header(stream, LONGEST)
        return parse(header["__metadata__"]["architecture"])["format"]
    except (OSError, *_CORRUPT):
        return None


def _warn_of_non_finite(model: Any, what: str, stacklevel: int) -> None:
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
