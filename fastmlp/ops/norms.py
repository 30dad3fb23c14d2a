"""Normalisations over whole arrays: x, y and dy are (N, D); gamma, beta and their gradients (D,).

Statistics are (D,) for batch norm and (N,) for the others; eps is added to the variance.
"""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

import numpy as np

import fastmlp.kernels as kernels

__all__ = [
    "batchnorm",
    "batchnorm_backward",
    "batchnorm_inference",
    "batchnorm_row",
    "batchnorm_row_backward",
    "layernorm",
    "layernorm_backward",
    "rmsnorm",
    "rmsnorm_backward",
]


def batchnorm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    momentum: float,
    eps: float,
    train: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(y, mean, inv_std)``; with ``train`` the running statistics are updated in place."""
    real, (n, d) = x.dtype.type, x.shape
    if not train:
        y = batchnorm_inference(x, gamma, beta, running_mean, running_var, eps)
        return y, running_mean.copy(), 1 / np.sqrt(running_var + real(eps))
    y, mean, inv_std = np.empty_like(x), np.empty(d, x.dtype), np.empty(d, x.dtype)
    kernels.cores.batch_norm.batch_norm_train(
        x, gamma, beta, running_mean, running_var, mean, inv_std, y, real(momentum), real(eps),
        n, 0, d,
    )  # fmt: skip
    return y, mean, inv_std


def batchnorm_inference(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
) -> np.ndarray:
    """Return gamma (x - mean) / sqrt(var + eps) + beta with given statistics."""
    y, (n, d) = np.empty_like(x), x.shape
    kernels.cores.batch_norm.batch_norm_inference(
        x, gamma, beta, mean, var, y, x.dtype.type(eps), 0, n, d
    )
    return y


def batchnorm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
) -> np.ndarray:
    """Return dx of the training-mode pass and overwrite dgamma, dbeta."""
    dx, (n, d) = np.empty_like(x), x.shape
    kernels.cores.batch_norm.batch_norm_backward(
        dy, x, gamma, mean, inv_std, dgamma, dbeta, dx, n, 0, d
    )
    return dx


def batchnorm_row(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    momentum: float,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(y, mean, inv_std)`` of one row, normalised with the running statistics.

    They follow it then, in place, more slowly than a batch.
    """
    real, d = x.dtype.type, x.shape[1]
    y, mean, inv_std = np.empty_like(x), np.empty(d, x.dtype), np.empty(d, x.dtype)
    kernels.cores.batch_norm.batch_norm_row(
        x, gamma, beta, running_mean, running_var, mean, inv_std, y, real(momentum), real(eps), 0, d
    )
    return y, mean, inv_std


def batchnorm_row_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
) -> np.ndarray:
    """Return dx of `batchnorm_row`, whose statistics are constants; overwrite dgamma, dbeta."""
    dx = np.empty_like(x)
    kernels.cores.batch_norm.batch_norm_row_backward(
        dy, x, gamma, mean, inv_std, dgamma, dbeta, dx, 0, x.shape[1]
    )
    return dx


def layernorm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(y, mean, inv_std)``, the statistics of each row."""
    y, (n, d) = np.empty_like(x), x.shape
    mean, inv_std = np.empty(n, x.dtype), np.empty(n, x.dtype)
    kernels.cores.layer_norm.layer_norm_forward(
        x, gamma, beta, mean, inv_std, y, x.dtype.type(eps), 0, n, d
    )
    return y, mean, inv_std


def layernorm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
) -> np.ndarray:
    """Return dx and overwrite dgamma, dbeta."""
    dx, (n, d) = np.empty_like(x), x.shape
    kernels.cores.layer_norm.layer_norm_parameters(dy, x, mean, inv_std, dgamma, dbeta, n, 0, d)
    kernels.cores.layer_norm.layer_norm_backward(dy, x, gamma, mean, inv_std, dx, 0, n, d)
    return dx


def rmsnorm(x: np.ndarray, gamma: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(y, inv_rms)``, the latter for each row."""
    y, inv_rms, (n, d) = np.empty_like(x), np.empty(len(x), x.dtype), x.shape
    kernels.cores.rms_norm.rms_norm_forward(x, gamma, inv_rms, y, x.dtype.type(eps), 0, n, d)
    return y, inv_rms


def rmsnorm_backward(
    dy: np.ndarray, x: np.ndarray, gamma: np.ndarray, inv_rms: np.ndarray, dgamma: np.ndarray
) -> np.ndarray:
    """Return dx and overwrite dgamma."""
    dx, (n, d) = np.empty_like(x), x.shape
    kernels.cores.rms_norm.rms_norm_parameters(dy, x, inv_rms, dgamma, 0, d, n)
    kernels.cores.rms_norm.rms_norm_backward(dy, x, gamma, inv_rms, dx, 0, n, d)
    return dx
