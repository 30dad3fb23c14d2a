"""R3: a grid of learning rate and regularisation over the two-layer net."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.reference_systems.outcome import Outcome, numpy_seconds, timed
from fastmlp import plots
from fastmlp.compat.cs231n.classifiers.neural_net import TwoLayerNet
from fastmlp.compat.cs231n.data_utils import get_CIFAR10_data

__all__ = ["GRIDS", "Grid", "outcomes"]

UNITS, ITERATIONS, BATCH = 300, 1600, 400


@dataclass(frozen=True)
class Grid:
    """The choices that the publication leaves open: pixels, initial weights, and the grid.

    Attributes
    ----------
    name : str
        Name of the grid, in the table and in file names.
    pixels : str
        Description of the pixels.
    divisor : float
        Divisor of the pixels, after subtracting the mean image; they are the previous grid's.
    std : float
        Standard deviation of the initial weights.
    rates, regs : tuple of float
        Learning rates and regularisations; every pair is a run.

    """

    name: str
    pixels: str
    divisor: float
    std: float
    rates: tuple[float, ...]
    regs: tuple[float, ...]


# Chosen by training on the first 45,000 rows and validating on the other 5,000, not on test rows.
GRIDS = (
    Grid("raw", "pixels as they are", 1.0, 1e-4, (1e-3, 2e-3, 3e-3, 4e-3, 5e-3), (1e-2, 0.1, 0.5)),
    Grid("scaled", "pixels over 255", 255.0, 2e-2, (0.4, 0.6, 0.8, 1.0, 1.2), (1e-4, 1e-3, 2e-3)),
)


@dataclass
class Best:
    """The net of a grid with the highest validation accuracy, and how it was trained."""

    net: TwoLayerNet
    accuracy: float
    pair: tuple[float, float]
    history: dict[str, Any]


def outcomes(
    cifar10: str | None, dtype: str = "float64", pictures: Path | None = None, seed: int = 0
) -> list[Outcome]:
    """Reproduce R3's published results; plot grids, learning curves and weights if requested."""
    data = get_CIFAR10_data(num_test=10000, cifar10_dir=cifar10)
    rows = {}
    for name in list(data):
        value = data.pop(name)
        images = name.startswith("X")
        rows[name] = value.reshape(len(value), -1).astype(dtype) if images else value
    results = []
    for grid in GRIDS:
        for name in ("X_train", "X_val", "X_test"):
            rows[name] /= np.asarray(grid.divisor, dtype)
        results.append(search(grid, rows, seed, pictures))
    return results


def search(grid: Grid, rows: dict[str, Any], seed: int, pictures: Path | None) -> Outcome:
    """Train a net for every pair, and test the one with the best validation accuracy."""
    X, X_val = rows["X_train"], rows["X_val"]
    table = np.full((len(grid.rates), len(grid.regs)), np.nan)
    best, seconds = None, 0.0
    for i, rate in enumerate(grid.rates):
        for j, reg in enumerate(grid.regs):
            np.random.seed(seed)
            net = TwoLayerNet(3072, UNITS, 10, std=grid.std)
            net.params = {name: value.astype(X.dtype) for name, value in net.params.items()}
            run, took = timed(lambda net=net, rate=rate, reg=reg: train(net, rows, rate, reg))
            seconds += took
            told = f"{grid.pixels}, rate {rate:g}, reg {reg:g}:"
            if not np.isfinite(run["loss_history"][-1]):
                print(f"{told} diverged, {took:.0f} s", flush=True)
                continue
            train_acc, val_acc = accuracy(net, rows, "train", 10000), accuracy(net, rows, "val")
            print(f"{told} train {train_acc:.1%}, val {val_acc:.1%}, {took:.0f} s", flush=True)
            table[i, j] = val_acc
            if best is None or val_acc > best.accuracy:
                best = Best(net, val_acc, (rate, reg), run)
    assert best is not None
    test, test_all = (accuracy(best.net, rows, "test", n) for n in (1000, 10000))
    one = numpy_seconds(
        best.net.params,
        X,
        rows["y_train"],
        n_steps=ITERATIONS,
        batch_size=BATCH,
        reg=1.0,
        evaluated=[X_val, X[:BATCH]] * len(best.history["val_acc_history"]),
        measured=40,
    )
    if pictures is not None:
        draw(grid, table, best, len(X) // BATCH, pictures)
    return Outcome(
        "R3",
        f"5 x 3 grid, 300 hidden units, 1,600 iterations of 400, {X.dtype}, {grid.pixels}",
        "best validation 55.1 %, test 54.2 %",
        f"{best.accuracy:.1%} at rate {best.pair[0]:g}, reg {best.pair[1]:g}; "
        f"test {test:.1%}, on all 10,000 rows {test_all:.1%}",
        best.accuracy >= 0.551 and test >= 0.542,
        seconds,
        table.size * one,
    )


def train(net: TwoLayerNet, rows: dict[str, Any], rate: float, reg: float) -> dict[str, Any]:
    """Train one net of the grid."""
    # The highest rates may diverge; the original's loop continues, with warnings.
    with np.errstate(all="ignore"):
        return net.train(
            *(rows[name] for name in ("X_train", "y_train", "X_val", "y_val")),
            learning_rate=rate,
            learning_rate_decay=0.90,
            reg=reg,
            num_iters=ITERATIONS,
            batch_size=BATCH,
        )


def accuracy(net: TwoLayerNet, rows: dict[str, Any], part: str, n_rows: int | None = None) -> float:
    """Return the accuracy on the first rows of a part."""
    X, y = (rows[f"{kind}_{part}"][:n_rows] for kind in "Xy")
    return float(np.mean(net.predict(X) == y))


def draw(grid: Grid, table: np.ndarray, best: Best, per_epoch: int, folder: Path) -> None:
    """Write three plots: the grid, the best run's curves, and its first-layer weights."""
    folder.mkdir(parents=True, exist_ok=True)
    start, title = folder / f"reference-r3-{grid.name}", f"CIFAR-10, {grid.pixels}"
    cells = plots.heat_map(
        table, grid.rates, grid.regs, row_name="learning rate", column_name="reg", title=title
    )
    plots.save(cells, f"{start}-grid.png")
    run = {"": by_epoch(best.history, per_epoch)}
    plots.save(plots.learning_curves(run, title=title), f"{start}-curves.png")
    weights = plots.first_layer_weights(best.net.params["W1"], max_images=30, title=title)
    plots.save(weights, f"{start}-weights.png")


def by_epoch(history: dict[str, Any], per_epoch: int) -> dict[str, Any]:
    """Return the columns that `plots.learning_curves` reads, from the first whole epoch on."""
    n_epochs = len(history["val_acc_history"]) - 1  # the first accuracies are from iteration 0
    losses = np.array(history["loss_history"][1 : 1 + n_epochs * per_epoch])
    return {
        "loss": losses.reshape(n_epochs, per_epoch).mean(axis=1),
        "val_loss": [None] * n_epochs,
        "accuracy": history["train_acc_history"][1:],
        "val_accuracy": history["val_acc_history"][1:],
    }
