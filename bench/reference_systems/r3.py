"""R3: a grid of learning rate and regularisation over the two-layer net."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.reference_systems.outcome import Outcome, numpy_seconds, timed
from fastmlp import plots
from fastmlp.compat.cs231n.classifiers.neural_net import TwoLayerNet
from fastmlp.compat.cs231n.data_utils import get_CIFAR10_data

__all__ = ["RATES", "REGS", "outcomes"]

RATES = (1.2e-3, 1.6e-3, 2.0e-3, 2.4e-3, 2.8e-3)
REGS = (1e-4, 1e-2, 1e-1)
UNITS, ITERATIONS, BATCH = 300, 1600, 400


def outcomes(
    cifar10: str | None, dtype: str = "float64", pictures: Path | None = None
) -> list[Outcome]:
    """Repeat what R3 published; draw grid, learning curves and weights where asked to."""
    data = get_CIFAR10_data(cifar10_dir=cifar10)
    rows = {}
    for name in list(data):
        value = data.pop(name)
        images = name.startswith("X")
        rows[name] = value.reshape(len(value), -1).astype(dtype) if images else value
    X, y, X_val, y_val = (rows[name] for name in ("X_train", "y_train", "X_val", "y_val"))
    table = np.empty((len(RATES), len(REGS)))
    best, best_accuracy, history, seconds = None, -1.0, {}, 0.0

    def accuracy_of_test(net: TwoLayerNet) -> float:
        return float(np.mean(net.predict(rows["X_test"]) == rows["y_test"]))

    for i, rate in enumerate(RATES):
        for j, reg in enumerate(REGS):
            np.random.seed(0)
            net = TwoLayerNet(3072, UNITS, 10)
            net.params = {name: value.astype(dtype) for name, value in net.params.items()}
            run, took = timed(lambda net=net, rate=rate, reg=reg: train(net, rows, rate, reg))
            seconds += took
            table[i, j] = accuracy = float(np.mean(net.predict(X_val) == y_val))
            shares = [np.mean(net.predict(X[:10000]) == y[:10000]), accuracy, accuracy_of_test(net)]
            told = " / ".join(f"{share:.1%}" for share in shares)
            print(
                f"rate {rate:g}, reg {reg:g}: train / val / test {told}, {took:.0f} s", flush=True
            )
            if accuracy > best_accuracy:
                best, best_accuracy, history = net, accuracy, run
    assert best is not None
    test = accuracy_of_test(best)
    one = numpy_seconds(
        best.params,
        X,
        y,
        n_steps=ITERATIONS,
        batch_size=BATCH,
        reg=1.0,
        evaluated=[X_val, X[:BATCH]] * 14,
        measured=40,
    )
    if pictures is not None:
        draw(table, history, best, pictures)
    return [
        Outcome(
            "R3",
            f"5 x 3 grid, 300 hidden units, 1,600 iterations of 400, {dtype}",
            "best validation 55.1 %, test 54.2 %",
            f"{best_accuracy:.1%}, test {test:.1%}",
            best_accuracy >= 0.551 and test >= 0.542,
            seconds,
            table.size * one,
        )
    ]


def train(net: TwoLayerNet, rows: dict[str, Any], rate: float, reg: float) -> dict[str, Any]:
    """Train one net of the grid."""
    return net.train(
        *(rows[name] for name in ("X_train", "y_train", "X_val", "y_val")),
        learning_rate=rate,
        learning_rate_decay=0.90,
        reg=reg,
        num_iters=ITERATIONS,
        batch_size=BATCH,
    )


def draw(table: np.ndarray, history: dict[str, Any], net: TwoLayerNet, folder: Path) -> None:
    """Write three pictures: the grid, the best run's curves, its first-layer weights."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = plots.heat_map(table, RATES, REGS, row_name="learning rate", column_name="reg")
    plots.save(grid, folder / "r3-grid.png")
    per_epoch = np.array_split(history["loss_history"], len(history["val_acc_history"]))
    n_epochs = len(per_epoch)
    curves = {
        "loss": [float(part.mean()) for part in per_epoch],
        "val_loss": [None] * n_epochs,
        "accuracy": history["train_acc_history"],
        "val_accuracy": history["val_acc_history"],
    }
    plots.save(plots.learning_curves(curves_of(curves)), folder / "r3-curves.png")
    plots.save(plots.first_layer_weights(net.params["W1"]), folder / "r3-weights.png")


class curves_of:  # noqa: N801 - a run, as the pictures read it
    """Columns by name."""

    def __init__(self, columns: dict[str, Any]):
        self.columns = columns

    def __getitem__(self, name: str) -> Any:
        """Return a column."""
        return self.columns[name]
