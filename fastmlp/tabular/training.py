"""Training one network of an ensemble."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.tabular import methods
from fastmlp.tabular.methods import Recipe
from fastmlp.tabular.metrics import Metric
from fastmlp.tabular.rows import Rows
from fastmlp.training.callbacks import Callback, TrainingInfo
from fastmlp.training.history import History
from fastmlp.training.stopping import EarlyStopping

__all__ = ["METHODS", "Member", "train_member"]

METHODS = tuple(name for name in methods.METHODS if name != "pack")
"""The methods whose networks are trained one by one, unlike those of a pack."""

_BY_THE_ENGINE = ("accuracy", "rmse", "r2")
"""Metrics whose best epoch the training loop finds by itself; its accuracy has no weights."""

_CAUTION = 0.9
"""Share of the time left that is planned with: epochs do not all take the same time."""

_TOO_SLOW = "too slow for the time limit"


@dataclass(frozen=True, eq=False)
class Member:
    """A trained network of an ensemble.

    Attributes
    ----------
    recipe : Recipe
        The network and what is done to its inputs and targets.
    predicted : ndarray of shape (M, C) or (M,)
        Its predictions for its validation rows.
    score : float
        Its metric on these rows.
    history : History
    seconds : float
        Duration of everything, compilation too.

    """

    recipe: Recipe
    predicted: np.ndarray
    score: float
    history: History
    seconds: float

    @property
    def is_cut(self) -> bool:
        """Whether the time ran out or the user interrupted before training was complete."""
        return self.history.stopped in ("time limit", "interrupted")


def train_member(
    method: str,
    rows: Rows,
    val: Rows,
    *,
    n_classes: int,
    metric: Metric,
    seed: int,
    n_threads: int | None,
    deadline: float | None,
    callbacks: Sequence[Any] = (),
) -> Member:
    """Train a network; keep the epoch that is best by the metric.

    Parameters
    ----------
    method : str
        A key of `methods.METHODS`.
    rows, val : Rows
        Training and validation rows.
    n_classes : int
        0 for numbers.
    metric : Metric
    seed : int
    n_threads : int or None
    deadline : float or None
        When to stop, by ``time.monotonic()``.
    callbacks : sequence
        As of ``Sequential.fit``.

    """
    start = time.monotonic()
    recipe = methods.prepare(method, rows.inputs, rows.y, n_classes=n_classes, seed=seed)
    options: dict[str, Any] = {"n_threads": n_threads, "callbacks": [*callbacks]}
    if rows.weights is not None:
        options["sample_weight"] = rows.weights
    if val.weights is not None:
        inputs, targets = recipe.inputs(val.inputs), recipe.targets.encode(val.y)
        options["validation_data"] = (inputs, targets, val.weights)
    weighted = metric.name == "accuracy" and val.weights is not None
    if weighted or metric.name not in _BY_THE_ENGINE:
        options["callbacks"].insert(0, _Scored(recipe, val, metric))
        options["early_stopping"] = EarlyStopping(recipe.patience, _Scored.column, ties="later")
    history = _fit(recipe, rows, val, options, deadline)
    if history.stopped == _TOO_SLOW:
        assert deadline is not None
        recipe = methods.prepare(method, rows.inputs, rows.y, n_classes=n_classes, seed=seed)
        options["epochs"] = _epochs_until(deadline, history)
        history = _fit(recipe, rows, val, options, deadline)
    predicted = recipe.predict(val.inputs)
    score = metric.score(val.y, predicted, val.weights)
    return Member(recipe, predicted, score, history, time.monotonic() - start)


def _fit(
    recipe: Recipe, rows: Rows, val: Rows, options: Mapping[str, Any], deadline: float | None
) -> History:
    callbacks = list(options["callbacks"])
    if deadline is not None:
        callbacks.append(_Deadline(deadline, planned="epochs" in options))
    settings = {**options, "callbacks": callbacks}
    return recipe.train(rows.inputs, rows.y, val.inputs, val.y, **settings)


def _epochs_until(deadline: float, history: History) -> int:
    """Return for how many epochs there is time, judged by the first one of another network."""
    left = _CAUTION * (deadline - time.monotonic())
    return max(1, int(left / history[_Deadline.column][0]))


class _Scored(Callback):
    """Adds the metric on the validation rows to the record, so that it decides."""

    column = "val_score"

    def __init__(self, recipe: Recipe, val: Rows, metric: Metric):
        self.recipe, self.metric = recipe, metric
        self.y, self.weights = val.y, val.weights
        self.X = recipe.inputs(val.inputs)

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Score the model as it is now; higher is better."""
        predicted = self.recipe.targets.decode(model.predict(self.X))
        score = self.metric.sign * self.metric.score(self.y, predicted, self.weights)
        record[self.column] = score  # type: ignore[index]


class _Deadline(Callback):
    """Stops when there is no time for another epoch, or none for all epochs.

    A schedule of learning rates that is cut off leaves a poor network, so a network that cannot be
    complete in time is given up after its first epoch, and another is planned with fewer.

    Parameters
    ----------
    deadline : float
        By ``time.monotonic()``.
    planned : bool
        Whether the number of epochs already takes the deadline into account.

    """

    column = "epoch_seconds"

    def __init__(self, deadline: float, planned: bool):
        self.deadline, self.planned = deadline, planned
        self._epochs, self._last = 0, 0.0

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start the clock of the first epoch."""
        self._epochs, self._last = info.epochs, time.monotonic()

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop if another epoch, or all that are left, would pass the deadline."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        record[self.column] = took  # type: ignore[index]
        if epoch == 0 and not self.planned and now + (self._epochs - 1) * took > self.deadline:
            return _TOO_SLOW
        return "time limit" if now + took > self.deadline else None
