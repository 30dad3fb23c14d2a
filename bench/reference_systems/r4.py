"""R4: CIFAR-10, standardised per image, with the momentum optimizer for a dict."""

from typing import Any

import numpy as np

from bench.reference_systems import plain_numpy
from bench.reference_systems.outcome import Outcome, numpy_seconds, timed
from fastmlp.compat.momentum_net import SGD, FullyConnectedNet, cross_entropy_loss
from fastmlp.datasets import cifar10 as load

__all__ = ["outcomes"]

ITERATIONS, BATCH, UNITS = 2000, 40, 200


def outcomes(cifar10: str | None) -> list[Outcome]:
    """Reproduce what R4 meant to publish."""
    data = load(cifar10)
    X, X_test = standardised(data.X_train), standardised(data.X_test)
    np.random.seed(0)
    net = FullyConnectedNet(UNITS)
    params = {name: value.copy() for name, value in net.params.items()}
    _, seconds = timed(lambda: train(net, X, data.y_train))
    numpy = numpy_seconds(
        params,
        X,
        data.y_train,
        n_steps=ITERATIONS,
        batch_size=BATCH,
        update=plain_numpy.momentum,
        measured=200,
    )
    accuracy = float(np.mean(np.argmax(net.forward(X_test)[0], axis=1) == data.y_test))
    return [
        Outcome(
            "R4",
            "2,000 iterations of 40, test accuracy (the loop is the user's)",
            "at least 40 % (it crashed)",
            f"{accuracy:.1%}",
            accuracy >= 0.4,
            seconds,
            numpy,
        )
    ]


def standardised(X: np.ndarray) -> np.ndarray:
    """Return each image minus its mean, divided by its standard deviation."""
    images = X.astype(np.float64)
    return (images - images.mean(axis=1, keepdims=True)) / images.std(axis=1, keepdims=True)


def train(net: Any, X: np.ndarray, y: np.ndarray) -> None:
    """Train for the published number of steps."""
    optimizer = SGD(net.params, alpha=3e-3, beta=0.9)
    for _ in range(ITERATIONS):
        rows = np.random.choice(len(X), BATCH)
        scores, cache = net.forward(X[rows])
        _, dscores = cross_entropy_loss(scores, y[rows])
        net.backward(dscores, cache)
        optimizer.step(net.grads)
