"""The networks that every peer trains: shapes, seeded data, and one shared draw of parameters.

Peers get everything from here as numpy arrays, so that all of them train the same network on the
same rows from the same initial parameters, and their losses after one epoch can be compared.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

__all__ = [
    "WORKLOADS",
    "Parameters",
    "Workload",
    "batch_sweep",
    "full_data_loss",
    "predict",
    "width_sweep",
    "workload",
]

Parameters = list[tuple[np.ndarray, np.ndarray]]
"""``(weight (D, H), bias (H,))`` of each layer, float32."""


@dataclass(frozen=True)
class Workload:
    """A network, its data and how it is trained.

    Parameters
    ----------
    name : str
        Its name in tables.
    widths : tuple of int
        Inputs, hidden widths, outputs: ``(784, 128, 10)``.
    batch_size : int
        Rows per step.
    n_rows : int
        Rows per epoch; a multiple of `batch_size`, so that all steps are alike.
    learning_rate : float
        Learning rate of `optimizer`.
    activation, loss, optimizer : str
        fastmlp's names.
    shuffle : bool, default True
        False for full-batch training, where the order of the rows does not matter.

    """

    name: str
    widths: tuple[int, ...]
    batch_size: int
    n_rows: int
    learning_rate: float
    activation: Literal["relu", "tanh"] = "relu"
    loss: Literal["cross_entropy", "binary_cross_entropy", "mse"] = "cross_entropy"
    optimizer: Literal["adam", "sgd"] = "adam"
    shuffle: bool = True

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch."""
        return self.n_rows // self.batch_size

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum((d + 1) * h for d, h in zip(self.widths, self.widths[1:], strict=False))

    def with_optimizer(self, optimizer: Literal["adam", "sgd"]) -> "Workload":
        """Return the same work with `optimizer`, at a learning rate that suits it."""
        rate = self.learning_rate if optimizer == self.optimizer else SGD_RATES.get(self.name, 0.05)
        return replace(self, optimizer=optimizer, learning_rate=rate)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return seeded, learnable rows and their targets.

        Returns
        -------
        X : ndarray of shape (n_rows, D), float32
        y : ndarray
            int64 labels ``(n_rows,)`` for cross-entropy, float32 ``(n_rows, C)`` otherwise.

        """
        rng = np.random.default_rng(1)
        if self.loss == "mse":
            return matrix_exponentials(rng, self.n_rows)
        n_classes = max(2, self.widths[-1])
        labels = rng.integers(0, n_classes, self.n_rows)
        X = rng.standard_normal((self.n_rows, self.widths[0]), dtype=np.float32)
        # Class means are about three noise deviations apart for any number of inputs.
        means = rng.standard_normal((n_classes, self.widths[0]), dtype=np.float32)
        X += means[labels] * np.float32(2.0 / np.sqrt(self.widths[0]))
        if self.loss == "binary_cross_entropy":
            return X, labels.astype(np.float32)[:, None]
        return X, labels

    def initial_parameters(self, seed: int = 2) -> Parameters:
        """Return every peer's initial parameters: He (ReLU) or Glorot (tanh) normal, zero bias."""
        rng = np.random.default_rng(seed)
        parameters = []
        for d, h in zip(self.widths, self.widths[1:], strict=False):
            std = np.sqrt(2.0 / d if self.activation == "relu" else 2.0 / (d + h))
            weight = (rng.standard_normal((d, h)) * std).astype(np.float32)
            parameters.append((weight, np.zeros(h, np.float32)))
        return parameters


def workload(name: str) -> Workload:
    """Return the workload called `name`; ``batch-B`` and ``width-H`` name points of the sweeps."""
    known = {w.name: w for w in [*WORKLOADS.values(), *batch_sweep(), *width_sweep()]}
    if name not in known:
        raise ValueError(f"unknown workload {name!r}: use one of {', '.join(known)}")
    return known[name]


def batch_sweep() -> list[Workload]:
    """Return the sweep of batch sizes 1 to 4,096 on 784-128-10."""
    return [
        Workload(f"batch-{b}", (784, 128, 10), b, max(min(8192, 1024 * b), 2 * b), 1e-3)
        for b in (1, 4, 16, 64, 256, 1024, 4096)
    ]


def width_sweep() -> list[Workload]:
    """Return the sweep of hidden widths 16 to 2,048 on 784-H-H-10, batch 128."""
    rows = {16: 8192, 64: 8192, 256: 8192, 512: 4096, 1024: 2048, 2048: 1024}
    return [Workload(f"width-{h}", (784, h, h, 10), 128, n, 1e-3) for h, n in rows.items()]


def predict(parameters: Parameters, X: np.ndarray, activation: str) -> np.ndarray:
    """Return a network's outputs (N, C) in float64, by plain numpy, the same for every peer."""
    hidden = X.astype(np.float64)
    for i, (weight, bias) in enumerate(parameters):
        if i:
            hidden = np.maximum(hidden, 0.0) if activation == "relu" else np.tanh(hidden)
        hidden = hidden @ weight.astype(np.float64) + bias.astype(np.float64)
    return hidden


def full_data_loss(work: Workload, parameters: Parameters, n_rows: int = 2048) -> float:
    """Return the mean loss over the first `n_rows` rows in float64, as fastmlp defines it."""
    X, y = work.data()
    X, y = X[:n_rows], y[:n_rows]
    outputs = predict(parameters, X, work.activation)
    if work.loss == "mse":
        return float(np.mean((outputs - y) ** 2))
    if work.loss == "binary_cross_entropy":
        return float(np.mean(np.logaddexp(0.0, outputs) - y * outputs))
    top = outputs.max(axis=1)
    log_sum = top + np.log(np.exp(outputs - top[:, None]).sum(axis=1))
    return float(np.mean(log_sum - outputs[np.arange(len(y)), y]))


def matrix_exponentials(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` random 2 x 2 matrices and their exponentials, both as rows of four float32."""
    matrices = rng.standard_normal((n, 2, 2)) * 0.5
    term = np.broadcast_to(np.eye(2), matrices.shape)
    exponential = term.copy()
    for k in range(1, 25):
        term = term @ matrices / k
        exponential += term
    rows = matrices.reshape(n, 4).astype(np.float32)
    return rows, exponential.reshape(n, 4).astype(np.float32)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("tabular", (32, 64, 64, 2), 64, 16_384, 1e-3),
        Workload("mnist", (784, 128, 10), 128, 8_192, 1e-3),
        Workload("mnist2", (784, 256, 128, 10), 128, 8_192, 1e-3),
        Workload("cifar", (3072, 512, 10), 128, 4_096, 1e-3),
        Workload("wide", (3072, 1024, 1024, 10), 512, 4_096, 3e-4),
        Workload("deep", (64, *[256] * 8, 10), 256, 8_192, 1e-3),
        Workload("higgs", (28, *[300] * 5, 1), 100, 10_000, 3e-4, "tanh", "binary_cross_entropy"),
        Workload("matexp", (4, 32, 16, 4), 10_000, 10_000, 1e-2, "tanh", "mse", shuffle=False),
    )
}
"""The named workloads, with Adam; `Workload.with_optimizer` gives them with SGD."""

SGD_RATES = {"matexp": 0.1, "wide": 0.02, "deep": 0.02}
