"""R5: the MNIST perceptron."""

import numpy as np

from bench.reference_systems.outcome import Outcome, numpy_seconds, quiet, timed
from fastmlp.compat import mnist_mlp

__all__ = ["outcomes"]

PARAMS = {
    "learning_rate": 0.01,
    "alpha": 0.0,
    "lambda": 0.0,
    "dropout_rate": 0.5,
    "num_epoch": 3,
    "minibatch_size": 5,
    "activation": "relu",
    "random_seed": 2,
    "step": 10,
}


def outcomes(mnist: str | None) -> list[Outcome]:
    """Run `main` with its defaults for 3 epochs."""
    with quiet():
        (losses, _, val_acc), seconds = timed(
            lambda: mnist_mlp.main(PARAMS | {"input_file": mnist})
        )
    X, Y, X_val, _, _, _ = mnist_mlp.data_loader_mnist(mnist)
    params = {
        "W1": 0.1 * np.random.randn(784, 1000),
        "b1": np.zeros(1000),
        "W2": 0.1 * np.random.randn(1000, 10),
        "b2": np.zeros(10),
    }
    numpy = numpy_seconds(
        params,
        X,
        Y[:, 0],
        n_steps=3 * (len(X) // 5),
        batch_size=5,
        evaluated=[X, X_val] * 3,
        measured=500,
    )
    return [
        Outcome(
            "R5",
            "main, relu, 3 epochs of minibatches of 5, validation accuracy",
            "trains",
            f"{val_acc[-1]:.2%}, loss {losses[0]:.3f} to {losses[-1]:.3f}",
            val_acc[-1] > 0.97,
            seconds,
            numpy,
        )
    ]
