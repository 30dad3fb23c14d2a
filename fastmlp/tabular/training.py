"""Training one network of an ensemble."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fastmlp.engine import inference
from fastmlp.tabular import methods
from fastmlp.tabular.methods import Recipe
from fastmlp.tabular.metrics import Metric, baseline
from fastmlp.tabular.pace import EndInTime, Pace
from fastmlp.tabular.rows import Rows
from fastmlp.training.callbacks import Callback
from fastmlp.training.history import History
from fastmlp.training.reasons import INTERRUPTED, TIME_LIMIT
from fastmlp.training.stopping import EarlyStopping, Snapshot

__all__ = ["Member", "TimeFrame", "enough_visits", "monitored", "train_member"]

_BY_THE_ENGINE = ("accuracy", "rmse", "r2")
"""Metrics whose best epoch the training loop can find; its accuracy has no weights."""

_ENOUGH_EPOCHS, _ENOUGH_STEPS = 32, 2000


@dataclass(frozen=True)
class TimeFrame:
    """The time that a network may take.

    Attributes
    ----------
    deadline : float
        When to be done, by ``time.monotonic()``.
    latest : float
        When to be done at the latest if there is not enough time for a useful network until then.
    least : float
        Seconds of training if compiling has left no time.

    """

    deadline: float
    latest: float
    least: float


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
    around : float
        Seconds of these before and after training, which fewer epochs would not save.

    """

    recipe: Recipe
    predicted: np.ndarray
    score: float
    history: History
    seconds: float
    around: float

    @property
    def is_cut(self) -> bool:
        """Whether training ended too early, by the time limit or Ctrl-C, for a good network.

        A network that is trained until it no longer improves may end at any time.
        """
        ended = self.history.stopped in (TIME_LIMIT, INTERRUPTED)
        return not len(self.history) or (ended and self.recipe.patience is None)


def train_member(
    method: str,
    rows: Rows,
    val: Rows,
    *,
    n_classes: int,
    metric: Metric,
    seed: int,
    n_threads: int | None,
    time_frame: TimeFrame | None = None,
    number: int = 0,
    callbacks: Sequence[Any] = (),
) -> Member:
    """Train a network; keep the epoch that is best by the metric.

    A schedule of learning rates that is cut off leaves a poor network. So a network that cannot be
    complete in time is planned with fewer epochs, or with one epoch of some of the rows.

    Parameters
    ----------
    method : str
        One of `methods.METHODS`.
    rows, val : Rows
        Training and validation rows.
    n_classes : int
        0 for numbers.
    metric : Metric
    seed : int
    n_threads : int or None
    time_frame : TimeFrame, optional
    number : int, default 0
        Which network of a pack.
    callbacks : sequence
        As of ``Sequential.fit``.

    """
    start = time.monotonic()
    recipe = methods.prepare(
        method, rows.inputs, rows.y, n_classes=n_classes, seed=seed, number=number
    )
    optimizer = copy.deepcopy(recipe.options["optimizer"])  # its state is larger than the network
    prepared = time.monotonic()
    options_of = partial(_options, recipe, metric, n_threads)
    if time_frame is None:
        options = options_of(rows, val)
        options["callbacks"] += callbacks
        history, first = recipe.train(rows.inputs, rows.y, val.inputs, val.y, **options), None
    else:
        history, first = _train_in_time(recipe, rows, val, options_of, callbacks, time_frame)
    trained = time.monotonic()
    predicted = recipe.predict(val.inputs, n_threads)
    score = metric.score(val.y, predicted, val.weights)
    if first is not None:
        usual = baseline(rows.y, n_classes or None, rows.weights)
        usual = np.broadcast_to(usual if n_classes else usual[0], predicted.shape)
        usual_score = metric.score(val.y, usual, val.weights)
        if np.isnan(score) or metric.better(usual_score, score):
            first.restore()
            predicted, score = usual.copy(), usual_score
    done = replace(recipe, options=recipe.options | {"optimizer": optimizer})
    end = time.monotonic()
    return Member(done, predicted, score, history, end - start, prepared - start + end - trained)


def monitored(recipe: Recipe, metric: Metric) -> str:
    """Return which column of the training loop's history decides the best epoch."""
    chosen = metric.chosen and metric.name == "accuracy"
    return "val_accuracy" if chosen else recipe.monitor


