"""From encoded rows to the inputs of a network: one-hot columns, robust scales, smooth clipping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["CLIP", "EncodedRows", "Inputs", "one_hot"]

CLIP = 3.0
"""No input is larger."""

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


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


class _SomeRows(NamedTuple):
    numbers: np.ndarray
    codes: np.ndarray
    sizes: tuple[int, ...]


def some_rows(rows: EncodedRows, places: np.ndarray) -> EncodedRows:
    """Return some of the rows."""
    return _SomeRows(rows.numbers[places], rows.codes[places], rows.sizes)


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
        fill = np.array([_median(column[~np.isnan(column)]) for column in rows.numbers.T])
        start = cls(rows.sizes, most_one_hot, fill, np.empty(0))
        known = [np.quantile(_filled(rows.numbers, fill), _QUANTILES, axis=0)]
        known += [_quantiles_of(rows.codes[:, i], k) for i, k in start._one_hot]
        least, low, median, high, most = np.concatenate(known, axis=1)
        with np.errstate(divide="ignore"):
            by_range = np.where(most > least, 2.0 / (most - least), 0.0)
            factor = np.where(high > low, 1.0 / (high - low), by_range)
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
        end = rows.numbers.shape[1]
        parts = [self._scaled(_filled(rows.numbers, self.median[:end]), slice(0, end))]
        for i, k in self._one_hot:
            of_codes = one_hot(np.arange(k + 1), k)
            start, end = end, end + of_codes.shape[1]
            parts.append(self._scaled(of_codes, slice(start, end))[_known(rows.codes[:, i], k)])
        if end != self.n_scaled:
            raise ValueError(f"the rows have {end} columns to be scaled, not {self.n_scaled}")
        kept = [i for i, k in enumerate(self.sizes) if not self._is_one_hot(k)]
        starts = np.cumsum([0, *(k + 1 for k in self.embedded)])[:-1]
        return np.concatenate([*parts, rows.codes[:, kept] + starts], axis=1, dtype=np.float32)

    def _scaled(self, values: np.ndarray, columns: slice) -> np.ndarray:
        """Return values of some of the columns scaled and clipped, in float32."""
        z = (values - self.median[columns]) * self.factor[columns]
        z /= np.sqrt(1.0 + (z / CLIP) ** 2)
        return z.astype(np.float32)

    @property
    def _one_hot(self) -> list[tuple[int, int]]:
        """The place and the size of each category that is one-hot."""
        return [(i, k) for i, k in enumerate(self.sizes) if self._is_one_hot(k)]

    def _is_one_hot(self, size: int) -> bool:
        return self.most_one_hot is None or size <= self.most_one_hot


def one_hot(codes: np.ndarray, size: int) -> np.ndarray:
    """Return the columns of a category, float32; codes outside 1 to k have zeros."""
    of_codes = np.eye(size + 1, dtype=np.float32)[:, 1:]
    if size <= 2:
        of_codes = np.array([[0.0], [1.0], [-1.0]], np.float32)
    return of_codes[_known(codes, size)]


def _known(codes: np.ndarray, size: int) -> np.ndarray:
    """Return the codes, 0 for those outside 1 to k."""
    return np.where((codes >= 1) & (codes <= size), codes, 0)


def _filled(numbers: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return numbers without missing ones, in float64."""
    return np.where(np.isnan(numbers), fill, numbers)


def _quantiles_of(codes: np.ndarray, size: int) -> np.ndarray:
    """Return what ``np.quantile`` does for the one-hot columns, without making them."""
    columns = one_hot(np.arange(size + 1), size).astype(np.float64)
    counts = np.bincount(_known(codes, size), minlength=size + 1)
    places = np.array(_QUANTILES) * (len(codes) - 1)
    whole = np.floor(places)
    found = []
    for column in columns.T:
        order = np.argsort(column)
        ends = np.cumsum(counts[order])
        low, high = (
            column[order[np.searchsorted(ends, place, side="right")]]
            for place in (whole, np.ceil(places))
        )
        found.append(low + (high - low) * (places - whole))
    return np.array(found).T


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
