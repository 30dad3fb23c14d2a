"""Grids of images."""

from math import ceil, sqrt

import numpy as np

__all__ = ["visualize_grid"]


def visualize_grid(Xs: np.ndarray, ubound: float = 255.0, padding: int = 1) -> np.ndarray:
    """Return N images as one grid, each scaled to the range from 0 to ``ubound``.

    Parameters
    ----------
    Xs : array, shape (N, height, width, channels)
    ubound : float, default 255.0
    padding : int, default 1
        Width of the black gap between images, in pixels.

    Returns
    -------
    numpy.ndarray, float64, shape (n * (height + padding) - padding, ..., channels)
        n rows of n images, where n is the smallest whole number with n * n >= N.

    """
    N, height, width, channels = Xs.shape
    n = ceil(sqrt(N))
    grid = np.zeros((n * (height + padding) - padding, n * (width + padding) - padding, channels))
    for i, picture in enumerate(Xs):
        y, x = i // n * (height + padding), i % n * (width + padding)
        low, high = picture.min(), picture.max()
        stretched = (picture - low) / (high - low) if high > low else np.zeros_like(picture)
        grid[y : y + height, x : x + width] = ubound * stretched
    return grid
