"""Fully connected nets of the modular framework, trained by `cs231n.solver.Solver`.

A net has ``params``, a dict of arrays, and ``loss(X, y=None)``, which returns the scores (N, C) in
test mode or, given labels, ``(loss, grads)`` in training mode. The loss is the mean softmax loss
plus 0.5 * reg * sum(W * W) for all weights; ``reg`` can be changed between calls.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp.compat import arrays
from fastmlp.compat.cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from fastmlp.compat.cs231n.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)

__all__ = ["FullyConnectedNet", "TwoLayerNet"]


class TwoLayerNet:
    """affine - ReLU - affine - softmax.

    Parameters
    ----------
    input_dim : int, default 3 * 32 * 32
    hidden_dims : int, default 100
        Units of the one hidden layer.
    num_classes : int, default 10
    dropout : float, default 0
        Ignored; it is there only for the original's signature.
    weight_scale : float, default 1e-3
        Standard deviation of the initial weights; biases are 0.
    reg : float, default 0.0

    Attributes
    ----------
    params : dict
        W1 (D, H), b1, W2 (H, C), b2.

    """

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dims: int = 100,
        num_classes: int = 10,
        dropout: float = 0,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
    ):
        self.reg = reg
        self.params: dict[str, np.ndarray] = {
            "W1": weight_scale * np.random.randn(input_dim, hidden_dims),
            "b1": np.zeros(hidden_dims),
            "W2": weight_scale * np.random.randn(hidden_dims, num_classes),
            "b2": np.zeros(num_classes),
        }

    def loss(self, X: Any, y: Any = None) -> Any:
        """Return the scores or, given labels, ``(loss, grads)``."""
        p, grads = self.params, {}
        hidden, hidden_cache = affine_relu_forward(X, p["W1"], p["b1"])
        scores, cache = affine_forward(hidden, p["W2"], p["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, cache)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dhidden, hidden_cache)
        return loss + arrays.penalize(self.reg, p, grads, ("W1", "W2")), grads


class FullyConnectedNet:
    """{affine - [batch norm] - ReLU - [dropout]} x (L - 1) - affine - softmax.

    Parameters
    ----------
    hidden_dims : sequence of int
        Units of each hidden layer.
    input_dim : int, default 3 * 32 * 32
    num_classes : int, default 10
    dropout : float, default 0
        Probability of dropping a hidden unit.
    use_batchnorm : bool, default False
    reg : float, default 0.0
    weight_scale : float, default 1e-2
        Standard deviation of the initial weights; biases and betas are 0, gammas 1.
    dtype : dtype, default np.float32
        Dtype of parameters and arithmetic.
    seed : int, optional
        Seed of dropout. If given, every pass draws the same mask, as a gradient check needs.

    Attributes
    ----------
    params : dict
        W1 (D, H), b1, and so on; gamma1, beta1, ... with batch norm.
    dropout_param, bn_params : dict, list of dict
        Arguments for `dropout_forward` and for each `batchnorm_forward`.

    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout: float = 0,
        use_batchnorm: bool = False,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: Any = np.float32,
        seed: int | None = None,
    ):
        self.use_batchnorm, self.use_dropout = use_batchnorm, dropout > 0
        self.reg, self.dtype = reg, dtype
        self.num_layers = 1 + len(hidden_dims)
        self.params: dict[str, np.ndarray] = {}
        sizes = [input_dim, *hidden_dims, num_classes]
        for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            self.params[f"W{i}"] = weight_scale * np.random.randn(n_in, n_out)
            self.params[f"b{i}"] = np.zeros(n_out)
            if use_batchnorm and i < self.num_layers:
                self.params[f"gamma{i}"], self.params[f"beta{i}"] = np.ones(n_out), np.zeros(n_out)
        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout}
            if seed is not None:
                self.dropout_param["seed"] = seed
        self.bn_params: list[dict[str, Any]] = []
        if use_batchnorm:
            self.bn_params = [{"mode": "train"} for _ in hidden_dims]
        for name, value in self.params.items():
            self.params[name] = value.astype(dtype)

    def loss(self, X: Any, y: Any = None) -> Any:
        """Return the scores or, given labels, ``(loss, grads)``."""
        for param in (self.dropout_param, *self.bn_params):
            param["mode"] = "test" if y is None else "train"
        x, caches, last = np.asarray(X).astype(self.dtype, copy=False), [], self.num_layers
        for i in range(1, last):
            x, cache = self._forward(x, i)
            caches.append(cache)
        scores, cache = affine_forward(x, self.params[f"W{last}"], self.params[f"b{last}"])
        if y is None:
            return scores
        grads: dict[str, np.ndarray] = {}
        loss, dscores = softmax_loss(scores, y)
        dx, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dscores, cache)
        for i in range(last - 1, 0, -1):
            dx = self._backward(dx, i, caches[i - 1], grads)
        weights = [f"W{i}" for i in range(1, last + 1)]
        return loss + arrays.penalize(self.reg, self.params, grads, weights), grads

    def _forward(self, x: np.ndarray, i: int) -> tuple[np.ndarray, Any]:
        """Return the output of hidden layer i for x, and a cache."""
        p, norm_cache, drop_cache = self.params, None, None
        x, affine_cache = affine_forward(x, p[f"W{i}"], p[f"b{i}"])
        if self.use_batchnorm:
            gamma, beta = p[f"gamma{i}"], p[f"beta{i}"]
            x, norm_cache = batchnorm_forward(x, gamma, beta, self.bn_params[i - 1])
        x, relu_cache = relu_forward(x)
        if self.use_dropout:
            x, drop_cache = dropout_forward(x, self.dropout_param)
        return x, (affine_cache, norm_cache, relu_cache, drop_cache)

    def _backward(
        self, dx: np.ndarray, i: int, caches: Any, grads: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Return the gradient for the input of hidden layer i; write its parameters' gradients."""
        affine_cache, norm_cache, relu_cache, drop_cache = caches
        if drop_cache is not None:
            dx = dropout_backward(dx, drop_cache)
        dx = relu_backward(dx, relu_cache)
        if norm_cache is not None:
            dx, grads[f"gamma{i}"], grads[f"beta{i}"] = batchnorm_backward(dx, norm_cache)
        dx, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dx, affine_cache)
        return dx
