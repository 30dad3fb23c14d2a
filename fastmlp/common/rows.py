"""The rows that are trained on or validated with."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Checked inputs, targets and weights.

    Attributes
    ----------
    X : numpy.ndarray or csr matrix, shape (N, ...)
        uint8, or in a dtype that the network takes; arrays are row-major.
    targets : numpy.ndarray
        int64 labels (N,) or numbers (N, C).
    weights : numpy.ndarray, shape (N,), or None
        The user's weights times 2**-weight_exponent. A power of two preserves every bit, and sums
        of weights of any size then fit in float32.
    weight_exponent : int, default 0
    index : numpy.ndarray, int64, shape (n,), optional
        The rows of the arrays that are used, in this order; a row may occur more than once.
        Default: all of them.

    """

    X: Any
    targets: np.ndarray
    weights: np.ndarray | None = None
    weight_exponent: int = 0
    index: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of rows used: n, or N without an index."""
        return self.X.shape[0] if self.index is None else len(self.index)

    def used(self, array: np.ndarray) -> np.ndarray:
        """Return those rows of one of the arrays that are used."""
        return array if self.index is None else array[self.index]

    def reweighted(self, weights: np.ndarray) -> "Rows":
        """Return the rows with other weights, one for each row used."""
        if self.index is not None:
            of_all = np.zeros(self.X.shape[0], weights.dtype)
            of_all[self.index] = weights
            weights = of_all
        return replace(self, weights=weights)

    def taken(self) -> "Rows":
        """Return a copy of the rows used, without an index."""
        if self.index is None:
            return self
        weights = None if self.weights is None else self.weights[self.index]
        return Rows(self.X[self.index], self.targets[self.index], weights, self.weight_exponent)

    @property
    def n_outputs(self) -> int:
        """Number of target columns; 1 for labels."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    def cast(self, dtype: np.dtype) -> "Rows":
        """Return the rows with inputs, targets and weights in the dtype that the kernels take.

        Targets and weights are rounded only here.
        """
        targets, weights = self.targets, self.weights
        if targets.dtype.kind == "f":
            targets = np.ascontiguousarray(targets, dtype)
        if weights is not None:
            weights = np.ascontiguousarray(weights, dtype)
            least = np.finfo(dtype).tiny  # some kernels, but not all, treat smaller numbers as 0
            weights = np.where(weights < least, dtype.type(0), weights)
        return Rows(self.X.astype(dtype, copy=False), targets, weights, self.weight_exponent)

    def given_weights(self) -> np.ndarray | None:
        """Return the weights as the user gave them."""
        return None if self.weights is None else np.ldexp(self.weights, self.weight_exponent)

    def scaled_penalty(self, alpha: float) -> float:
        """Return alpha scaled by the same factor as the weights.

        scikit-learn divides the penalty by the sum of the weights, so their scale matters.
        """
        return float(np.ldexp(alpha, -self.weight_exponent))
