"""The type that all dataset functions return."""

from dataclasses import dataclass

import numpy as np

from fastmlp.datasets.column import ReadAs
from fastmlp.datasets.wording import counted_classes

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""Training and test rows, with names and shapes for displaying them.

    Attributes
    ----------
    name : str
        ``"digits"``, ``"mnist"``, ...; for a table, the file's name without its extension.
    X_train, X_test : ndarray of shape (N, D), C-contiguous
        One example per row: ``uint8`` pixels for images; for tables, ``float32`` numbers, or
        ``float64`` if float32 would blur differences between values.
    y_train, y_test : ndarray of shape (N,)
        ``int64`` class labels ``0 .. C-1``; for regression, ``float32`` or ``float64`` numbers.
    classes : tuple of str, or None
        The names of the C classes in the order of their labels; None for regression.
    shape : tuple of int, or None
        The shape of one image, ``(height, width)`` or ``(channels, height, width)``, whose
        product is D; None for tables.
    features : tuple of str, or None
        The names of the D columns of a table; None for images.
    columns_read : tuple of ReadAs
        How each column of a table was read, the target first. Each prints as one line:
        ``print(*data.columns_read, sep="\n")``. Empty for images.

    """

    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...] | None
    shape: tuple[int, ...] | None = None
    features: tuple[str, ...] | None = None
    columns_read: tuple[ReadAs, ...] = ()

    @property
    def n_features(self) -> int:
        """Number of features per row, D."""
        return self.X_train.shape[1]

    @property
    def n_classes(self) -> int | None:
        """Number of classes, C; None for regression."""
        return None if self.classes is None else len(self.classes)

    def __repr__(self) -> str:
        kind = "regression" if self.classes is None else counted_classes(len(self.classes))
        return (
            f"Dataset({self.name!r}, {len(self.X_train)} training and {len(self.X_test)} test "
            f"rows of {self.n_features} {self.X_train.dtype}, {kind})"
        )
