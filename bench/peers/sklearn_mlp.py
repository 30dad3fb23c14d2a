"""scikit-learn's MLPClassifier and MLPRegressor, with one ``partial_fit`` per epoch."""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import warnings
from typing import Any

import numpy as np

from bench.peers import missing
from bench.peers.blas import tune_threads
from bench.workloads import Parameters, Workload

__all__ = ["NAME", "PRECISION", "SklearnRun", "available", "prepare"]

NAME = "sklearn"
PRECISION = "float32"


def available() -> str | None:
    """Return None, or why scikit-learn cannot run here."""
    return missing("sklearn")


def prepare(work: Workload) -> "SklearnRun":
    """Return `work` ready to train."""
    return SklearnRun(work)


class SklearnRun:
    """A scikit-learn estimator, without L2 penalty, with the shared initial parameters.

    It uses one logistic output for two classes, so its last layer then starts from the difference
    of the two columns that the other peers have.

    Parameters
    ----------
    work : Workload
        What to train.
    dtype : numpy dtype, default float32
        Dtype of the rows, and so of the whole computation.

    """

    compile_seconds = 0.0

    def __init__(self, work: Workload, dtype: Any = np.float32):
        self.work = work
        X, y = work.data()
        self.X = X.astype(dtype)
        self.y = y if work.loss == "mse" else y.astype(np.int64).ravel()
        self.two_classes = work.loss == "cross_entropy" and work.widths[-1] == 2
        self.reset()
        self.n_threads = tune_threads(lambda: self.epochs(1))
        self.reset()

    def reset(self) -> None:
        """Create a new estimator; it sets its parameters in its first epoch."""
        self.estimator = self.new_estimator()

    def parameters(self) -> Parameters:
        """Return the current parameters as float32 numpy arrays."""
        if not hasattr(self.estimator, "coefs_"):
            return self.work.initial_parameters()
        layers = list(zip(self.estimator.coefs_, self.estimator.intercepts_, strict=True))
        if self.two_classes:
            weight, bias = layers[-1]
            layers[-1] = (np.hstack([0 * weight, weight]), np.hstack([0 * bias, bias]))
        return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        with warnings.catch_warnings():
            # It warns about the batch size and the number of epochs, which the workload sets.
            warnings.simplefilter("ignore")
            for _ in range(n):
                if self.work.loss == "mse":
                    self.estimator.partial_fit(self.X, self.y)
                else:
                    classes = np.arange(max(2, self.work.widths[-1]))
                    self.estimator.partial_fit(self.X, self.y, classes=classes)
        return float(self.estimator.loss_)

    def new_estimator(self) -> Any:
        """Return the untrained estimator of this work."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        work, start = self.work, self.start()
        base: Any = MLPRegressor if work.loss == "mse" else MLPClassifier

        class FromSharedStart(base):
            def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> Any:
                weight, bias = next(start)
                return weight.astype(dtype), bias.astype(dtype)

        rate = work.learning_rate
        if work.loss == "mse" and work.optimizer == "sgd":
            # Its gradient is that of half the sum over the outputs, the others' that of the mean.
            rate *= 2 / work.widths[-1]
        return FromSharedStart(
            hidden_layer_sizes=work.widths[1:-1],
            activation=work.activation,
            solver=work.optimizer,
            alpha=0.0,
            batch_size=work.batch_size,
            learning_rate_init=rate,
            shuffle=work.shuffle,
            random_state=0,
            momentum=0.0,
        )

    def start(self) -> Any:
        """Yield the initial parameters layer by layer."""
        parameters = self.work.initial_parameters()
        yield from parameters[:-1]
        weight, bias = parameters[-1]
        if self.two_classes:
            yield weight[:, 1:] - weight[:, :1], bias[1:] - bias[:1]
        else:
            yield weight, bias
