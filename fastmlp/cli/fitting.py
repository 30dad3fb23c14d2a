"""From data and options to a trained network, for `train` and `sweep` alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.cli.data import Task
from fastmlp.cli.defaults import Defaults
from fastmlp.cli.network import build_model, build_optimizer

__all__ = ["r2", "train_network"]

Scores = tuple[Any, Any]


def train_network(
    task: Task,
    options: Defaults,
    *,
    seed: int,
    n_threads: int | None,
    precision: str = "highest",
    l2: float = 0.0,
    validate: bool = False,
    callbacks: Sequence[Any] = (),
    verbose: bool = False,
    score: Sequence[str] = ("val",),
) -> tuple[Any, Any, dict[str, Scores]]:
    """Return a network trained by the options, in the data's own units, its history, its scores.

    It is scored on "val" and "test" rows, as ``score`` says, while its outputs are standardised:
    targets such as 1e6 +- 0.1 are all alike in the float32 of a network in their own units.
    """
    model = build_model(options, task.X_train, task.n_outputs, seed)
    steps_per_epoch = -(-len(task.X_train) // min(options.batch_size, len(task.X_train)))
    history = model.fit(
        task.X_train,
        task.to_learn(task.y_train),
        loss=task.loss,
        optimizer=build_optimizer(options, steps_per_epoch),
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=(task.X_val, task.to_learn(task.y_val)) if validate else None,
        l2=l2,
        seed=seed,
        n_threads=n_threads,
        matmul_precision=precision,
        early_stopping=options.early_stopping or None,
        restore_best=options.early_stopping > 0,
        callbacks=callbacks,
        verbose=verbose,
    )
    scores = {part: _scores(model, task, part) for part in score}
    outputs = model.layers[-1].params  # from standardised targets back to the data's own units
    outputs["weight"] *= task.target_std
    outputs["bias"] *= task.target_std
    outputs["bias"] += task.target_mean
    return model, history, scores


def _scores(model: Any, task: Task, part: str) -> Scores:
    """Return loss and accuracy; None where there are no rows or no accuracy."""
    data = task.dataset
    X, y = (data.X_test, data.y_test) if part == "test" else (task.X_val, task.y_val)
    if not len(X):
        return None, None
    loss, accuracy = model.evaluate(X, task.to_learn(y), loss=task.loss)
    return loss * task.target_std**2, accuracy


def r2(mean_squared_error: float, y: np.ndarray) -> float | None:
    """Return the share of the targets' variance that is explained; None where there is none."""
    if y.size == 0 or y.min() == y.max():
        return None
    return 1 - mean_squared_error / float(np.var(y, dtype=np.float64))
