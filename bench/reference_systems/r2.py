"""R2: the two-layer net, the solver and the linear autoencoder."""

from typing import Any

import numpy as np

from bench.reference_systems import plain_numpy
from bench.reference_systems.outcome import Outcome, numpy_seconds, quiet, timed
from fastmlp import Adam, TiedAutoencoder
from fastmlp.compat.cs231n.data_utils import get_CIFAR10_data
from fastmlp.compat.cs231n.solver import Solver
from fastmlp.compat.nndl import fc_net
from fastmlp.compat.nndl.neural_net import TwoLayerNet

__all__ = ["outcomes"]


def outcomes(cifar10: str | None) -> list[Outcome]:
    """Reproduce R2's published results."""
    data = get_CIFAR10_data(cifar10_dir=cifar10)
    rows = {
        name: value.reshape(len(value), -1) if name.startswith("X") else value
        for name, value in data.items()
    }
    tuned = {
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.97,
        "num_iters": 3000,
        "batch_size": 500,
        "reg": 0.87,
    }
    return [
        two_layer(rows, "H = 50, 1,000 iterations at 1e-4", "28 %", 0.26, num_iters=1000, reg=0.25),
        two_layer(
            rows, "H = 50 tuned, 3,000 iterations of 500 at 1e-3", "50 %, test 51.3 %", 0.5, **tuned
        ),
        solver(data),
        overfit(data),
        autoencoder(rows),
    ]


def two_layer(data: dict[str, Any], what: str, theirs: str, goal: float, **options: Any) -> Outcome:
    """Train the published net with 50 hidden units."""
    options = {"learning_rate": 1e-4, "learning_rate_decay": 0.95, "batch_size": 200} | options
    net = TwoLayerNet(3072, 50, 10)
    np.random.seed(2)
    X, y, X_val, y_val = (data[name] for name in ("X_train", "y_train", "X_val", "y_val"))
    params = {n: np.ascontiguousarray(p.T).copy() for n, p in net.params.items()}
    _, seconds = timed(lambda: net.train(X, y, X_val, y_val, **options))
    n_epochs = options["num_iters"] // (len(X) // options["batch_size"]) + 1
    numpy = numpy_seconds(
        params,
        X,
        y,
        n_steps=options["num_iters"],
        batch_size=options["batch_size"],
        reg=options["reg"],
        evaluated=[X_val] * n_epochs,
    )
    accuracy = float(np.mean(net.predict(X_val) == y_val))
    test = float(np.mean(net.predict(data["X_test"]) == data["y_test"]))
    return Outcome(
        "R2", what, theirs, f"{accuracy:.1%}, test {test:.1%}", accuracy >= goal, seconds, numpy
    )


def solver(data: dict[str, Any]) -> Outcome:
    """Train 200 hidden units for 10 epochs with the solver."""
    np.random.seed(0)
    model = fc_net.TwoLayerNet(hidden_dims=200, reg=0.3)
    params = {name: value.copy() for name, value in model.params.items()}
    trainer = Solver(
        model,
        data,
        optim_config={"learning_rate": 1e-3},
        lr_decay=0.95,
        batch_size=200,
        num_epochs=10,
        print_every=1000,
    )
    with quiet():
        _, seconds = timed(trainer.train)
    numpy = numpy_seconds(
        params,
        data["X_train"],
        data["y_train"],
        n_steps=len(trainer.loss_history),
        batch_size=200,
        reg=0.3,
        evaluated=[data["X_train"][:1000], data["X_val"]] * 11,
    )
    best = trainer.best_val_acc
    return Outcome(
        "R2",
        "Solver, 200 hidden units, 10 epochs",
        "at least 50 %",
        f"{best:.1%}",
        best >= 0.5,
        seconds,
        numpy,
    )


def overfit(data: dict[str, Any]) -> Outcome:
    """Fit 50 images with two hidden layers."""
    np.random.seed(0)
    small = data | {"X_train": data["X_train"][:50], "y_train": data["y_train"][:50]}
    model = fc_net.FullyConnectedNet([100, 100], weight_scale=2e-2, dtype=np.float64)
    params = {name: value.copy() for name, value in model.params.items()}
    options = {"optim_config": {"learning_rate": 2e-3}, "batch_size": 25, "num_epochs": 20}
    trainer = Solver(model, small, print_every=1000, **options)
    with quiet():
        _, seconds = timed(trainer.train)
    numpy = numpy_seconds(
        params,
        small["X_train"],
        small["y_train"],
        n_steps=40,
        batch_size=25,
        evaluated=[small["X_train"], small["X_val"]] * 21,
    )
    best = max(trainer.train_acc_history)
    return Outcome(
        "R2",
        "[100, 100] on 50 images, 20 epochs, training accuracy",
        "100 %",
        f"{best:.0%}",
        best == 1.0,
        seconds,
        numpy,
    )


def autoencoder(data: dict[str, Any]) -> Outcome:
    """Learn 40 components of 10,000 images; an SVD gives the smallest possible error."""
    X = (data["X_train"][:10000] / 255.0).astype(np.float32)
    X -= X.mean(axis=0)
    model = TiedAutoencoder(3072, 40)
    _, seconds = timed(
        lambda: model.fit(X, epochs=15, batch_size=200, optimizer=Adam(lr=1e-3), verbose=False)
    )
    error = model.reconstruction_error(X)
    net = plain_numpy.TiedNet(model.components.copy())
    batches = [np.random.choice(len(X), 200) for _ in range(65)]
    y = np.zeros(len(X))
    plain_numpy.seconds_of_steps(net, X, y, batches[:5], plain_numpy.adam)
    numpy = plain_numpy.seconds_of_steps(net, X, y, batches[5:], plain_numpy.adam) / 60 * 750
    values = np.linalg.eigvalsh(X.T.astype(np.float64) @ X / len(X))
    best = float(values[:-40].sum())
    return Outcome(
        "R2",
        "linear autoencoder 3072-40, error on 10,000 images",
        f"smallest possible: {best:.2f}",
        f"{error:.2f}",
        error < 1.05 * best,
        seconds,
        numpy,
    )
