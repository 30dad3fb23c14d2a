"""Fit times and scores of fastmlp's estimators and scikit-learn's, on real and synthetic tables.

``python -m bench.sklearn_estimators [--quick] [--json FILE] [--mnist DIR] [--only NAMES]``

For every seed, each dataset is split anew. scikit-learn and fastmlp then fit the same rows with the
same arguments and ``random_state``, one right after the other, alternating which goes first. Then
they fit a single epoch, best of three, which shows the overhead of a fit. Each side uses one or all
threads, whichever is faster for a few epochs (on small data, BLAS threads slow scikit-learn down).
The kernels are compiled and loaded before the clock starts.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastmlp.sklearn
from bench.machine import describe
from fastmlp.engine.threads import available

__all__ = ["DATA", "Table", "compare", "main"]


@dataclass(frozen=True)
class Table:
    """A dataset and the settings for both sides.

    Attributes
    ----------
    load : callable
        ``load(mnist_dir) -> (X, y)``.
    estimator : {"MLPClassifier", "MLPRegressor"}
    arguments : dict
        Arguments that differ from the defaults.
    test_size : float or int
        Size of the test set, as for ``train_test_split``.
    scale : bool
        Whether to standardise the features.

    """

    load: Callable[[Path | None], tuple[np.ndarray, np.ndarray]]
    estimator: str = "MLPClassifier"
    arguments: dict[str, Any] = field(default_factory=dict)
    test_size: float | int = 0.25
    scale: bool = True


def _bundled(load: Callable[..., Any]) -> Callable[[Path | None], tuple[np.ndarray, np.ndarray]]:
    return lambda _: load(return_X_y=True)


def _diabetes(_: Path | None) -> tuple[np.ndarray, np.ndarray]:
    data: Any = datasets.load_diabetes()
    X, y = data.data, data.target
    return X, (y - y.mean()) / y.std()


def _california_sized(_: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return Friedman's first function with the size of California housing: 20,640 x 8."""
    X, y = datasets.make_friedman1(20_640, 8, noise=1.0, random_state=0)
    return X, (y - y.mean()) / y.std()


