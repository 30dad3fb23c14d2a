"""The training loops of the five systems in plain numpy, as in a course's solution.

fastmlp is compared with these. They compute in the parameters' dtype, usually float64, with
whole-array operations and BLAS products; nothing is compiled.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Net", "TiedNet", "adam", "momentum", "rmsprop", "seconds_of_steps", "sgd"]

Params = dict[str, np.ndarray]


class Net:
    """affine - ReLU ... affine - softmax, for a dict W1, b1, W2 ... with W (inputs, outputs)."""

    def __init__(self, params: Params, reg: float = 0.0):
        self.params, self.reg = params, reg
        self.n_layers = len(params) // 2

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
        """Return the scores, or ``(loss, grads)``."""
        p, last = self.params, self.n_layers
        inputs = [X.reshape(len(X), -1)]
        for i in range(1, last):
            inputs.append(np.maximum(0, inputs[-1].dot(p[f"W{i}"]) + p[f"b{i}"]))
        scores = inputs[-1].dot(p[f"W{last}"]) + p[f"b{last}"]
        if y is None:
            return scores
        rows = np.arange(len(X))
        shifted = scores - scores.max(axis=1, keepdims=True)
        probabilities = np.exp(shifted)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[rows, y]).mean()
        loss += sum(0.5 * self.reg * np.sum(p[f"W{i}"] ** 2) for i in range(1, last + 1))
        dout = probabilities
        dout[rows, y] -= 1
        dout /= len(X)
        grads: Params = {}
        for i in range(last, 0, -1):
            x = inputs[i - 1]
            grads[f"W{i}"] = x.T.dot(dout) + self.reg * p[f"W{i}"]
            grads[f"b{i}"] = dout.sum(axis=0)
            if i > 1:
                dout = dout.dot(p[f"W{i}"].T)
                dout[x <= 0] = 0
        return loss, grads


class TiedNet:
    """The linear autoencoder W'Wx; the gradient is W (W'W xx' + xx' W'W - 2 xx') over the rows."""

    def __init__(self, W: np.ndarray):
        self.params: Params = {"W": W}

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
        """Return ``(loss, grads)``; the loss is the mean of half the squared error per row."""
        W = self.params["W"]
        codes = X.dot(W.T)
        error = codes.dot(W) - X
        gradient = (codes.T.dot(error) + error.dot(W.T).T.dot(X)) / len(X)
        return 0.5 * np.sum(error**2) / len(X), {"W": gradient}


def sgd(w: np.ndarray, dw: np.ndarray, state: dict[str, Any], lr: float) -> np.ndarray:
    """w - lr * dw."""
    w -= lr * dw
    return w


def momentum(
    w: np.ndarray, dw: np.ndarray, state: dict[str, Any], lr: float, mu: float = 0.9
) -> np.ndarray:
    """v = mu * v - lr * dw; w + v."""
    state["v"] = mu * state.get("v", np.zeros_like(w)) - lr * dw
    return w + state["v"]


def rmsprop(
    w: np.ndarray, dw: np.ndarray, state: dict[str, Any], lr: float, decay: float = 0.99
) -> np.ndarray:
    """c = decay * c + (1 - decay) * dw^2; w - lr * dw / sqrt(c + 1e-8)."""
    state["c"] = decay * state.get("c", np.zeros_like(w)) + (1 - decay) * dw**2
    return w - lr * dw / np.sqrt(state["c"] + 1e-8)


def adam(w: np.ndarray, dw: np.ndarray, state: dict[str, Any], lr: float) -> np.ndarray:
    """Adam with bias correction (Kingma and Ba, 2015)."""
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = 0.9 * state.get("m", np.zeros_like(w)) + 0.1 * dw
    state["s"] = 0.999 * state.get("s", np.zeros_like(w)) + 0.001 * dw**2
    mt, st = state["m"] / (1 - 0.9**t), state["s"] / (1 - 0.999**t)
    return w - lr * mt / (np.sqrt(st) + 1e-8)


def seconds_of_steps(
    net: Net | TiedNet,
    X: np.ndarray,
    y: np.ndarray,
    batches: Sequence[np.ndarray],
    update: Callable[..., np.ndarray] = sgd,
    lr: float = 1e-4,
) -> float:
    """Return the time of steps on these batches of row numbers, in seconds."""
    states: dict[str, dict[str, Any]] = {name: {} for name in net.params}
    started = time.perf_counter()
    for rows in batches:
        _, grads = net.loss(X[rows], y[rows])
        for name in net.params:
            net.params[name] = update(net.params[name], grads[name], states[name], lr)
    return time.perf_counter() - started
