"""Building layers, an optimizer and a schedule from their names on the command line."""

from typing import Any

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.layers import ACTIVATIONS, BatchNorm, Dropout, Linear, Normalize
from fastmlp.model import Sequential
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import SCHEDULES, Schedule

__all__ = ["build_model", "build_optimizer", "build_schedule"]


def build_model(
    X: np.ndarray,
    n_outputs: int,
    seed: int,
    *,
    hidden: tuple[int, ...],
    activation: str,
    dropout: float,
    batch_norm: bool,
) -> Sequential:
    """Return a new network that standardises its inputs with the training rows' statistics.

    Parameters
    ----------
    X : array, shape (N, D)
        Training rows.
    n_outputs : int
        The number of classes, or of target columns in a regression.
    seed : int
        Seed of the initial weights.
    hidden, activation, dropout, batch_norm
        The values of the network options.

    """
    stack: list[Any] = [Normalize.from_data(X)]
    n_inputs = X.shape[1]
    for n_units in hidden:
        stack.append(Linear(n_inputs, n_units))
        if batch_norm:
            stack.append(BatchNorm(n_units))
        stack.append(ACTIVATIONS[activation]())
        if dropout:
            stack.append(Dropout(dropout))
        n_inputs = n_units
    stack.append(Linear(n_inputs, n_outputs))
    return Sequential(*stack, seed=seed)


def build_schedule(schedule: str, lr: float, epochs: int, steps_per_epoch: int) -> Schedule:
    """Return the schedule of that name for a training run of known length.

    Raises
    ------
    ValueError
        If there is no schedule of that name.

    """
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    return SCHEDULES[schedule].for_training(lr, epochs, steps_per_epoch)


def build_optimizer(schedule: Schedule, optimizer: str, **settings: Any) -> Optimizer:
    """Return the optimizer of that name, with a schedule for its learning rate."""
    return OPTIMIZERS[optimizer](lr=schedule, **settings)
