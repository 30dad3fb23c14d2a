"""Layers as functions: ``forward(x, ...) -> (out, cache)``, ``backward(dout, cache) -> gradients``.

Losses return ``(loss, dx)``. x can have any number of trailing axes.
"""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.compat import arrays

__all__ = [
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "dropout_backward",
    "dropout_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "svm_loss",
]


def affine_forward(x: Any, w: Any, b: Any) -> tuple[np.ndarray, Any]:
    """Return ``(x w + b, cache)``, shape (N, H), for x (N, ...) with D features and w (D, H)."""
    return arrays.affine(x, w, b), (x, w, b)


def affine_backward(dout: Any, cache: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(dx, dw, db)`` in the shapes of x, w and b."""
    x, w, b = cache
    dx, dw, db = arrays.affine_backward(dout, x, w)
    return dx, dw, db.reshape(np.shape(b))


def relu_forward(x: Any) -> tuple[np.ndarray, Any]:
    """Return max(0, x)."""
    return arrays.activation("relu", x), x


def relu_backward(dout: Any, cache: Any) -> np.ndarray:
    """Return dx."""
    return arrays.activation_backward("relu", dout, cache)


def dropout_forward(x: Any, dropout_param: dict[str, Any]) -> tuple[np.ndarray, Any]:
    """Return x with elements dropped.

    Parameters
    ----------
    x : array, any shape
    dropout_param : dict
        ``mode``: "train", or "test" for the identity; ``p``: probability of dropping an element,
        the others are scaled by 1 / (1 - p); ``seed``, optional: passed to ``np.random.seed``
        before each draw, so that every call draws the same mask.

    """
    mask = None
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if _is_training(dropout_param):
        mask = arrays.draw_mask(np.shape(x), dropout_param["p"])
        x = (x * mask).astype(np.asarray(x).dtype, copy=False)
    return x, (dropout_param, mask)


def dropout_backward(dout: Any, cache: Any) -> np.ndarray:
    """Return dx: dout with the same elements dropped."""
    _, mask = cache
    return dout if mask is None else (dout * mask).astype(np.asarray(dout).dtype, copy=False)


def batchnorm_forward(
    x: Any, gamma: Any, beta: Any, bn_param: dict[str, Any]
) -> tuple[np.ndarray, Any]:
    """Return x (N, D) normalised over its rows, times gamma (D,), plus beta (D,).

    Parameters
    ----------
    x, gamma, beta : array
    bn_param : dict
        ``mode``: "train" or "test"; ``eps``, default 1e-5; ``momentum``, default 0.9: the share of
        ``running_mean`` and ``running_var`` (initially 0) that is kept at each training step. Both
        are updated in the dict.

    """
    dtype = arrays.working_dtype(x, gamma, beta)
    rows, gamma, beta = ops.as_rows(x, dtype), _vector(gamma, dtype), _vector(beta, dtype)
    train, eps = _is_training(bn_param), bn_param.get("eps", 1e-5)
    running_mean, running_var = (
        _vector(bn_param.get(name, np.zeros(rows.shape[1])), dtype)
        for name in ("running_mean", "running_var")
    )
    momentum = bn_param.get("momentum", 0.9)
    out, mean, inv_std = ops.batchnorm(
        rows, gamma, beta, running_mean, running_var, momentum, eps, train
    )
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return out, (rows, gamma, mean, inv_std, train)


def batchnorm_backward(dout: Any, cache: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(dx, dgamma, dbeta)`` of a training pass.

    Raises
    ------
    ValueError
        If the forward pass was in test mode.

    """
    x, gamma, mean, inv_std, train = cache
    if not train:
        raise ValueError("batchnorm_backward needs a forward pass with mode 'train', got 'test'")
    dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
    dout = ops.as_rows(dout, x.dtype)
    return ops.batchnorm_backward(dout, x, gamma, mean, inv_std, dgamma, dbeta), dgamma, dbeta


def svm_loss(x: Any, y: Any) -> tuple[float, np.ndarray]:
    """Return the mean multiclass hinge loss, margin 1, of scores x (N, C), and its gradient."""
    return arrays.classification_loss("hinge", x, y)


def softmax_loss(x: Any, y: Any) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy of scores x (N, C) and labels y (N,), and its gradient."""
    return arrays.classification_loss("cross_entropy", x, y)


def _is_training(param: dict[str, Any]) -> bool:
    mode = param["mode"]
    if mode not in ("train", "test"):
        raise ValueError(f"mode must be 'train' or 'test', got {mode!r}")
    return mode == "train"


def _vector(values: Any, dtype: np.dtype) -> np.ndarray:
    """Return a copy of the values as a vector."""
    return np.array(values, dtype).reshape(-1)
