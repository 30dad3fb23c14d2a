"""Types of the estimators' arguments."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix

__all__ = ["MatrixLike", "RandomState"]

MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix
RandomState: TypeAlias = int | np.random.RandomState | None
