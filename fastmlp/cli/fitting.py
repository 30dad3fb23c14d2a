"""Training a network from data and options, for both `train` and `sweep`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.cli.data import Task
from fastmlp.cli.network import build_model, build_optimizer, build_schedule
from fastmlp.cli.settings import Settings, for_library

__all__ = ["prepared", "r2", "scored", "train_network"]

Scores = tuple[Any, Any]


def train_network(
    task: Task,
    settings: Settings,
    *,
    validate: bool = False,
    callbacks: Sequence[Any] = (),
    verbose: bool = False,
    score: Sequence[str] = ("val",),
) -> tuple[Any, Any, dict[str, Scores]]:
    """Train a network; return it in the data's own units, with its history and scores.

    ``score`` names the rows to score it on, "val" or "test".
    """
    model, fit = prepared(task, settings)
    history = model.fit(
        task.X_train,
        task.to_learn(task.y_train),
        validation_data=(task.X_val, task.to_learn(task.y_val)) if validate else None,
        callbacks=callbacks,
        verbose=verbose,
        **fit,
    )
    return model, history, scored(model, task, score)


def prepared(task: Task, settings: Settings) -> tuple[Any, dict[str, Any]]:
    """Return a new network, and the arguments of its ``fit`` that do not depend on the command."""
    network, optimizer, fit = (
        for_library(settings, place) for place in ("network", "optimizer", "fit")
    )
    model = build_model(task.X_train, task.n_outputs, fit["seed"], **network)
    steps_per_epoch = -(-len(task.X_train) // min(fit["batch_size"], len(task.X_train)))
    schedule = build_schedule(
        **for_library(settings, "schedule"), epochs=fit["epochs"], steps_per_epoch=steps_per_epoch
    )
    patience = fit.pop("early_stopping")
    return model, fit | {
        "loss": task.loss,
        "optimizer": build_optimizer(schedule, **optimizer),
        "early_stopping": patience or None,
        "restore_best": patience > 0,
    }


def scored(model: Any, task: Task, score: Sequence[str] = ("val",)) -> dict[str, Scores]:
    """Return the scores of a trained network, and convert it to the data's own units.

    Scoring uses the standardised outputs: in the data's units, targets such as 1e6 +- 0.1 would all
    be the same float32.
    """
    scores = {part: _scores(model, task, part) for part in score}
    outputs = model.layers[-1].params
    outputs["weight"] *= task.target_std
    outputs["bias"] *= task.target_std
    outputs["bias"] += task.target_mean
    return scores


def _scores(model: Any, task: Task, part: str) -> Scores:
    """Return loss and accuracy; None if there are no rows, or no accuracy."""
    data = task.dataset
    X, y = (data.X_test, data.y_test) if part == "test" else (task.X_val, task.y_val)
    if not len(X):
        return None, None
    loss, accuracy = model.evaluate(X, task.to_learn(y), loss=task.loss)
    return loss * task.target_std**2, accuracy


def r2(mean_squared_error: float, y: np.ndarray) -> float | None:
    """Return R2, the explained share of the targets' variance; None if they do not vary."""
    if y.size == 0 or y.min() == y.max():
        return None
    return 1 - mean_squared_error / float(np.var(y, dtype=np.float64))
