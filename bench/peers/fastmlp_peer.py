"""fastmlp itself: ``Sequential.fit`` with float32 products."""

import time

import numpy as np

from bench.peers import missing
from bench.workloads import Parameters, Workload

__all__ = ["NAME", "PRECISION", "FastmlpRun", "available", "prepare"]

NAME = "fastmlp"
PRECISION = "float32"


def available() -> str | None:
    """Return None, or why fastmlp cannot run here."""
    return missing("fastmlp")


def prepare(work: Workload) -> "FastmlpRun":
    """Return `work` ready to train."""
    return FastmlpRun(work)


class FastmlpRun:
    """A `Sequential` model, built and fitted as any user would.

    Parameters
    ----------
    work : Workload
        What to train.
    matmul_precision : str, default "highest"
        For `Sequential.fit`.

    """

    n_threads = None

    def __init__(self, work: Workload, matmul_precision: str = "highest"):
        import numba  # noqa: F401, imported here so that it does not count as compiling

        import fastmlp

        self.work = work
        self.matmul_precision = matmul_precision
        self.X, self.y = work.data()
        self.model = fastmlp.Sequential(*network(work))
        self.reset()
        start = time.perf_counter()
        self.first_steps()
        first = time.perf_counter() - start
        start = time.perf_counter()
        self.first_steps()
        self.compile_seconds = max(0.0, first - (time.perf_counter() - start))
        self.reset()

    def first_steps(self) -> None:
        """Fit one batch, which compiles or loads everything that an epoch needs."""
        self.fit(self.X[: self.work.batch_size], self.y[: self.work.batch_size], 1)

    def reset(self) -> None:
        """Restore the initial parameters and create a new optimizer."""
        from fastmlp import optimizers

        for i, (weight, bias) in enumerate(self.work.initial_parameters()):
            self.model.params[f"{2 * i}.weight"][...] = weight
            self.model.params[f"{2 * i}.bias"][...] = bias
        kind = optimizers.Adam if self.work.optimizer == "adam" else optimizers.SGD
        self.optimizer = kind(lr=self.work.learning_rate)
        self.n_fits = 0

    def parameters(self) -> Parameters:
        """Return the current parameters as float32 numpy arrays."""
        params = self.model.params
        return [
            (params[f"{2 * i}.weight"].copy(), params[f"{2 * i}.bias"].copy())
            for i in range(len(self.work.widths) - 1)
        ]

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        losses = self.fit(self.X, self.y, n)
        return float(np.mean(losses[-self.work.steps_per_epoch :]))

    def fit(self, X: np.ndarray, y: np.ndarray, epochs: int) -> np.ndarray:
        """Fit as a user would; return the loss of every step."""
        self.n_fits += 1
        history = self.model.fit(
            X,
            y,
            loss=self.work.loss,
            optimizer=self.optimizer,
            epochs=epochs,
            batch_size=self.work.batch_size,
            shuffle=self.work.shuffle,
            seed=self.n_fits,
            matmul_precision=self.matmul_precision,
            verbose=False,
        )
        return np.asarray(history.steps)


def network(work: Workload) -> list:
    """Return the layers of the workload's network."""
    import fastmlp

    activation = fastmlp.ReLU if work.activation == "relu" else fastmlp.Tanh
    layers: list = []
    for d, h in zip(work.widths, work.widths[1:], strict=False):
        layers += [fastmlp.Linear(d, h), activation()]
    return layers[:-1]
