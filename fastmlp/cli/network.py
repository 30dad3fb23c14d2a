"""From names on the command line to layers, an optimizer and a schedule."""

from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp.cli.defaults import Defaults
from fastmlp.errors import unknown
from fastmlp.layers import ACTIVATIONS, BatchNorm, Dropout, Linear, Normalize
from fastmlp.model import Sequential
from fastmlp.optimizers import OPTIMIZERS, Optimizer

__all__ = ["build_model", "build_optimizer"]


def build_model(options: Defaults, X: np.ndarray, n_outputs: int, seed: int) -> Sequential:
    """Return a new network that standardises its inputs by the training rows.

    Parameters
    ----------
    options : Defaults
        Hidden layers, activation, dropout, batch normalisation.
    X : array, shape (N, D)
        Training rows.
    n_outputs : int
        Classes C, or numbers a row in a regression.
    seed : int
        Of the initial weights.

    """
    stack: list[Any] = [Normalize.from_data(X)]
    n_inputs = X.shape[1]
    for n_units in options.hidden:
        stack.append(Linear(n_inputs, n_units))
        if options.batch_norm:
            stack.append(BatchNorm(n_units))
        stack.append(ACTIVATIONS[options.activation]())
        if options.dropout:
            stack.append(Dropout(options.dropout))
        n_inputs = n_units
    stack.append(Linear(n_inputs, n_outputs))
    return Sequential(*stack, seed=seed)


def build_optimizer(options: Defaults, steps_per_epoch: int) -> Optimizer:
    """Return the optimizer with its schedule.

    Parameters
    ----------
    options : Defaults
        Optimizer, learning rate, schedule, weight decay, epochs.
    steps_per_epoch : int
        Of the training rows, for the length of a warm-up.

    """
    rate = _schedule(options, steps_per_epoch)
    return OPTIMIZERS[options.optimizer](
        lr=rate, weight_decay=options.weight_decay, clip_norm=options.clip_norm
    )


def _schedule(options: Defaults, steps_per_epoch: int) -> schedules.Schedule:
    lr = options.lr
    match options.schedule:
        case "step":  # two falls, after a third and two thirds of the epochs
            return schedules.Step(lr, every=max(1, -(-options.epochs // 3)), factor=0.1)
        case "exponential":  # to a hundredth in the end
            return schedules.Exponential(lr, decay=0.01 ** (1 / options.epochs))
        case "warm_up":  # a twentieth of the steps, then constant
            steps = max(1, steps_per_epoch * options.epochs // 20)
            return schedules.WarmUp(steps, lr)
        case "cosine":
            return schedules.Cosine(lr)
        case "one_cycle":
            return schedules.OneCycle(lr)
        case "constant":
            return schedules.Constant(lr)
        case _:
            raise unknown("schedule", options.schedule, schedules.SCHEDULES)
