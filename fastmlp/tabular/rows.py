"""Encoded rows with what is to be predicted."""

from dataclasses import dataclass

import numpy as np

from fastmlp.tabular.encoder import Encoded

__all__ = ["Rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Encoded rows, their targets and weights.

    Attributes
    ----------
    inputs : Encoded
    y : int64 ndarray of shape (N,), or float64 ndarray of shape (N,)
        Class numbers, or numbers.
    weights : float64 ndarray of shape (N,), or None

    """

    inputs: Encoded
    y: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Rows":
        """Return some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.inputs.take(rows), self.y[rows], weights)