def _options(
    recipe: Recipe,
    metric: Metric,
    n_threads: int | None,
    rows: Rows,
    val: Rows | None,
) -> dict[str, Any]:
    """Return the arguments of ``recipe.train`` for such rows."""
    options: dict[str, Any] = {"n_threads": n_threads, "callbacks": []}
    if rows.weights is not None:
        options["sample_weight"] = rows.weights
    if val is None:
        return options
    if val.weights is not None:
        inputs, targets = recipe.inputs(val.inputs), recipe.targets.encode(val.y)
        options["validation_data"] = (inputs, targets, val.weights)
    monitor = monitored(recipe, metric)
    options["early_stopping"] = EarlyStopping(recipe.patience, monitor, ties="later")
    if not metric.is_defined(val.y, recipe.targets.n_classes, val.weights):
        return options
    weighted = monitor == "val_accuracy" and val.weights is not None
    if weighted or metric.name not in _BY_THE_ENGINE:
        options["callbacks"].append(_Scored(recipe, val, metric, n_threads))
        options["early_stopping"] = EarlyStopping(recipe.patience, _Scored.column, ties="later")
    return options


def _train_in_time(
    recipe: Recipe,
    rows: Rows,
    val: Rows,
    options_of: Callable[[Rows, Rows | None], dict[str, Any]],
    callbacks: Sequence[Any],
    time_frame: TimeFrame,
) -> tuple[History, Snapshot | None]:
    """Train for as many epochs as there is time for.

    A network without time for a useful number of steps starts from the mean or the shares of the
    classes. It is returned as it was then, too, in case it becomes worse.
    """
    pace = Pace.measured(recipe, rows, val, options_of)
    now = time.monotonic()
    aside = pace.encoding + pace.rest  # for the inputs of all rows, and the predictions in the end
    left = max(time_frame.deadline - now - aside, pace.seconds(_enough(recipe, rows)))
    left = max(min(left, time_frame.latest - now - aside), time_frame.least)
    n_epochs, start = pace.epochs(left), None
    if n_epochs < _enough(recipe, rows):
        recipe.start_from_shares(rows.y)
        start = Snapshot(recipe.model)
    if n_epochs < 2:  # too few for validation rows to choose among
        batch = recipe.options["batch_size"]
        rows = _some(rows, pace.share(left), math.ceil(batch / 4))
        options = options_of(rows, None) | {"batch_size": min(batch, len(rows))}
        options["callbacks"] += callbacks
        history = recipe.train(rows.inputs, rows.y, epochs=1, **options)
    else:
        options = options_of(rows, val)
        options["callbacks"] += [*callbacks, EndInTime(now + pace.encoding + left)]
        if recipe.patience is None:
            options["epochs"] = min(int(n_epochs), recipe.options["epochs"])
        history = recipe.train(rows.inputs, rows.y, val.inputs, val.y, **options)
    history.compile_seconds += pace.compile_seconds
    return history, start


def _enough(recipe: Recipe, rows: Rows) -> float:
    """Return how many epochs make a useful network."""
    return enough_visits(len(rows), recipe.options["batch_size"]) / len(rows)


def enough_visits(n_rows: int, batch_size: int) -> float:
    """Return how many rows, each as often as it is visited, make a useful network."""
    return min(_ENOUGH_EPOCHS * n_rows, max(2 * n_rows, _ENOUGH_STEPS * batch_size))


def _some(rows: Rows, share: float, least: int) -> Rows:
    """Return a share of the rows, chosen at random."""
    n_rows = min(len(rows), max(least, int(share * len(rows))))
    chosen = np.random.default_rng(0).choice(len(rows), n_rows, replace=False)
    return rows.take(np.sort(chosen))


class _Scored(Callback):
    """Adds the metric on the validation rows to the record, so that it decides."""

    column = "val_score"

    def __init__(self, recipe: Recipe, val: Rows, metric: Metric, n_threads: int | None):
        self.recipe, self.metric, self.n_threads = recipe, metric, n_threads
        self.y, self.weights = val.y, val.weights
        self.X = recipe.inputs(val.inputs)

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Score the model as it is now; higher is better."""
        outputs = inference.predict(model, self.X, self.n_threads)
        predicted = self.recipe.targets.decode(outputs)
        score = self.metric.sign * self.metric.score(self.y, predicted, self.weights)
        record[self.column] = score  # type: ignore[index] - fit passes a dict, for new columns
