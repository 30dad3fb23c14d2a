"""The order in which an epoch visits the rows, and how it splits them into minibatches."""

from dataclasses import dataclass

import numpy as np

from fastmlp.common.trainable import Trainable
from fastmlp.layers.normalization import BatchNorm

__all__ = ["Batches", "epoch_order", "generator"]


@dataclass(frozen=True)
class Batches:
    """Minibatches of ``size`` rows; the last one may be smaller.

    Attributes
    ----------
    n_rows : int
        N, at least ``size``.
    size : int
    joins : bool, default False
        Whether a single leftover row joins the batch before it. A batch of one row has no
        variance for a BatchNorm to divide by.
    drops : bool, default False
        Whether an epoch leaves out the rows that fill no batch; other rows in each epoch.

    """

    n_rows: int
    size: int
    joins: bool = False
    drops: bool = False

    @classmethod
    def of(cls, model: Trainable, n_rows: int, size: int, drops: bool = False) -> "Batches":
        """Split ``n_rows`` rows for a model; with a BatchNorm, a single leftover row joins."""
        if drops:
            return cls(n_rows, size, drops=True)
        one_left = size > 1 and n_rows > size and n_rows % size == 1
        normalises = any(isinstance(layer, BatchNorm) for layer in model.stages)
        return cls(n_rows, size, one_left and normalises)

    @property
    def count(self) -> int:
        """The number of batches."""
        if self.drops:
            return self.n_rows // self.size
        return -(-self.n_rows // self.size) - self.joins

    @property
    def n_used(self) -> int:
        """The number of rows that an epoch visits, the first of its order."""
        return self.count * self.size if self.drops else self.n_rows

    @property
    def starts(self) -> np.ndarray:
        """The first row of each batch: int64, shape (count,)."""
        return np.arange(self.count) * self.size

    @property
    def rows(self) -> np.ndarray:
        """The number of rows in each batch: float64, shape (count,)."""
        rows = np.full(self.count, float(self.size))
        rows[-1] = self.n_used - (self.count - 1) * self.size
        return rows


def epoch_order(n_rows: int, seed: int | None, epoch: int) -> np.ndarray:
    """Return the row indices in the order an epoch visits them.

    Parameters
    ----------
    n_rows : int
    seed : int or None
        With None the rows keep their order. Otherwise they are permuted; the same seed and epoch
        always give the same permutation.
    epoch : int
        The number of epochs trained before this one.

    Returns
    -------
    numpy.ndarray, int64, shape (n_rows,)

    """
    if seed is None:
        return np.arange(n_rows, dtype=np.int64)
    return generator(seed, epoch).permutation(n_rows)


def generator(seed: int, epoch: int) -> "np.random.Generator":
    """Return the source of the random numbers that decide on an epoch's order."""
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
