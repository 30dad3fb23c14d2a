"""The update kernel of an optimizer, which updates a range of the parameters.

Every update kernel has the same arguments:

    update(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight)

It updates theta[start : start + size] by one step, using gradient[gradient_start : gradient_start +
size]; the optimizer's states have the same range as theta. ``hyper`` holds the hyperparameters
named in ``plan.op``, in float64; each call converts them to the working dtype once. Penalties and
weight decay apply only if ``is_weight``: g = gradient + (l2 + weight_decay) * w.
Reads all. Writes theta and states in that range, and what ``hyper`` keeps of a step. May destroy
nothing else.
"""

from dataclasses import dataclass
from typing import Any

from ..machine.jit import inner
from ..plan import op

__all__ = ["Rule", "like", "penalty"]


@dataclass(frozen=True)
class Rule:
    """A row of the table of optimizers.

    Attributes
    ----------
    name : str
    n_states : int
        The number of states per parameter, 0 to 2.
    update : kernel
        See above.

    """

    name: str
    n_states: int
    update: Any


@inner
def like(array, value):
    """Convert a float64 number to the dtype of an array."""
    return array.dtype.type(value)


@inner
def penalty(theta, hyper, is_weight):
    """Return l2 + weight_decay, or 0 unless ``is_weight``."""
    both = hyper[op.L2] + hyper[op.WEIGHT_DECAY]
    return like(theta, both if is_weight else 0.0)
