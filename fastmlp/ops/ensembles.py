"""Operations of ensembles that share layers, over whole arrays.

A row of x or y holds the columns of k members one after the other.
"""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

import numpy as np

import fastmlp.kernels as kernels

__all__ = ["heads", "heads_backward", "members", "members_backward"]


def members(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """Return x times each row of the weight (k, D), each followed by zeros up to the stride."""
    (n, d), n_members = x.shape, len(weight)
    y = np.empty((n, n_members * stride), x.dtype)
    kernels.cores.members.members(x, weight, y, d, n_members, stride, 0, n)
    return y


def members_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, dweight: np.ndarray, stride: int
) -> np.ndarray:
    """Return dx and overwrite dweight."""
    dx, (n, d), n_members = np.empty_like(x), x.shape, len(weight)
    kernels.cores.members.members_parameters(dy, x, dweight.reshape(-1), 0, n_members, d, stride, n)
    kernels.cores.members.members_backward(dy, weight, dx, d, n_members, stride, 0, n)
    return dx


def heads(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the outputs (N, k C) of k members, given weight (k, C, D) and bias (k, C)."""
    n_members, n_out, n_in = weight.shape
    y = np.empty((len(x), n_members * n_out), x.dtype)
    kernels.cores.heads.heads(
        x, weight.reshape(-1, n_in), bias.reshape(-1), y, n_members, n_in, n_out, 0, len(x)
    )
    return y


def heads_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, dweight: np.ndarray, dbias: np.ndarray
) -> np.ndarray:
    """Return dx and overwrite dweight, dbias."""
    dx, (n_members, n_out, n_in) = np.empty_like(x), weight.shape
    kernels.cores.heads.heads_parameters(
        dy, x, dweight.reshape(-1), 0, n_members, n_in, n_out, len(x)
    )
    dbias[...] = dy.sum(axis=0).reshape(dbias.shape)
    kernels.cores.heads.heads_backward(
        dy, weight.reshape(-1, n_in), dx, n_members, n_in, n_out, 0, len(x)
    )
    return dx
