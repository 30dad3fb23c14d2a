"""Optimizers: how a step changes the parameters. Formulas are computed by `fastmlp.ops.update`.

w a parameter, g its gradient, lr the learning rate. Every optimizer takes the learning rate as a
number or a schedule, and
``weight_decay`` (g + weight_decay * w, on weight matrices only), ``clip_norm`` (the gradient of all
parameters together is scaled down to this norm) and ``max_norm`` (after the update, each unit's
incoming weights are scaled down to this norm).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastmlp.errors import unknown
from fastmlp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from fastmlp.optimizers.base import Optimizer
from fastmlp.optimizers.sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "get",
    "is_built_in",
]

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "adagrad": Adagrad,
}
"""Name, as `fit` and the command line take it -> what makes the optimizer."""

_CLASSES = (SGD, RMSprop, Adam, AdamW, Adagrad)


def is_built_in(optimizer: Optimizer) -> bool:
    """Tell whether an optimizer is one of ours, and not of a class derived from them."""
    return type(optimizer) in _CLASSES


def get(optimizer: Any) -> Optimizer:
    """Return a new optimizer with the given name and its defaults, or the object itself.

    Raises
    ------
    TypeError, ValueError
        If the name is unknown, or the object is not an optimizer.

    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise unknown("optimizer", optimizer, OPTIMIZERS)
        return OPTIMIZERS[optimizer]()
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a name or an optimizer object, got {optimizer!r}")
    return optimizer
