"""R4: a two-layer net and a momentum optimizer over a dict of arrays."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from fastmlp.compat import arrays

__all__ = ["SGD", "FullyConnectedNet", "cross_entropy_loss"]


class FullyConnectedNet:
    """affine - ReLU - affine.

    Parameters
    ----------
    hidden_dim : int
        H.
    input_dim : int, default 3072
        D; the trailing axes of x are flattened to D features.
    num_classes : int, default 10
        C.

    Attributes
    ----------
    params, grads : dict
        W1 (D, H), b1 (H,), W2 (H, C), b2 (C,). Weights are initially normal with standard
        deviation 1 / sqrt(fan_in / 2), biases 0.

    """

    def __init__(self, hidden_dim: int, input_dim: int = 3072, num_classes: int = 10):
        shapes = {"W1": (input_dim, hidden_dim), "W2": (hidden_dim, num_classes)}
        self.params: dict[str, Any] = {}
        for number, (name, shape) in enumerate(shapes.items(), start=1):
            self.params[name] = np.random.randn(*shape) / np.sqrt(shape[0] / 2)
            self.params[f"b{number}"] = np.zeros(shape[1])
        self.grads: dict[str, Any] = {name: np.zeros_like(p) for name, p in self.params.items()}

    def forward(self, x: Any) -> tuple[np.ndarray, Any]:
        """Return ``(scores, cache)``, with scores of shape (N, C); x is not changed."""
        before = arrays.affine(x, self.params["W1"], self.params["b1"])
        hidden = arrays.activation("relu", before)
        return arrays.affine(hidden, self.params["W2"], self.params["b2"]), (x, before, hidden)

    def backward(self, dscores: Any, cache: Any) -> None:
        """Fill ``grads``, given the gradient for the scores."""
        x, before, hidden = cache
        dhidden, dW2, db2 = arrays.affine_backward(dscores, hidden, self.params["W2"])
        dbefore = arrays.activation_backward("relu", dhidden, before)
        _, dW1, db1 = arrays.affine_backward(dbefore, x, self.params["W1"])
        for name, gradient in (("W1", dW1), ("b1", db1), ("W2", dW2), ("b2", db2)):
            arrays.put(self.grads, name, gradient.reshape(np.shape(self.params[name])))


def cross_entropy_loss(scores: Any, y: Any) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy of scores (N, C) and labels y (N,), and its gradient."""
    return arrays.classification_loss("cross_entropy", scores, y)


class SGD:
    """m <- beta * m + g; w <- w - alpha * m, in place, for any dict of arrays.

    Parameters
    ----------
    params : dict
        Arrays by name.
    alpha : float
        Learning rate.
    beta : float, default 0
        Momentum.

    Attributes
    ----------
    m : dict
        The averaged gradients by name, initially 0.

    """

    def __init__(self, params: MutableMapping[Any, Any], alpha: float, beta: float = 0):
        self.params, self.alpha, self.beta = params, alpha, beta
        self.m: dict[Any, Any] = {
            name: np.zeros(np.shape(p), arrays.working_dtype(p)) for name, p in params.items()
        }

    def step(self, grads: Mapping[Any, Any]) -> None:
        """Update every parameter by the gradient of the same name."""
        for name, weight in self.params.items():
            # the kernels' velocity is beta * m - lr * g, so lr = -1 gives m; w is not updated yet
            moved = {name: np.zeros(np.shape(weight), arrays.working_dtype(weight))}
            arrays.step("momentum", moved, name, grads[name], [self.m], lr=-1.0, beta1=self.beta)
            arrays.step("sgd", self.params, name, self.m[name], lr=self.alpha)
