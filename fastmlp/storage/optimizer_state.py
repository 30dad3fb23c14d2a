"""An optimizer as JSON and arrays: its class, settings, counters and state, but no code."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp.common.errors import unknown
from fastmlp.common.trainable import Trainable
from fastmlp.optimizers import SGD, Optimizer, is_built_in
from fastmlp.optimizers.adaptive import ADAPTIVE
from fastmlp.storage.header import DamagedError, RefusedError

__all__ = ["build", "describe", "put_state", "state_arrays"]

_OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__: kind for kind in (SGD, *ADAPTIVE.values())
}


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """Return the class, settings and counters as plain values.

    Raises
    ------
    TypeError
        If the optimizer or its schedule is of a class that a file cannot name.

    """
    if not is_built_in(optimizer):
        raise TypeError(
            f"{optimizer!r} is not a built-in optimizer and cannot be saved: save the arrays of "
            "optimizer.state with numpy.savez"
        )
    settings = {name: getattr(optimizer, name) for name in _arguments(type(optimizer))}
    return {
        "optimizer": type(optimizer).__name__,
        "settings": settings | {"lr": _described_rate(optimizer.lr)},
        "t": optimizer.t,
        "epoch": optimizer.epoch,
    }


def state_arrays(optimizer: Optimizer, model: Trainable) -> dict[str, np.ndarray]:
    """Return views of the state that belong to each parameter, as ``"optimizer/m/0.weight"``."""
    return {
        f"optimizer/{name}/{slot.name}": slot.view(flat)
        for name, flat in optimizer.state.items()
        for slot in model.slots
    }


def build(described: Any) -> Optimizer:
    """Return a new optimizer of the described class with its settings, but no state."""
    try:
        name, settings = described["optimizer"], dict(described["settings"])
        if name not in _OPTIMIZERS:
            raise RefusedError(str(unknown("optimizer", name[:40], _OPTIMIZERS)))
        settings["lr"] = _built_rate(settings["lr"])
        return _OPTIMIZERS[name](**settings)
    except RefusedError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"its optimizer cannot be built: {error}") from None


def put_state(
    optimizer: Optimizer,
    model: Trainable,
    described: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Give an optimizer the counters and the state that `describe` and `state_arrays` returned.

    Its own arrays, which it has prepared for the model, receive the values.
    """
    steps, epochs = described["t"], described["epoch"]
    if not all(type(count) is int and 0 <= count < 2**62 for count in (steps, epochs)):
        raise DamagedError("its optimizer's counters are not whole numbers")
    targets = state_arrays(optimizer, model)
    given = {name: array for name, array in arrays.items() if name.startswith("optimizer/")}
    if given and {name: (a.shape, a.dtype) for name, a in given.items()} != {
        name: (a.shape, a.dtype) for name, a in targets.items()
    }:
        raise RefusedError("its optimizer's arrays do not match its layers")
    for name, array in given.items():  # none, if it has not taken a step yet
        targets[name][...] = array
    optimizer.t, optimizer.epoch = steps, epochs


def _arguments(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind).parameters if name != "self"]


def _described_rate(rate: Any) -> Any:
    """Return a learning rate as a plain value: a number, or a schedule's name and settings."""
    if not hasattr(rate, "rates"):
        return rate
    names = {kind: name for name, kind in schedules.SCHEDULES.items()}
    if type(rate) not in names:
        raise TypeError(f"the schedule {rate!r} is not a built-in one and cannot be saved")
    settings = {name: _described_rate(value) for name, value in vars(rate).items()}
    return {"schedule": names[type(rate)], "settings": settings}


def _built_rate(described: Any) -> Any:
    if not isinstance(described, dict):
        return described
    name = described["schedule"]
    if name not in schedules.SCHEDULES:
        raise RefusedError(str(unknown("schedule", name[:40], schedules.SCHEDULES)))
    settings = {key: _built_rate(value) for key, value in described["settings"].items()}
    create: Any = schedules.SCHEDULES[name]
    return create(**settings)
