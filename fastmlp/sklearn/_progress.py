"""What the next call of ``fit`` or ``partial_fit`` goes on from."""

from typing import Any

import numpy as np

from fastmlp.optimizers import Optimizer

__all__ = ["Progress"]


class Progress:
    """All of a training that is to go on, apart from the weights.

    Attributes
    ----------
    random_state : numpy.random.RandomState
        Of the minibatches.
    optimizer : Optimizer or None
    rate, rate_init : float
        The learning rate now, and the one that the user gave for the start.
    no_improvement : int
        Epochs without a better loss or score.
    order : numpy.ndarray or None
        The order of the last epoch, which the next one permutes.
    before_split : tuple or None
        The random state from before the validation rows were drawn, so that they are the same ones
        in the next call.

    """

    def __init__(self, random_state: np.random.RandomState):
        self.random_state = random_state
        self.optimizer: Optimizer | None = None
        self.rate = self.rate_init = 0.0
        self.no_improvement = 0
        self.order: np.ndarray | None = None
        self.before_split: Any = None
