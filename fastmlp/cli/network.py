"""From names on the command line to layers, an optimizer and a schedule."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.cli.defaults import Defaults

__all__ = ["ACTIVATIONS", "OPTIMIZERS", "SCHEDULES", "build_model", "build_optimizer"]


@dataclass(frozen=True)
class _Named:
    """A class and the arguments that its short name stands for."""

    class_name: str
    arguments: dict[str, Any]


ACTIVATIONS = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
OPTIMIZERS = {
    "sgd": _Named("SGD", {}),
    "momentum": _Named("SGD", {"momentum": 0.9}),
    "nesterov": _Named("SGD", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": _Named("RMSprop", {}),
    "adam": _Named("Adam", {}),
    "adamw": _Named("AdamW", {}),
    "adagrad": _Named("Adagrad", {}),
}
SCHEDULES = ("constant", "step", "exponential", "cosine", "one-cycle", "warm-up")


def build_model(options: Defaults, X: np.ndarray, n_outputs: int, seed: int) -> Any:
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
    from fastmlp import Sequential, layers

    activation = getattr(layers, ACTIVATIONS[options.activation])
    stack: list[Any] = [layers.Normalize.from_data(X)]
    n_inputs = X.shape[1]
    for n_units in options.hidden:
        stack.append(layers.Linear(n_inputs, n_units))
        if options.batch_norm:
            stack.append(layers.BatchNorm(n_units))
        stack.append(activation())
        if options.dropout:
            stack.append(layers.Dropout(options.dropout))
        n_inputs = n_units
    stack.append(layers.Linear(n_inputs, n_outputs))
    return Sequential(*stack, seed=seed)


def build_optimizer(options: Defaults, steps_per_epoch: int) -> Any:
    """Return the optimizer with its schedule.

    Parameters
    ----------
    options : Defaults
        Optimizer, learning rate, schedule, weight decay, epochs.
    steps_per_epoch : int
        Of the training rows, for the length of a warm-up.

    """
    from fastmlp import optimizers

    named = OPTIMIZERS[options.optimizer]
    rate = _schedule(options, steps_per_epoch)
    make = getattr(optimizers, named.class_name)
    return make(lr=rate, weight_decay=options.weight_decay, **named.arguments)


def _schedule(options: Defaults, steps_per_epoch: int) -> Any:
    from fastmlp import schedules

    lr = options.lr
    match options.schedule:
        case "step":  # two falls, after a third and two thirds of the epochs
            return schedules.Step(lr, every=max(1, -(-options.epochs // 3)), factor=0.1)
        case "exponential":  # to a hundredth in the end
            return schedules.Exponential(lr, decay=0.01 ** (1 / options.epochs))
        case "cosine":
            return schedules.Cosine(lr)
        case "one-cycle":
            return schedules.OneCycle(lr)
        case "warm-up":  # a twentieth of the steps, then constant
            steps = max(1, steps_per_epoch * options.epochs // 20)
            return schedules.WarmUp(steps, schedules.Constant(lr))
        case _:
            return lr
