"""Models of tables in safetensors files: arrays by name, and everything else as JSON."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.engine.readiness import use_kernels
from fastmlp.model import Sequential
from fastmlp.storage.architecture import arrays_of, build, describe, require_valid_state
from fastmlp.storage.checked_file import open_file, write
from fastmlp.storage.header import LONGEST, Entry, RefusedError
from fastmlp.storage.model_file import TABLE_FORMAT, read_architecture, require_name
from fastmlp.tabular.encoder import Encoded, TableEncoder
from fastmlp.tabular.methods import INPUTS, Inputs, Recipe, Targets
from fastmlp.tabular.methods.quantiles import QuantileInputs
from fastmlp.tabular.metrics import metric_of
from fastmlp.tabular.model import TableModel

__all__ = ["load", "save"]

_MOST_LAYERS = 1000  # of one network
_ROUNDING = 1e-6
_CORRUPT = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def save(model: TableModel, path: str | os.PathLike[str]) -> None:
    """Write a model to a file.

    Raises
    ------
    ValueError
        If the file's name has the ending of another format.
    OSError
        If it cannot be written.

    """
    require_name(path)
    arrays: dict[str, np.ndarray] = {}
    networks = []
    for number, recipe in enumerate(model.recipes):
        own = {f"model.{name}": array for name, array in arrays_of(recipe.model).items()}
        own |= {f"inputs.{name}": array for name, array in recipe.inputs.arrays().items()}
        arrays |= {f"{number}.{name}": array for name, array in own.items()}
        targets = {name: _as_json(value) for name, value in asdict(recipe.targets).items()}
        network = {"model": describe(recipe.model), "inputs": type(recipe.inputs).__name__}
        networks.append({**network, "targets": targets})
    description = {
        "format": TABLE_FORMAT,
        "method": model.method,
        "metric": model.metric.name,
        "target": model.target,
        "classes": None if model.classes is None else _described_classes(model.classes),
        "encoder": model.encoder.config(),
        "networks": networks,
        "weights": list(model.weights),
        "told": _as_json(model.told),
    }
    write(path, {"architecture": json.dumps(description)}, arrays)


def load(path: str | os.PathLike[str]) -> TableModel:
    """Return the model in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, corrupt or of another kind, or a setting such as ``FASTMLP_PREDICT`` has
        an unknown value.

    """
    use_kernels(np.dtype(np.float32))  # a wrong setting is no fault of the file
    with open(path, "rb") as stream:
        try:
            return _read(stream)
        except _CORRUPT as error:
            why = printable(error) if isinstance(error, RefusedError) else "its header is corrupt"
            raise ValueError(
                f"{printable(path)} cannot be loaded as a model: {why[:250]}"
            ) from None


def _read(stream: BinaryIO) -> TableModel:
    file = open_file(stream, LONGEST)
    description = read_architecture(file.texts, file.has_checksum, [TABLE_FORMAT])
    entries = file.entries()
    encoder = TableEncoder.from_config(description["encoder"])
    classes = description["classes"]
    classes = None if classes is None else _rebuilt_classes(classes)
    networks = description["networks"]
    if not networks:
        raise RefusedError("it has no networks")
    weights = _rebuilt_weights(description.get("weights"), len(networks))
    parts = [_of_network(entries, number) for number in range(len(networks))]
    if sum(len(part) for part in parts) != len(entries):
        raise RefusedError("its arrays do not match its networks")
    if any(len(network["model"]["layers"]) > _MOST_LAYERS for network in networks):
        raise RefusedError(f"one of its networks has more than {_MOST_LAYERS:,} layers")
    models = [
        build(network["model"], _own(part, "model."), Sequential)
        for network, part in zip(networks, parts, strict=True)
    ]
    inputs = [
        {entry.name: np.empty(entry.shape, entry.dtype) for entry in _own(part, "inputs.")}
        for part in parts
    ]
    arrays = {
        f"{number}.{kind}.{name}": array
        for number, (model, prepared) in enumerate(zip(models, inputs, strict=True))
        for kind, own in (("model", arrays_of(model)), ("inputs", prepared))
        for name, array in own.items()
    }
    for entry in entries:
        arrays[entry.name][...] = file.read_next(entry)
    recipes = []
    for network, model, prepared in zip(networks, models, inputs, strict=True):
        require_valid_state(model)
        numbers: dict[str, Any] = {n: _as_number(v) for n, v in network["targets"].items()}
        targets = Targets(**numbers)
        kind = INPUTS[network["inputs"]]
        recipes.append(Recipe(_restored(kind, prepared, encoder), targets, model, {}))
        _try_out(recipes[-1], encoder, classes)
    return TableModel(
        encoder,
        tuple(recipes),
        weights,
        classes,
        str(description["method"]),
        metric_of(description["metric"], classes=classes is not None),
        str(description["target"]),
        _rebuilt_told(description["told"]),
    )


def _rebuilt_told(described: Any) -> dict[str, Any]:
    told = dict(described)
    _as_number(told["score"])
    if not isinstance(told["leaderboard"], list):
        raise RefusedError("its leaderboard is corrupt")
    return told


def _rebuilt_weights(described: Any, n_networks: int) -> tuple[float, ...]:
    """Return the weights of the networks; files of earlier versions have none."""
    if described is None:
        return (1.0 / n_networks,) * n_networks
    weights = [_as_number(weight) for weight in described]
    if len(weights) != n_networks or not all(0 < weight <= 1 for weight in weights):
        raise RefusedError("the weights of its networks are corrupt")
    if abs(sum(weights) - 1) > _ROUNDING:
        raise RefusedError("the weights of its networks are corrupt")
    return tuple(weights)


def _of_network(entries: list[Entry], number: int) -> list[Entry]:
    return _own(entries, f"{number}.")


def _own(entries: list[Entry], start: str) -> list[Entry]:
    """Return the arrays whose names begin so, named without it."""
    return [
        Entry(entry.name.removeprefix(start), entry.dtype, entry.shape)
        for entry in entries
        if entry.name.startswith(start)
    ]


def _restored(
    kind: type[Inputs] | type[QuantileInputs],
    arrays: Mapping[str, np.ndarray],
    encoder: TableEncoder,
) -> Inputs | QuantileInputs:
    """Return the preparation of inputs, if it fits the encoder: sizes decide about memory."""
    if arrays["sizes"].tolist() != [float(size) for size in encoder.sizes]:
        raise RefusedError("its networks do not match its encoder")
    return kind.restored(arrays)


def _try_out(recipe: Recipe, encoder: TableEncoder, classes: np.ndarray | None) -> None:
    """Raise RefusedError if the parts do not fit together."""
    row = Encoded(
        np.zeros((1, len(encoder.number_names)), np.float32),
        np.zeros((1, len(encoder.sizes)), np.int32),
        encoder.sizes,
    )
    try:
        shape = recipe.predict(row).shape
    except (IndexError, TypeError, ValueError):
        shape = None
    if shape != ((1,) if classes is None else (1, len(classes))):
        raise RefusedError("its networks do not match its encoder")


def _described_classes(classes: np.ndarray) -> dict[str, Any]:
    return {"dtype": classes.dtype.str, "values": classes.tolist()}


def _rebuilt_classes(described: dict[str, Any]) -> np.ndarray:
    dtype, values = np.dtype(described["dtype"]), described["values"]
    if dtype.kind not in "biufUO" or len(values) < 2:
        raise RefusedError("its classes are corrupt")
    if not all(type(value) in (bool, int, float, str) for value in values):
        raise RefusedError("its classes are corrupt")
    return np.array(values, dtype)


def _as_json(value: Any) -> Any:
    """Return a value as JSON can hold it: infinity and NaN as texts, and plain numbers."""
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value) if isinstance(value, float) and not np.isfinite(value) else value


def _as_number(value: Any) -> float | int:
    if isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number of the targets is corrupt")
    return value
