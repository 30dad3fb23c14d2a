"""PyTorch, eager: fused optimizer, rows selected by ``index_select``, tuned number of threads."""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import time
from typing import Any

import numpy as np

from bench.peers import missing, thread_counts, trial_seconds
from bench.workloads import Parameters, Workload

__all__ = ["NAME", "PRECISION", "TorchRun", "available", "prepare"]

NAME = "torch"
PRECISION = "float32"


def available() -> str | None:
    """Return None, or why PyTorch cannot run here."""
    return missing("torch")


def prepare(work: Workload) -> "TorchRun":
    """Return `work` ready to train."""
    return TorchRun(work)


class TorchRun:
    """A network as ``nn.Sequential``, trained by the usual loop.

    Parameters
    ----------
    work : Workload
        What to train.
    matmul_precision : str, default "highest"
        For ``torch.set_float32_matmul_precision``.
    compiled : bool, default False
        Whether to compile the loss of a batch, forward and backward, with ``torch.compile``.

    """

    def __init__(self, work: Workload, matmul_precision: str = "highest", compiled: bool = False):
        import torch

        self.torch: Any = torch
        torch.set_float32_matmul_precision(matmul_precision)
        self.work = work
        X, y = work.data()
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.model = self.build()
        self.loss = {
            "cross_entropy": torch.nn.functional.cross_entropy,
            "binary_cross_entropy": torch.nn.functional.binary_cross_entropy_with_logits,
            "mse": torch.nn.functional.mse_loss,
        }[work.loss]
        self.batch_loss = self.loss_of_batch
        self.compile_seconds = 0.0
        self.n_threads: int | None = None
        self.reset()
        if compiled:
            torch._dynamo.reset()  # it refuses to compile a function for too many networks
            self.batch_loss = torch.compile(self.loss_of_batch, fullgraph=True, dynamic=False)
        self.tune_threads(compiled)
        self.reset()

    def build(self) -> Any:
        """Return the network, with parameters not yet set."""
        nn = self.torch.nn
        layers: list[Any] = []
        for d, h in zip(self.work.widths, self.work.widths[1:], strict=False):
            layers += [nn.Linear(d, h), nn.ReLU() if self.work.activation == "relu" else nn.Tanh()]
        return nn.Sequential(*layers[:-1])

    def linears(self) -> list[Any]:
        """Return the layers that have parameters."""
        return [layer for layer in self.model if hasattr(layer, "weight")]

    def reset(self) -> None:
        """Restore the initial parameters and create a new optimizer."""
        torch = self.torch
        with torch.no_grad():
            for layer, (weight, bias) in zip(
                self.linears(), self.work.initial_parameters(), strict=True
            ):
                layer.weight.copy_(torch.from_numpy(weight.T))
                layer.bias.copy_(torch.from_numpy(bias))
        rate = self.work.learning_rate
        if self.work.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, fused=True)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=rate, fused=True)

    def parameters(self) -> Parameters:
        """Return the current parameters as float32 numpy arrays."""
        return [
            (
                np.ascontiguousarray(layer.weight.detach().numpy().T),
                layer.bias.detach().numpy().copy(),
            )
            for layer in self.linears()
        ]

    def loss_of_batch(self, x: Any, y: Any) -> Any:
        """Return the loss of one batch; this is the function that ``torch.compile`` compiles."""
        return self.loss(self.model(x), y)

    def step(self, x: Any, y: Any) -> Any:
        """Take one training step; return its loss as a tensor."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.batch_loss(x, y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        losses: list[Any] = []
        for _ in range(n):
            if not self.work.shuffle:
                losses = [self.step(self.X, self.y)]
                continue
            order = self.torch.randperm(len(self.X))
            losses = [
                self.step(self.X.index_select(0, rows), self.y.index_select(0, rows))
                for rows in order.split(self.work.batch_size)
            ]
        return float(self.torch.stack(losses).mean())

    def tune_threads(self, compiled: bool) -> None:
        """Use one or all threads, whichever is faster in a trial, which also compiles."""
        x, y = self.X[: self.work.batch_size], self.y[: self.work.batch_size]
        trials = {}
        for n_threads in thread_counts():
            self.torch.set_num_threads(n_threads)
            start = time.perf_counter()
            self.step(x, y)
            first = time.perf_counter() - start
            if compiled:
                self.compile_seconds = max(self.compile_seconds, first)
            trials[n_threads] = trial_seconds(lambda: self.step(x, y))
        self.n_threads = min(trials, key=lambda n: trials[n])
        self.torch.set_num_threads(self.n_threads)
