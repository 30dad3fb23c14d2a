"""From encoded rows to the inputs of a network: one-hot columns, robust scales, smooth clipping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["CLIP", "EncodedRows", "Inputs", "one_hot"]

CLIP = 3.0
"""No input is larger."""


class EncodedRows(Protocol):
    """Rows of a table as numbers and category codes; `fastmlp.tabular.Encoded` is one."""

    @property
    def numbers(self) -> np.ndarray:
        """The numbers (N, n_numbers), NaN where one is missing."""
        ...

    @property
    def codes(self) -> np.ndarray:
        """The codes (N, n_categories): 0 for a missing or unknown category, 1 to k for others."""
        ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of known categories k of each column of codes."""
        ...


@dataclass(frozen=True)
class Inputs:
    """The inputs of RealMLP: numbers and one-hot columns, scaled robustly and clipped smoothly.

    A missing number is the median. A category of one or two values is one column: -1 or +1. One of
    more is a column of 0 and 1 for each value. Missing and unknown values are 0 in all of them.
    Then z = (x - median) * factor in every column, and z / sqrt(1 + (z / 3)**2), which lies between
    -3 and 3. The factor is 1 / (q75 - q25), or 2 / (max - min) where that is infinite; a constant
    column is 0. With ``most_one_hot``, a category of more values stays a column of codes, after
    the others. These are row numbers of one table, in which such a category has k + 1 rows.

    Attributes
    ----------
    sizes : tuple of int
        The number of known values of each category.
    most_one_hot : int or None
    median, factor : numpy.ndarray, float64, shape (D,)
        Of the numbers and the one-hot columns.

    """

    sizes: tuple[int, ...]
    most_one_hot: int | None
    median: np.ndarray
    factor: np.ndarray

    @classmethod
    def fitted(cls, rows: EncodedRows, most_one_hot: int | None = None) -> "Inputs":
        """Return the inputs with the medians and scales of encoded training rows."""
        fill = [_median(column[~np.isnan(column)]) for column in rows.numbers.T]
        start = cls(rows.sizes, most_one_hot, np.array(fill), np.empty(0))
        spread = start._spread(rows)
        if not spread.shape[1]:
            return cls(rows.sizes, most_one_hot, np.empty(0), np.empty(0))
        low, median, high = np.quantile(spread, (0.25, 0.5, 0.75), axis=0)
        top = spread.max(axis=0) - spread.min(axis=0)
        with np.errstate(divide="ignore"):
            factor = np.where(high > low, 1.0 / (high - low), np.where(top > 0, 2.0 / top, 0.0))
        return cls(rows.sizes, most_one_hot, median, factor)

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> "Inputs":
        """Return the inputs whose `arrays` these are."""
        most, sizes = int(arrays["most_one_hot"]), tuple(int(k) for k in arrays["sizes"])
        return cls(sizes, None if most < 0 else most, arrays["median"], arrays["factor"])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all values by name, in float64."""
        most = -1 if self.most_one_hot is None else self.most_one_hot
        return {
            "sizes": np.array(self.sizes, np.float64),
            "most_one_hot": np.array(most, np.float64),
            "median": self.median,
            "factor": self.factor,
        }

    @property
    def embedded(self) -> tuple[int, ...]:
        """The size of each category that stays a column of codes."""
        return tuple(k for k in self.sizes if not self._is_one_hot(k))

    @property
    def n_embedded(self) -> int:
        """The number of rows of the table that the codes refer to."""
        return sum(k + 1 for k in self.embedded)

    @property
    def n_scaled(self) -> int:
        """The number of columns that are not codes."""
        return len(self.median)

    def __call__(self, rows: EncodedRows) -> np.ndarray:
        """Return the network's inputs for encoded rows: float32, (N, n_scaled + codes)."""
        z = (self._spread(rows) - self.median) * self.factor
        z /= np.sqrt(1.0 + (z / CLIP) ** 2)
        kept = [i for i, k in enumerate(self.sizes) if not self._is_one_hot(k)]
        starts = np.cumsum([0, *(k + 1 for k in self.embedded)])[:-1]
        return np.concatenate([z, rows.codes[:, kept] + starts], axis=1, dtype=np.float32)

    def _spread(self, rows: EncodedRows) -> np.ndarray:
        """Return the numbers, without missing ones, and the one-hot columns, in float64."""
        numbers = np.array(rows.numbers, np.float64)
        missing = np.isnan(numbers)
        numbers[missing] = np.broadcast_to(self.median[: numbers.shape[1]], numbers.shape)[missing]
        columns = [
            one_hot(rows.codes[:, i], k) for i, k in enumerate(self.sizes) if self._is_one_hot(k)
        ]
        return np.concatenate([numbers, *columns], axis=1)

    def _is_one_hot(self, size: int) -> bool:
        return self.most_one_hot is None or size <= self.most_one_hot


def one_hot(codes: np.ndarray, size: int) -> np.ndarray:
    """Return the columns of a category; codes outside 1 to k have zeros."""
    if size <= 2:
        return (1.0 * (codes == 1) - (codes == 2))[:, None]
    return (codes[:, None] == np.arange(1, size + 1)).astype(np.float64)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
