"""CIFAR-10 under the names that R1's notebooks use."""

from os import PathLike
from typing import Any

from fastmlp.compat.cs231n.data_utils import get_CIFAR10_data

__all__ = ["CIFAR10_data"]


def CIFAR10_data(
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    cifar10_dir: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Return images (N, 3, 32, 32), the mean training image subtracted, and labels (N,).

    Arguments as `cs231n.data_utils.get_CIFAR10_data`.

    Returns
    -------
    dict
        ``data_train``, ``labels_train``, ``data_val``, ``labels_val``, ``data_test``,
        ``labels_test``.

    """
    data = get_CIFAR10_data(num_training, num_validation, num_test, cifar10_dir=cifar10_dir)
    names = {"X": "data", "y": "labels"}
    return {f"{names[key[0]]}{key[1:]}": value for key, value in data.items()}
