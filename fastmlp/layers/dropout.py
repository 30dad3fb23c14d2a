"""The dropout layer."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.validation import fraction, seed_int
from fastmlp.engine.plan import Drop
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Setting

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, set each element to 0 with probability p and scale the rest by 1 / (1 - p).

    At inference it is the identity ("inverted" dropout, Srivastava et al., 2014). The mask is a
    hash of (seed, step, layer index, row, column), so it takes no memory and does not depend on
    the number of threads. ``fit`` sets seed and step; in a standalone layer, every training pass
    counts as a step.

    Parameters
    ----------
    p : float
        Probability of *dropping* an element; 0 <= p < 1.
    seed : int, default 0
        Seed of the masks when the layer is used on its own.

    Attributes
    ----------
    step : int
        Number of training passes so far. Set it back to draw the same mask again.

    Raises
    ------
    TypeError, ValueError
        If p is not a number in [0, 1).

    """

    step: int = 0
    p: Setting[float] = Setting(fraction)

    def __init__(self, p: float, *, seed: int = 0):
        self.p = p
        self.seed: int = seed_int("seed", seed)
        self.step = 0

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x, with elements dropped if ``train``."""
        rows = self._enter(x)
        self._key = None
        if train:
            self._key = ops.dropout_key(self.seed, self.step, self._index)
            self.step += 1
            self._faded = self.p * self.fade
            rows = ops.dropout(rows, self._faded, self._key)
        return self._leave(rows)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy with the same elements dropped and scaled."""
        dy = self._enter_gradient(dy)
        if self._key is not None:
            dy = ops.dropout_backward(dy, self._faded, self._key)
        return self._leave(dy)

    def begin_step(self, seed: int, step: int) -> None:
        """Draw the next mask from the seed and the number of the step."""
        self.seed, self.step = seed, step

    def lowered(self, width: int) -> Drop:
        """Describe the layer to the engine."""
        return Drop(self.p)

    def config(self) -> dict[str, Any]:
        """Return p, and the seed unless it is 0."""
        return {"p": self.p} | ({"seed": self.seed} if self.seed else {})