def _mnist(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return all 70,000 digits, float32 from 0 to 1."""
    from fastmlp.datasets import mnist

    data = mnist(folder)
    X = np.concatenate([data.X_train, data.X_test]).reshape(70_000, -1)
    return X.astype(np.float32) / 255, np.concatenate([data.y_train, data.y_test])


DATA = {
    "wine": Table(_bundled(datasets.load_wine)),
    "breast cancer": Table(_bundled(datasets.load_breast_cancer)),
    "diabetes": Table(_diabetes, "MLPRegressor"),
    "digits": Table(_bundled(datasets.load_digits)),
    "California-sized": Table(_california_sized, "MLPRegressor"),
    "MNIST": Table(_mnist, arguments={"max_iter": 10}, test_size=10_000, scale=False),
}


def compare(name: str, seeds: int, mnist_dir: Path | None) -> dict[str, Any]:
    """Fit both sides for every seed; return times and scores."""
    table = DATA[name]
    X, y = table.load(mnist_dir)
    sides = {"scikit-learn": neural_network, "fastmlp": fastmlp.sklearn}
    threads: dict[str, int] = {}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    one_epoch: dict[str, list[float]] = {side: [] for side in sides}
    scores: dict[str, list[float]] = {side: [] for side in sides}
    epochs: dict[str, list[int]] = {side: [] for side in sides}
    n_rows = 0
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = _split(table, X, y, seed)
        n_rows = len(X_train)
        for side in list(sides) if seed % 2 else list(sides)[::-1]:
            make = getattr(sides[side], table.estimator)
            if side not in threads:
                threads[side] = _best_threads(make, X_train[:20_000], y_train[:20_000])
            estimator = make(**table.arguments, random_state=seed)
            seconds[side].append(_fit_seconds(estimator, X_train, y_train, threads[side]))
            scores[side].append(float(estimator.score(X_test, y_test)))
            epochs[side].append(int(estimator.n_iter_))
        for side in list(sides) if seed % 2 else list(sides)[::-1]:
            make = getattr(sides[side], table.estimator)
            estimator = make(**table.arguments | {"max_iter": 1}, random_state=seed)
            times = [_fit_seconds(estimator, X_train, y_train, threads[side]) for _ in range(3)]
            one_epoch[side].append(min(times))
    return {
        "data": name,
        "rows": n_rows,
        "features": X.shape[1],
        "dtype": str(X.dtype),
        "threads": threads,
        "seconds": seconds,
        "scores": scores,
        "epochs": epochs,
        "speedup": _speedup(seconds),
        "one_epoch_seconds": one_epoch,
        "one_epoch_speedup": _speedup(one_epoch),
    }


def _speedup(seconds: dict[str, list[float]]) -> float:
    theirs, ours = (np.array(times) for times in seconds.values())
    return float(np.median(theirs / ours))


def _split(table: Table, X: np.ndarray, y: np.ndarray, seed: int) -> list[Any]:
    """Return X_train, X_test, y_train, y_test."""
    parts: list[Any] = train_test_split(X, y, test_size=table.test_size, random_state=seed)
    if table.scale:
        scaler = StandardScaler().fit(parts[0])
        parts[:2] = scaler.transform(parts[0]), scaler.transform(parts[1])
    return parts


def _best_threads(make: Callable[..., Any], X: np.ndarray, y: np.ndarray) -> int:
    """Return the number of threads, one or all, that is faster for a few epochs."""
    epochs = max(2, min(50, 100_000 // len(X)))
    estimator = make(max_iter=epochs, tol=0.0, random_state=0)
    _fit_seconds(make(max_iter=1), X, y, 1)
    candidates = sorted({1, available()})
    best = {n: min(_fit_seconds(estimator, X, y, n) for _ in range(3)) for n in candidates}
    return min(best, key=best.__getitem__)


def _fit_seconds(estimator: Any, X: np.ndarray, y: np.ndarray, n_threads: int) -> float:
    """Fit with the given number of threads; return the seconds."""
    if hasattr(estimator, "n_threads"):
        estimator.set_params(n_threads=n_threads)
    with threadpool_limits(n_threads, "blas"):
        started = time.perf_counter()
        estimator.fit(X, y)
        return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> int:
    """Compare the estimators, print a table, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seeds instead of ten")
    parser.add_argument("--only", help="names of datasets, separated by commas")
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument(
        "--mnist",
        type=Path,
        default=os.environ.get("FASTMLP_MNIST_DIR"),
        help="folder with MNIST's files (default: FASTMLP_MNIST_DIR, else the cache or a download)",
    )
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", ConvergenceWarning)
    names = options.only.split(",") if options.only else list(DATA)
    results = []
    print(
        "| data | rows x features | scikit-learn fit | fastmlp fit | times faster "
        "| one epoch: times faster | scikit-learn score | fastmlp score |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        result = compare(name, 2 if options.quick else 10, options.mnist)
        results.append(result)
        print(_row(result), flush=True)
        if options.json:
            report = {"machine": describe(), "results": results}
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _row(result: dict[str, Any]) -> str:
    seconds = [
        f"{_duration(np.median(times))}, {result['threads'][side]} thr."
        for side, times in result["seconds"].items()
    ]
    scores = [
        f"{np.mean(result['scores'][s]):.4f} ± {np.std(result['scores'][s]):.4f}"
        for s in result["scores"]
    ]
    cells = (
        result["data"],
        f"{result['rows']:,} x {result['features']}, {result['dtype']}",
        *seconds,
        f"{result['speedup']:.1f}",
        f"{result['one_epoch_speedup']:.1f}",
        *scores,
    )
    return f"| {' | '.join(cells)} |"


def _duration(seconds: Any) -> str:
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
