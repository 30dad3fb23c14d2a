"""CIFAR-10 in the form that course code uses: float64 images of shape (32, 32, 3)."""

from os import PathLike
from typing import Any

import numpy as np

from fastmlp.datasets import cifar10

__all__ = ["get_CIFAR10_data", "load_CIFAR10"]


def load_CIFAR10(
    root: str | PathLike[str] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(X_train, y_train, X_test, y_test)``, with 50,000 and 10,000 rows.

    Parameters
    ----------
    root : path, optional
        As ``directory`` of `fastmlp.datasets.cifar10`.

    """
    data = cifar10(root)
    X_train, X_test = (_images(X) for X in (data.X_train, data.X_test))
    return X_train, data.y_train, X_test, data.y_test


def get_CIFAR10_data(
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    subtract_mean: bool = True,
    cifar10_dir: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Return a dict of images (N, 3, 32, 32), the mean training image subtracted, and labels (N,).

    Parameters
    ----------
    num_training, num_validation, num_test : int
        Numbers of rows: the first ones are for training, those after them for validation.
    subtract_mean : bool, default True
    cifar10_dir : path, optional
        As ``directory`` of `fastmlp.datasets.cifar10`.

    Returns
    -------
    dict
        ``X_train``, ``y_train``, ``X_val``, ``y_val``, ``X_test``, ``y_test``.

    Raises
    ------
    ValueError
        If more rows are requested than there are.

    """
    data = cifar10(cifar10_dir)
    end = num_training + num_validation
    if end > len(data.X_train) or num_test > len(data.X_test):
        raise ValueError(
            f"CIFAR-10 has {len(data.X_train)} training and {len(data.X_test)} test rows, "
            f"got a request for {num_training} + {num_validation} and {num_test}"
        )
    rows = {
        "train": (data.X_train[:num_training], data.y_train[:num_training]),
        "val": (data.X_train[num_training:end], data.y_train[num_training:end]),
        "test": (data.X_test[:num_test], data.y_test[:num_test]),
    }
    mean_image = rows["train"][0].mean(axis=0, dtype=np.float64) if subtract_mean else 0.0
    result: dict[str, Any] = {}
    for part, (X, y) in rows.items():
        images = X.astype(np.float64)
        images -= mean_image
        result[f"X_{part}"] = images.reshape(-1, 3, 32, 32)
        result[f"y_{part}"] = y
    return result


def _images(X: np.ndarray) -> np.ndarray:
    """Return rows of (3, 32, 32) pixels as images (32, 32, 3)."""
    return X.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float64)
