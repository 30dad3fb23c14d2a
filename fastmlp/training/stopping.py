"""When to stop, and which parameters to keep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.common.trainable import Trainable
from fastmlp.common.validation import non_negative, positive_int
from fastmlp.optimizers import Optimizer

__all__ = ["Checkpoint", "EarlyStopping", "Monitor", "StoppingRule"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a monitored value has not become better for a while.

    Attributes
    ----------
    patience : int, default 10
        Epochs without a better value after which training stops; >= 1.
    monitor : str, optional
        A column of the history, one that a callback adds to the record included; default
        ``"val_loss"``, or ``"loss"`` without validation data. Losses are better when lower, all
        else when higher.
    min_delta : float, default 0.0
        By how much a value must be better to count; >= 0.

    """

    patience: int = 10
    monitor: str | None = None
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        positive_int("patience", self.patience)
        non_negative("min_delta", self.min_delta)


class Checkpoint:
    """A copy of all that training changes: parameters, layer state, and the optimizer's if given.

    It is made once and filled again by `save`; the model and the optimizer keep their arrays.

    Attributes
    ----------
    step, epoch : int
        What the optimizer had done when the copy was made; 0 without one.

    """

    def __init__(self, model: Trainable, optimizer: Optimizer | None = None):
        self.optimizer = optimizer
        self.step: int = 0
        self.epoch: int = 0
        self._arrays = [model.theta, *model.state.values()]
        if optimizer is not None:
            self._arrays += optimizer.state.values()
        self._copies = [np.empty_like(array) for array in self._arrays]
        self.save()

    @property
    def age(self) -> int:
        """Steps that the optimizer has made since the copy."""
        return 0 if self.optimizer is None else self.optimizer.t - self.step

    def save(self) -> None:
        """Copy what is there now."""
        for array, copy in zip(self._arrays, self._copies, strict=True):
            copy[...] = array
        if self.optimizer is not None:
            self.step, self.epoch = self.optimizer.t, self.optimizer.epoch

    def restore(self) -> None:
        """Put the copy back."""
        for array, copy in zip(self._arrays, self._copies, strict=True):
            array[...] = copy
        if self.optimizer is not None:
            self.optimizer.t, self.optimizer.epoch = self.step, self.epoch


class StoppingRule(Protocol):
    """Decides, epoch by epoch, which parameters are the best and when training should stop."""

    best_epoch: int | None

    @property
    def has_best(self) -> bool:
        """Whether any epoch so far was the best."""
        ...

    def update(self, record: Mapping[str, Any]) -> bool:
        """Take in an epoch; return whether it is the best so far."""
        ...

    def reason(self) -> str | None:
        """Return why training should stop now, None if it should go on."""
        ...


class Monitor:
    """The stopping rule of a model: follow one column of the records until patience is at an end.

    A value that is not finite is never the best.

    Parameters
    ----------
    stopping : EarlyStopping
    default : str
        The column if ``stopping`` names none.
    patient : bool
        Whether patience never ends: to find the best epoch alone.

    """

    def __init__(self, stopping: EarlyStopping, default: str, patient: bool = False):
        self.column: str = stopping.monitor or default
        self.min_delta: float = stopping.min_delta
        self.patience: float = math.inf if patient else stopping.patience
        self.sign: float = 1.0 if self.column.endswith("loss") else -1.0
        self.best: float = math.inf
        self.best_epoch: int | None = None
        self.waited: int = 0

    def update(self, record: Mapping[str, Any]) -> bool:
        """Take in an epoch; return whether it is the best so far."""
        value = record.get(self.column)
        if value is None:
            known = [name for name, v in record.items() if v is not None and name != "epoch"]
            raise unknown("column to monitor", self.column, known)
        value = self.sign * float(value)
        if np.isfinite(value) and value < self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = value, record["epoch"], 0
            return True
        self.waited += 1
        return False

    @property
    def has_best(self) -> bool:
        """Whether any epoch had a finite value."""
        return self.best_epoch is not None

    @property
    def found_none(self) -> bool:
        """Whether it saw epochs, but none with a finite value."""
        return self.best_epoch is None and self.waited > 0

    def reason(self) -> str | None:
        """Return "early stopping" when patience is at an end."""
        return "early stopping" if self.waited >= self.patience else None
