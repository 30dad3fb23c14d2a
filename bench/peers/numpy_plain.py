"""Plain numpy: the loop that a careful student writes, in float32, updating arrays in place."""

import numpy as np

from bench.peers.blas import tune_threads
from bench.workloads import Parameters, Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "numpy"
PRECISION = "float32"


def available() -> str | None:
    """Return None: numpy is always available."""
    return None


def prepare(work: Workload) -> "NumpyRun":
    """Return `work` ready to train."""
    return NumpyRun(work)


class NumpyRun:
    """A multi-layer perceptron in numpy, whose products use numpy's BLAS."""

    compile_seconds = 0.0

    def __init__(self, work: Workload):
        self.work = work
        self.X, self.y = work.data()
        self.rng = np.random.default_rng(0)
        self.reset()
        self.n_threads = tune_threads(lambda: self.epochs(1))
        self.reset()

    def reset(self) -> None:
        """Restore the initial parameters and create a new optimizer."""
        self.layers = self.work.initial_parameters()
        self.means = [np.zeros_like(p) for layer in self.layers for p in layer]
        self.squares = [np.zeros_like(p) for layer in self.layers for p in layer]
        self.t = 0

    def parameters(self) -> Parameters:
        """Return the current parameters."""
        return self.layers

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        batch = self.work.batch_size
        total = 0.0
        for _ in range(n):
            total = 0.0
            if self.work.shuffle:
                order = self.rng.permutation(len(self.X))
                for start in range(0, len(order), batch):
                    rows = order[start : start + batch]
                    total += self.step(self.X[rows], self.y[rows])
            else:
                total += self.step(self.X, self.y)
        return total / self.work.steps_per_epoch

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """Take one training step; return its loss."""
        inputs = [x]
        for i, (weight, bias) in enumerate(self.layers):
            h = inputs[-1] @ weight
            h += bias
            if i < len(self.layers) - 1:
                h = np.maximum(h, 0, out=h) if self.work.activation == "relu" else np.tanh(h, out=h)
            inputs.append(h)
        loss, d = loss_and_gradient(self.work.loss, inputs[-1], y)

        gradients: list[np.ndarray] = []
        for i in range(len(self.layers) - 1, -1, -1):
            gradients[:0] = [inputs[i].T @ d, d.sum(axis=0)]
            if i:
                d = d @ self.layers[i][0].T
                d *= inputs[i] > 0 if self.work.activation == "relu" else 1 - inputs[i] ** 2
        self.update(gradients)
        return loss

    def update(self, gradients: list[np.ndarray]) -> None:
        """Apply the optimizer's formula to every parameter."""
        lr = np.float32(self.work.learning_rate)
        flat = [p for layer in self.layers for p in layer]
        if self.work.optimizer == "sgd":
            for p, g in zip(flat, gradients, strict=True):
                p -= lr * g
            return
        self.t += 1
        rate = np.float32(lr / (1 - 0.9**self.t))
        scale = np.float32(1 / np.sqrt(1 - 0.999**self.t))
        for p, g, m, v in zip(flat, gradients, self.means, self.squares, strict=True):
            m *= np.float32(0.9)
            m += np.float32(0.1) * g
            v *= np.float32(0.999)
            v += np.float32(0.001) * (g * g)
            p -= rate * m / (np.sqrt(v) * scale + np.float32(1e-8))


def loss_and_gradient(kind: str, z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss of outputs `z` (N, C) and its gradient, which may overwrite `z`."""
    n = len(z)
    if kind == "mse":
        z -= y
        return float(np.mean(z * z)), z * np.float32(2 / z.size)
    if kind == "binary_cross_entropy":
        loss = float(np.mean(np.logaddexp(np.float32(0), z) - y * z))
        return loss, (1 / (1 + np.exp(-z)) - y) * np.float32(1 / z.size)
    z -= z.max(axis=1, keepdims=True)
    exponentials = np.exp(z)
    sums = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(n)
    loss = float(np.mean(np.log(sums[:, 0]) - z[rows, y]))
    d = exponentials / sums
    d[rows, y] -= 1
    d *= np.float32(1 / n)
    return loss, d
