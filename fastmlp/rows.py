"""The rows of one fit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Inputs, targets and weights, checked.

    Attributes
    ----------
    X : numpy.ndarray or csr matrix, shape (N, ...)
        uint8, or in a dtype that the network takes; an array is row-major.
    targets : numpy.ndarray
        int64 labels (N,) or numbers (N, C).
    weights : numpy.ndarray, shape (N,), or None
        The user's times 2**-weight_exponent: a power of two keeps every bit, and sums of weights
        of any size then stay within the range of float32.
    weight_exponent : int, default 0

    """

    X: Any
    targets: np.ndarray
    weights: np.ndarray | None = None
    weight_exponent: int = 0

    def __len__(self) -> int:
        """N."""
        return self.X.shape[0]

    @property
    def n_outputs(self) -> int:
        """Columns of targets; 1 for labels."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    def cast(self, dtype: np.dtype) -> "Rows":
        """Return the same rows with inputs, numbers and weights in a dtype, as kernels take them.

        This is the only time that targets and weights are rounded.
        """
        targets, weights = self.targets, self.weights
        if targets.dtype.kind == "f":
            targets = np.ascontiguousarray(targets, dtype)
        if weights is not None:
            weights = np.ascontiguousarray(weights, dtype)
            least = np.finfo(dtype).tiny  # kernels take what is less for 0, but not everywhere
            weights = np.where(weights < least, dtype.type(0), weights)
        return Rows(self.X.astype(dtype, copy=False), targets, weights, self.weight_exponent)

    def given_weights(self) -> np.ndarray | None:
        """Return the weights on the user's scale."""
        return None if self.weights is None else np.ldexp(self.weights, self.weight_exponent)

    def scaled_penalty(self, alpha: float) -> float:
        """Return an alpha that is to alpha as `weights` are to the user's.

        scikit-learn divides the penalty by the sum of weights, so that their scale counts.
        """
        return float(np.ldexp(alpha, -self.weight_exponent))
