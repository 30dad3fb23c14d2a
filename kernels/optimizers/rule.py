"""What an optimizer is: a kernel that updates a stretch of the parameters.

Every update kernel has the same arguments:

    update(theta, gradient, state1, state2, start, gradient_start, size, hyper, is_weight)

It updates theta[start : start + size] by one step. gradient[gradient_start : gradient_start + size]
belongs to it; the optimizer's states lie at the same place as theta. ``hyper`` holds the numbers
that ``plan.op`` names, in float64; they are brought to the working dtype once for a call. Penalties
and weight decay act only where ``is_weight``: g = gradient + (l2 + weight_decay) * w.
Reads all. Writes theta and states in that range. May destroy nothing else.
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
        How many states it keeps for each parameter, 0 to 2.
    update : kernel
        See above.

    """

    name: str
    n_states: int
    update: Any


@inner
def like(array, value):
    """Return a float64 number in the dtype of an array."""
    return array.dtype.type(value)


@inner
def penalty(theta, hyper, is_weight):
    """Return l2 + weight_decay, or 0 where it does not act."""
    both = hyper[op.L2] + hyper[op.WEIGHT_DECAY]
    return like(theta, both if is_weight else 0.0)
