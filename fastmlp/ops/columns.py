"""Operations on the columns of a table, over whole arrays: x and dy are (N, D)."""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

import numpy as np

import fastmlp.kernels as kernels

__all__ = ["scale", "scale_backward"]


def scale(x: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return each column times its factor (D,)."""
    y, (n, d) = np.empty_like(x), x.shape
    kernels.cores.scale.scale_columns(x, factors, y, 0, n, d)
    return y


def scale_backward(
    dy: np.ndarray, x: np.ndarray, factors: np.ndarray, dfactors: np.ndarray
) -> np.ndarray:
    """Return dx and overwrite dfactors."""
    kernels.cores.scale.scale_parameters(dy, x, dfactors, 0, x.shape[1], len(x))
    return scale(dy, factors)
