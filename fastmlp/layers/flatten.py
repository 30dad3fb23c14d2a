"""The layer that flattens images to rows."""

import numpy as np

from fastmlp.engine.plan import Nothing
from fastmlp.layers.base import Layer

__all__ = ["Flatten"]


class Flatten(Layer):
    """Reshape (N, ...) to (N, D), where D is the product of the trailing axes."""

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x with shape (N, D)."""
        x = np.asarray(x)
        exact = x.dtype if x.dtype == np.float64 else None  # for a Normalize that may follow
        rows = self._enter(x, dtype=exact)
        return self._leave(rows, rows.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy in the shape of x."""
        return self._leave(self._enter_gradient(dy))

    def lowered(self, width: int) -> Nothing:
        """Describe the layer to the engine, which flattens all rows."""
        return Nothing()
