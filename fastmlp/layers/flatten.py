"""Flatten."""

import numpy as np

from fastmlp.layers.base import Layer

__all__ = ["Flatten"]


class Flatten(Layer):
    """Turn (N, ...) into (N, D), D the product of the trailing axes."""

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the rows of x as vectors."""
        x = np.asarray(x)
        exact = x.dtype if x.dtype == np.float64 else None  # a Normalize may come next
        rows = self._enter(x, dtype=exact)
        return self._leave(rows, rows.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy in the shape of x."""
        return self._leave(self._enter_gradient(dy))
