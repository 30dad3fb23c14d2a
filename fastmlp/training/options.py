"""The arguments of ``fit`` other than data, checked."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import losses
from fastmlp.common.errors import argument, unknown
from fastmlp.common.rows import Rows
from fastmlp.common.validation import (
    as_weights,
    fits,
    non_negative,
    positive,
    positive_int,
    representable,
    seed_int,
)
from fastmlp.optimizers import Optimizer, is_built_in
from fastmlp.schedules import SCHEDULES, OneCycle, Schedule, WarmUp, as_schedule
from fastmlp.training.callbacks import TimeLimit, as_callbacks
from fastmlp.training.history import COLUMNS
from fastmlp.training.progress import Progress
from fastmlp.training.stopping import EarlyStopping, Monitor

__all__ = ["PRECISIONS", "FitOptions"]

PRECISIONS = ("highest", "high", "medium")


@dataclass(frozen=True)
class FitOptions:
    """How to train; `checked` builds them from the arguments of `fastmlp.Sequential.fit`.

    Attributes
    ----------
    schedule : Schedule
        The optimizer's learning rate at each step.
    n_threads : int or None
        None means as many threads as the process may use.
    early_stopping : EarlyStopping or None
    time_limit : float or None
        Seconds.

    The others are the arguments of ``fit``; the loss and the optimizer are objects.

    """

    loss: losses.Loss
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size: int
    class_weight: Any
    l2: float
    shuffle: bool
    drop_last: bool
    fade: Schedule | None
    seed: int
    n_threads: int | None
    matmul_precision: str
    callbacks: tuple[Any, ...]
    early_stopping: EarlyStopping | None
    restore_best: bool
    time_limit: float | None
    verbose: bool | None

    @classmethod
    def checked(
        cls,
        *,
        loss: Any,
        label_smoothing: float,
        optimizer: Optimizer,
        epochs: int,
        batch_size: int,
        class_weight: Any,
        l2: float,
        shuffle: bool,
        drop_last: bool,
        fade: Schedule | None,
        seed: int,
        n_threads: int | None,
        matmul_precision: str,
        callbacks: Any,
        early_stopping: int | EarlyStopping | None,
        restore_best: bool,
        time_limit: float | None,
        verbose: bool | None,
    ) -> "FitOptions":
        """Check each option on its own and return them; raise for the first that is wrong."""
        if matmul_precision not in PRECISIONS:
            raise unknown("matmul_precision", matmul_precision, PRECISIONS)
        if early_stopping is not None and not isinstance(early_stopping, EarlyStopping):
            early_stopping = EarlyStopping(positive_int("early_stopping", early_stopping))
        return cls(
            loss=losses.get(loss, label_smoothing),
            optimizer=optimizer,
            schedule=as_schedule(optimizer.lr),
            epochs=positive_int("epochs", epochs),
            batch_size=positive_int("batch_size", batch_size),
            class_weight=class_weight,
            l2=non_negative("l2", l2),
            shuffle=bool(shuffle),
            drop_last=bool(drop_last),
            fade=None if fade is None else as_schedule(fade, "fade"),
            seed=seed_int("seed", seed),
            n_threads=None if n_threads is None else positive_int("n_threads", n_threads),
            matmul_precision=matmul_precision,
            callbacks=as_callbacks(callbacks),
            early_stopping=early_stopping,
            restore_best=bool(restore_best),
            time_limit=None if time_limit is None else positive("time_limit", time_limit),
            verbose=verbose,
        )

    def require_representable(self, dtype: np.dtype) -> None:
        """Raise ValueError if ``l2`` or an optimizer setting becomes 0 or infinite in a dtype."""
        representable(argument("l2"), self.l2, dtype)
        if not is_built_in(self.optimizer):
            return
        settings = vars(self.optimizer).items()
        numbers = {name: value for name, value in settings if isinstance(value, float)}
        for name, value in (numbers | _highest_rate(self.optimizer.lr)).items():
            if fits(value, dtype):  # usual, and naming the optimizer takes time
                continue
            option = argument(name)
            whose = option if option != name else f"{name} of {self.optimizer!r}"
            representable(whose, value, dtype)

    def weighted(self, rows: Rows, n_classes: int, dtype: np.dtype) -> Rows:
        """Return the rows with their weights multiplied by the class weights."""
        if self.class_weight is None:
            return rows
        targets = rows.used(rows.targets)
        of_rows = _class_weights(self.class_weight, self.loss, targets, n_classes)
        weights = as_weights(of_rows, len(rows), dtype, "class_weight")
        if rows.weights is not None:
            weights = as_weights(rows.used(rows.weights) * weights, len(rows), dtype)
        return rows.reweighted(weights)

    def monitor(self, validates: bool) -> Monitor | None:
        """Return a monitor of the column to stop by, None if nothing is monitored.

        Raises
        ------
        ValueError
            If the history will not have that column.

        """
        if self.early_stopping is None and not self.restore_best:
            return None
        monitor = Monitor(
            self.early_stopping or EarlyStopping(),
            "val_loss" if validates else "loss",
            patient=self.early_stopping is None,
        )
        known = [name for name in COLUMNS if name.endswith(("loss", "accuracy"))]
        if not validates:
            known = [name for name in known if not name.startswith("val_")]
        if not self.loss.has_accuracy:
            known = [name for name in known if not name.endswith("accuracy")]
        if monitor.column not in known and (monitor.column in COLUMNS or not self.callbacks):
            raise unknown("column to monitor", monitor.column, known)
        return monitor

    def listeners(self) -> list[Any]:
        """Return the callbacks, with a time limit and progress display if wanted.

        By default progress is shown only on a terminal.
        """
        limit = [] if self.time_limit is None else [TimeLimit(self.time_limit)]
        verbose = self.verbose
        if verbose is None:
            verbose = sys.stdout is not None and sys.stdout.isatty()
        return [*self.callbacks, *limit, *([Progress()] if verbose else [])]


def _class_weights(
    class_weight: Any, loss: losses.Loss, y: np.ndarray, n_classes: int
) -> np.ndarray:
    """Return the weight of each row's class."""
    if not loss.takes_labels:
        raise ValueError(f"class_weight needs class labels, but {loss!r} takes numbers")
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(y, minlength=n_classes)
        return (len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[y]
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight must be a dict of class -> weight or 'balanced', got {class_weight!r}"
        )
    of_class = np.ones(n_classes)
    for label, weight in class_weight.items():
        if not isinstance(label, int | np.integer) or not 0 <= label < n_classes:
            raise ValueError(
                f"class_weight must have classes from 0 to {n_classes - 1} as keys, got {label!r}"
            )
        of_class[label] = non_negative(f"class_weight[{label!r}]", weight)
    return of_class[y]


def _highest_rate(schedule: Any) -> dict[str, float]:
    """Return the rate that scales a built-in schedule; rates at single steps may fade to 0."""
    while isinstance(schedule, WarmUp):
        schedule = schedule.schedule
    if type(schedule) not in SCHEDULES.values():
        return {}
    return {"lr": schedule.max_lr if isinstance(schedule, OneCycle) else schedule.lr}
