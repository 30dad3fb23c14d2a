"""The inputs of TabM: numbers by their quantiles, as normal numbers, and one-hot columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastmlp.tabular.methods.inputs import EncodedRows, one_hot

__all__ = ["RANKS", "QuantileInputs", "Z", "quantile_edges"]

_NOISE = 1e-5
_ROWS_A_QUANTILE, _FEWEST, _MOST = 30, 10, 1000
_LIMIT = 5.2  # deviations: beyond it, a rank is one in ten million
Z = np.linspace(-_LIMIT, _LIMIT, 4097)
RANKS = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in Z])
"""The share of normal numbers below each of ``Z``."""


@dataclass(frozen=True)
class QuantileInputs:
    """Each number becomes the normal number with the same rank; categories become one-hot columns.

    A missing number is the median. Ranks are interpolated between quantiles of the training rows,
    after adding a little noise to them, so that equal numbers do not make the quantiles equal.

    Attributes
    ----------
    sizes : tuple of int
        The number of known values of each category.
    median : numpy.ndarray, float64, shape (n_numbers,)
    quantiles : numpy.ndarray, float64, shape (Q, n_numbers)
        At ranks that are equally far from each other.

    """

    sizes: tuple[int, ...]
    median: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def fitted(cls, rows: EncodedRows, rng: np.random.Generator) -> "QuantileInputs":
        """Return the inputs with the quantiles of encoded training rows."""
        numbers = np.array(rows.numbers, np.float64)
        n_rows, n_numbers = numbers.shape
        n = max(min(n_rows // _ROWS_A_QUANTILE, _MOST), _FEWEST)
        median, quantiles = np.zeros(n_numbers), np.zeros((n, n_numbers))
        for j, column in enumerate(numbers.T):
            known = column[~np.isnan(column)]
            if not len(known):
                continue
            median[j] = np.median(known)
            column[np.isnan(column)] = median[j]
            noise = _NOISE * (column.std() or 1.0) * rng.standard_normal(n_rows)
            quantiles[:, j] = np.quantile(column + noise, np.linspace(0.0, 1.0, n))
        return cls(rows.sizes, median, quantiles)

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> "QuantileInputs":
        """Return the inputs whose `arrays` these are."""
        sizes = tuple(int(k) for k in arrays["sizes"])
        return cls(sizes, arrays["median"], arrays["quantiles"])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all values by name, in float64."""
        sizes = np.array(self.sizes, np.float64)
        return {"sizes": sizes, "median": self.median, "quantiles": self.quantiles}

    @property
    def n_numbers(self) -> int:
        """The number of numeric columns."""
        return len(self.median)

    def __call__(self, rows: EncodedRows) -> np.ndarray:
        """Return the network's inputs for encoded rows: float32, numbers first."""
        numbers = np.array(rows.numbers, np.float64)
        ranks = np.linspace(0.0, 1.0, len(self.quantiles))
        for j, column in enumerate(numbers.T):
            column[np.isnan(column)] = self.median[j]
            quantiles = self.quantiles[:, j]
            rank = np.interp(column, quantiles, ranks)
            # from above too: where quantiles are equal, the rank is the middle of theirs
            above = 1.0 - np.interp(-column, -quantiles[::-1], ranks)
            column[...] = np.interp(0.5 * (rank + above), RANKS, Z)
        known = [one_hot(rows.codes[:, i], k) for i, k in enumerate(self.sizes)]
        return np.concatenate([numbers, *known], axis=1, dtype=np.float32)


def quantile_edges(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the edges of bins with about as many values each; the last one is repeated.

    Equal quantiles count once, so there may be fewer than ``n_bins`` bins.
    """
    edges = np.unique(
        np.quantile(np.asarray(values, np.float32), np.linspace(0.0, 1.0, n_bins + 1))
    )
    edges = np.unique(edges.astype(np.float32))
    return np.concatenate([edges, np.full(n_bins + 1 - len(edges), edges[-1])])
