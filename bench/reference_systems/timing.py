"""Times the training loops against the same loops in plain numpy, in turn.

``python -m bench.reference_systems.timing`` needs no data: random pixels, as many as in CIFAR-10,
take as long as real ones.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.reference_systems import plain_numpy
from bench.reference_systems.outcome import quiet
from bench.reference_systems.plain_numpy import Net, seconds_of_steps
from fastmlp.compat.cs231n.classifiers.neural_net import TwoLayerNet
from fastmlp.compat.cs231n.solver import Solver
from fastmlp.compat.lib.fully_conn import FullyConnectedNetwork, TinyNet
from fastmlp.compat.lib.layer_utils import cross_entropy
from fastmlp.compat.lib.optim import SGD, Adam
from fastmlp.compat.lib.train import train_net
from fastmlp.compat.nndl import fc_net
from fastmlp.engine.warmup import warm_up

__all__ = ["main"]

Loop = Callable[[], None]
N_VAL = 1000


def main() -> None:
    """Time all loops and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.reference_systems.timing")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each loop [5]")
    parser.add_argument("--rows", type=int, default=49000, help="training rows [49000]")
    arguments = parser.parse_args()
    warm_up()
    print("| loop | dtype | steps | numpy, ms per step | fastmlp, ms per step | times faster |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (arguments.rows, 3072), np.uint8)
    y = rng.integers(0, 10, arguments.rows)
    for dtype in ("float64", "float32"):
        X = pixels.astype(dtype)
        X -= X.dtype.type(128)
        for name, n_steps, ours, theirs in loops(X, y):
            print(_row(name, dtype, n_steps, ours, theirs, arguments.rounds), flush=True)


def loops(X: np.ndarray, y: np.ndarray) -> list[tuple[str, int, Loop, Loop]]:
    """Return the name, number of steps, fastmlp's loop and numpy's loop of each case."""
    return [
        two_layer(X, y, 50, 200, 100),
        two_layer(X, y, 300, 400, 40),
        solver(X, y, 200, 100, 100),
        modular(X, y, TinyNet, lambda net: Adam(net, 1e-5), plain_numpy.adam, 128, 40),
        modular(X, y, FullyConnectedNetwork, lambda net: SGD(net, 1e-6), plain_numpy.sgd, 100, 40),
    ]


def two_layer(
    X: np.ndarray, y: np.ndarray, units: int, batch: int, steps: int
) -> tuple[str, int, Loop, Loop]:
    """Return `TwoLayerNet.train`, with the accuracies of its first iteration."""
    net = TwoLayerNet(3072, units, 10)
    net.params = {name: p.astype(X.dtype) for name, p in net.params.items()}
    plain = Net(_copies(net.params), reg=0.25)
    X_val, y_val = X[:N_VAL], y[:N_VAL]

    def ours() -> None:
        net.train(X, y, X_val, y_val, 1e-6, 0.95, 0.25, num_iters=steps, batch_size=batch)

    def theirs() -> None:
        batches = [np.random.choice(len(X), batch) for _ in range(steps)]
        seconds_of_steps(plain, X, y, batches, lr=1e-6)
        plain.loss(X[batches[0]])
        plain.loss(X_val)

    return f"TwoLayerNet.train, H = {units}, batch {batch}", steps, ours, theirs


def solver(
    X: np.ndarray, y: np.ndarray, units: int, batch: int, steps: int
) -> tuple[str, int, Loop, Loop]:
    """Return `Solver.train` for one epoch of ``steps`` steps, with its two accuracy checks."""
    model = fc_net.TwoLayerNet(hidden_dims=units, reg=0.25)
    model.params = {name: p.astype(X.dtype) for name, p in model.params.items()}
    plain = Net(_copies(model.params), reg=0.25)
    rows = steps * batch
    data = {"X_train": X[:rows], "y_train": y[:rows], "X_val": X[:N_VAL], "y_val": y[:N_VAL]}
    options: Any = {"optim_config": {"learning_rate": 1e-6}, "batch_size": batch}

    def ours() -> None:
        Solver(model, data, num_epochs=1, verbose=False, **options).train()

    def theirs() -> None:
        batches = [np.random.choice(rows, batch) for _ in range(steps)]
        seconds_of_steps(plain, X, y, batches, lr=1e-6)
        for _ in range(2):
            for start in range(0, 1000, 100):
                plain.loss(X[np.random.choice(rows, 100)])
                plain.loss(X[start : start + 100])

    return f"Solver.train, H = {units}, batch {batch}", steps, ours, theirs


def modular(
    X: np.ndarray, y: np.ndarray, kind: Any, optimizer: Any, update: Any, batch: int, steps: int
) -> tuple[str, int, Loop, Loop]:
    """Return `train_net` for one epoch of ``steps`` steps, with both accuracies at its end."""
    model = kind(dtype=X.dtype)
    names = enumerate(model.net.params)
    order = {f"{'Wb'[i % 2]}{i // 2 + 1}": name for i, name in names}
    plain = Net({new: model.net.params[name].copy() for new, name in order.items()})
    rows = steps * batch
    data = {"data_train": (X[:rows], y[:rows]), "data_val": (X[:N_VAL], y[:N_VAL])}
    stepper = optimizer(model.net)

    def ours() -> None:
        with quiet():
            train_net(data, model, cross_entropy(), stepper, batch, 1)

    def theirs() -> None:
        shuffled = np.random.permutation(rows).reshape(steps, batch)
        seconds_of_steps(plain, X, y, list(shuffled), update, 1e-6)
        for start in range(0, rows + N_VAL, 100):
            plain.loss(X[start : start + 100])

    rule = type(stepper).__name__
    return f"train_net, {kind.__name__}, {rule}, batch {batch}", steps, ours, theirs


def _copies(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in params.items()}


def _row(name: str, dtype: str, n_steps: int, ours: Loop, theirs: Loop, rounds: int) -> str:
    """Return a row: the median times of both, and the median ratio of consecutive turns."""
    seconds: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        pair = _seconds(ours), _seconds(theirs)
        if turn:  # the first turn warms up both
            seconds.append(pair)
    mine, numpy = (
        1000 * statistics.median(times) / n_steps for times in zip(*seconds, strict=True)
    )
    ratio = statistics.median(b / a for a, b in seconds)
    return f"| {name} | {dtype} | {n_steps} | {numpy:.2f} | {mine:.2f} | {ratio:.1f} |"


def _seconds(run: Loop) -> float:
    time.sleep(0.1)  # the other side's threads may still be spinning
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
