"""How the rows of an epoch are cut into minibatches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.layers.normalization import BatchNorm

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = ["Batches"]


@dataclass(frozen=True)
class Batches:
    """Minibatches of ``size`` rows; the last has what is left.

    Attributes
    ----------
    n_rows : int
        N, at least ``size``.
    size : int
    joins : bool, default False
        Whether one row is left, and joins the batch before it: alone it has no variance for a
        BatchNorm to divide by.

    """

    n_rows: int
    size: int
    joins: bool = False

    @classmethod
    def of(cls, model: "Model", n_rows: int, size: int) -> "Batches":
        """Return the minibatches for a model."""
        one_left = size > 1 and n_rows > size and n_rows % size == 1
        normalises = any(isinstance(layer, BatchNorm) for layer in model.stages)
        return cls(n_rows, size, one_left and normalises)

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-self.n_rows // self.size) - self.joins

    @property
    def starts(self) -> np.ndarray:
        """Where each begins: int64, shape (count,)."""
        return np.arange(self.count) * self.size

    @property
    def rows(self) -> np.ndarray:
        """How many rows each has: float64, shape (count,)."""
        rows = np.full(self.count, float(self.size))
        rows[-1] = self.n_rows - (self.count - 1) * self.size
        return rows
