"""What some arguments of ``fit`` stand for, checked."""

import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp import losses
from fastmlp.errors import argument, unknown
from fastmlp.history import COLUMNS
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import SCHEDULES, OneCycle, WarmUp
from fastmlp.stopping import EarlyStopping, Monitor
from fastmlp.validation import non_negative, positive, positive_int, representable

__all__ = [
    "as_callbacks",
    "as_monitor",
    "as_time_limit",
    "class_weights",
    "displays",
    "require_representable",
]

_HOOKS = ("on_train_begin", "on_epoch_end", "on_train_end", "poll")


def class_weights(
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


def as_callbacks(callbacks: Any) -> list[Any]:
    """Return the callbacks as a list, each an object with one of the hooks."""
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list or tuple of callbacks, got {callbacks!r}")
    for callback in callbacks:
        if isinstance(callback, type) or not any(hasattr(callback, hook) for hook in _HOOKS):
            raise TypeError(
                f"each callback must be an object with {' or '.join(_HOOKS)}, got {callback!r}"
            )
        for name in dir(callback):
            if _is_meant_as_hook(name) and callable(inspect.getattr_static(callback, name)):
                raise TypeError(
                    f"the callback {callback!r} has {name}, which nothing would call: the hooks "
                    f"are {', '.join(_HOOKS)}"
                )
    return list(callbacks)


def _is_meant_as_hook(name: str) -> bool:
    """Tell whether a name is no hook but looks like one."""
    if name in _HOOKS or name.startswith("_"):
        return False
    return name.startswith("on_") or bool(difflib.get_close_matches(name.lower(), _HOOKS, 1, 0.85))


def as_monitor(
    early_stopping: int | EarlyStopping | None,
    restore_best: bool,
    has_validation: bool,
    loss: losses.Loss,
    callbacks: Sequence[Any],
) -> Monitor | None:
    """Return what follows the column to stop by, None where nothing does.

    Raises
    ------
    ValueError
        If there will be no such column.

    """
    if early_stopping is None and not restore_best:
        return None
    stopping = early_stopping
    if stopping is None:
        stopping = EarlyStopping()
    elif not isinstance(stopping, EarlyStopping):
        stopping = EarlyStopping(positive_int("early_stopping", stopping))
    monitor = Monitor(
        stopping, "val_loss" if has_validation else "loss", patient=early_stopping is None
    )
    known = [name for name in COLUMNS if name.endswith(("loss", "accuracy"))]
    if not has_validation:
        known = [name for name in known if not name.startswith("val_")]
    if not loss.has_accuracy:
        known = [name for name in known if not name.endswith("accuracy")]
    if monitor.column not in known and (monitor.column in COLUMNS or not callbacks):
        raise unknown("column to monitor", monitor.column, known)
    return monitor


def as_time_limit(seconds: float) -> Any:
    """Return the callback that stops after so many seconds."""
    from fastmlp.callbacks import TimeLimit

    return TimeLimit(positive("time_limit", seconds))


def require_representable(optimizer: Optimizer, l2: float, dtype: np.dtype) -> None:
    """Raise ValueError if a number of one of our optimizers, or l2, is 0 or infinite in a dtype."""
    representable(argument("l2"), l2, dtype)
    if type(optimizer) not in OPTIMIZERS.values():
        return
    numbers = {name: value for name, value in vars(optimizer).items() if isinstance(value, float)}
    for name, value in (numbers | _highest_rate(optimizer.lr)).items():
        option = argument(name)
        representable(option if option != name else f"{name} of {optimizer!r}", value, dtype)


def _highest_rate(schedule: Any) -> dict[str, float]:
    """Return the rate by which one of our schedules is scaled: the others may well fade to 0."""
    while isinstance(schedule, WarmUp):
        schedule = schedule.schedule
    if type(schedule) not in SCHEDULES.values():
        return {}
    return {"lr": schedule.max_lr if isinstance(schedule, OneCycle) else schedule.lr}


def displays(verbose: bool | None) -> list[Any]:
    """Return the display, where one is wanted: by default only on a terminal."""
    if verbose is None:
        verbose = sys.stdout is not None and sys.stdout.isatty()
    if not verbose:
        return []
    from fastmlp.callbacks import Progress

    return [Progress()]
