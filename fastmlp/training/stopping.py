"""When to stop, and which parameters to keep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.common.trainable import Trainable
from fastmlp.common.validation import non_negative, positive_int
from fastmlp.engine import threads
from fastmlp.optimizers import Optimizer
from fastmlp.training.reasons import EARLY_STOPPING

__all__ = ["EarlyStopping", "Monitor", "Snapshot", "StoppingRule"]

_TIES = ("earlier", "later")
_MOST_SPARE = 1 << 27  # bytes of arrays that an optimizer's next copy finds


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a monitored value has not improved for a while.

    Attributes
    ----------
    patience : int or None, default 10
        Stop after this many epochs without improvement; >= 1. With None, never stop, and only
        tell which epoch is the best.
    monitor : str, optional
        A column of the history, which may be one that a callback adds to the record; default
        ``"val_loss"``, or ``"loss"`` without validation data. Lower is better for a column whose
        name ends in "loss", higher for all others.
    min_delta : float, default 0.0
        The smallest change that counts as an improvement; >= 0.
    ties : {"earlier", "later"}, default "earlier"
        Which of several epochs with the best value is the best. A later one with the same value is
        no improvement, so the patience runs on.

    """

    patience: int | None = 10
    monitor: str | None = None
    min_delta: float = 0.0
    ties: str = "earlier"

    def __post_init__(self) -> None:
        if self.patience is not None:
            positive_int("patience", self.patience)
        non_negative("min_delta", self.min_delta)
        if self.ties not in _TIES:
            raise unknown("ties", self.ties, _TIES)


class Snapshot:
    """A copy of all that training changes: parameters, layer state and any optimizer's state.

    Its arrays are allocated once; `save` and `restore` copy between them and the model's.

    Attributes
    ----------
    copies : dict of str to numpy.ndarray
        ``theta``, and the layers' and the optimizer's arrays by their names.
    step, epoch : int
        The optimizer's step and epoch counts at the time of the copy; 0 without an optimizer.

    """

    def __init__(self, model: Trainable, optimizer: Optimizer | None = None):
        self.optimizer = optimizer
        self.step: int = 0
        self.epoch: int = 0
        self._arrays = {"theta": model.theta, **model.state}
        if optimizer is not None:
            self._arrays |= optimizer.state
        spare = {} if optimizer is None else _spare.pop(optimizer, {})
        self.copies: dict[str, np.ndarray] = {
            name: _empty_like(array, spare.get(name)) for name, array in self._arrays.items()
        }
        self.save()

    @property
    def pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Each array and its copy."""
        return [(array, self.copies[name]) for name, array in self._arrays.items()]

    @property
    def age(self) -> int:
        """The number of optimizer steps since the copy."""
        return 0 if self.optimizer is None else self.optimizer.t - self.step

    def save(self) -> None:
        """Copy the current values."""
        self.put(self._arrays)
        if self.optimizer is not None:
            self.step, self.epoch = self.optimizer.t, self.optimizer.epoch

    def put(self, values: Mapping[str, np.ndarray]) -> None:
        """Replace the copies by other values."""
        threads.copy_arrays([(values[name], copy) for name, copy in self.copies.items()])

    def release(self) -> None:
        """Leave the arrays to the optimizer's next copy, unless they are large; this one is done.

        Writing to memory for the first time takes longer than the copy itself.
        """
        n_bytes = sum(array.nbytes for array in self.copies.values())
        if self.optimizer is not None and n_bytes <= _MOST_SPARE:
            _spare[self.optimizer] = self.copies
        self.copies = {}

    def restore(self) -> None:
        """Write the copied values back."""
        for name, array in self._arrays.items():
            array[...] = self.copies[name]
        if self.optimizer is not None:
            self.optimizer.t, self.optimizer.epoch = self.step, self.epoch


_TOLD = {
    "loss": "the training loss",
    "accuracy": "the training accuracy",
    "val_loss": "the validation loss",
    "val_accuracy": "the validation accuracy",
    "val_score": "the validation score",
}
"""Columns of the history -> what people call them."""

_spare: "WeakKeyDictionary[Optimizer, dict[str, np.ndarray]]" = WeakKeyDictionary()


def _empty_like(array: np.ndarray, spare: np.ndarray | None) -> np.ndarray:
    """Return an array with any values, which is the spare one if that fits."""
    if spare is not None and (spare.shape, spare.dtype) == (array.shape, array.dtype):
        return spare
    return np.empty_like(array)


class StoppingRule(Protocol):
    """Decides after each epoch whether it is the best so far and whether training should stop."""

    best_epoch: int | None

    @property
    def has_best(self) -> bool:
        """Whether there is a best epoch so far."""
        ...

    def update(self, record: Mapping[str, Any]) -> bool:
        """Record an epoch; return whether it is the best so far."""
        ...

    def reason(self) -> str | None:
        """Return why training should stop now, None if it should continue."""
        ...


class Monitor:
    """The stopping rule of a model: monitors one column and stops when patience runs out.

    A value that is not finite is never the best.

    Parameters
    ----------
    stopping : EarlyStopping
    default : str
        The column to use if ``stopping`` names none.
    patient : bool
        Whether patience never runs out, so that the monitor only finds the best epoch.

    """

    def __init__(self, stopping: EarlyStopping, default: str, patient: bool = False):
        self.column: str = stopping.monitor or default
        self.min_delta: float = stopping.min_delta
        self.patience: float = math.inf
        if stopping.patience is not None and not patient:
            self.patience = stopping.patience
        self.later_wins: bool = stopping.ties == "later"
        self.sign: float = 1.0 if self.column.endswith("loss") else -1.0
        self.best: float = math.inf
        self.best_epoch: int | None = None
        self.waited: int = 0

    def update(self, record: Mapping[str, Any]) -> bool:
        """Record an epoch; return whether it is the best so far."""
        value = record.get(self.column)
        if value is None:
            known = [name for name, v in record.items() if v is not None and name != "epoch"]
            raise unknown("column to monitor", self.column, known)
        value = self.sign * float(value)
        if np.isfinite(value) and value < self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = value, record["epoch"], 0
            return True
        self.waited += 1
        if self.later_wins and np.isfinite(value) and value == self.best:
            self.best_epoch = record["epoch"]
            return True
        return False

    @property
    def told(self) -> str:
        """What messages call the monitored column."""
        return _TOLD.get(self.column, self.column)

    @property
    def has_best(self) -> bool:
        """Whether any epoch had a finite value."""
        return self.best_epoch is not None

    @property
    def found_none(self) -> bool:
        """Whether there were epochs, but none with a finite value."""
        return self.best_epoch is None and self.waited > 0

    def reason(self) -> str | None:
        """Return "early stopping" once patience has run out."""
        return EARLY_STOPPING if self.waited >= self.patience else None
