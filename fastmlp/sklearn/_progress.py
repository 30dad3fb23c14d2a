"""The state from which the next call of ``fit`` or ``partial_fit`` continues."""

from typing import Any

import numpy as np

from fastmlp.optimizers import Optimizer

__all__ = ["Progress"]


class Progress:
    """Everything that is needed to continue training, except for the weights.

    Attributes
    ----------
    random_state : numpy.random.RandomState
        Source of the minibatches.
    optimizer : Optimizer or None
    rate, rate_init : float
        The current learning rate, and the initial one that the user gave.
    no_improvement : int
        Epochs without a better loss or score.
    order : numpy.ndarray or None
        The order of rows in the last epoch, which the next epoch permutes.
    before_split : tuple or None
        The random state before the validation rows were drawn, so that the next call draws the
        same ones.

    """

    def __init__(self, random_state: np.random.RandomState):
        self.random_state = random_state
        self.optimizer: Optimizer | None = None
        self.rate = self.rate_init = 0.0
        self.no_improvement = 0
        self.order: np.ndarray | None = None
        self.before_split: Any = None
