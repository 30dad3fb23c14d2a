"""Optimizers: how a training step changes the parameters. `fastmlp.ops.update` computes them.

In the formulas, w is a parameter, g its gradient and lr the learning rate. Every optimizer takes
the learning rate as a number or a schedule, and

- ``weight_decay``: adds weight_decay * w to g, for weight matrices only;
- ``clip_norm``: scales the gradient of all parameters together down to at most this norm;
- ``max_norm``: after the update, scales each unit's incoming weights down to at most this norm.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastmlp.common.errors import instead_of_object, unknown
from fastmlp.optimizers import adaptive
from fastmlp.optimizers.adaptive import *
from fastmlp.optimizers.adaptive import ADAPTIVE
from fastmlp.optimizers.base import Optimizer
from fastmlp.optimizers.sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Optimizer",
    "get",
    "is_built_in",
]
__all__ += adaptive.__all__

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "nesterov": partial(SGD, momentum=0.9, nesterov=True),
    **ADAPTIVE,
}
"""Name, as for `fit` and the command line -> a function that creates the optimizer."""


def is_built_in(optimizer: Optimizer) -> bool:
    """Tell whether an optimizer is a built-in one rather than of a derived class."""
    return type(optimizer) in (SGD, *ADAPTIVE.values())


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
        raise TypeError(
            "optimizer must be a name or an object of a subclass of fastmlp.optimizers.Optimizer, "
            f"got {instead_of_object(optimizer)}"
        )
    return optimizer
