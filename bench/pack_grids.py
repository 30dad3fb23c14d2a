"""Grid searches over networks as packs, in processes, and with scikit-learn's own networks."""

import time
import warnings
from typing import Any

import numpy as np

__all__ = ["GRIDS", "SEARCHES", "grid"]

GRIDS = ("digits", "breast-cancer")
SEARCHES = ("pack", "processes", "scikit-learn")
CANDIDATES = {
    "hidden_layer_sizes": [(32,), (64,), (64, 32)],
    "learning_rate_init": [1e-3, 3e-3, 1e-2],
    "alpha": [1e-4, 1e-2],
    "batch_size": [32, 128],
}
EPOCHS = 50


def grid(name: str, rounds: int) -> dict[str, Any]:
    """Run a grid of 36 candidates and 5 folds with all searches, in turns."""
    from sklearn import datasets, model_selection, neural_network
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from fastmlp import sklearn as ours

    load = {"digits": datasets.load_digits, "breast-cancer": datasets.load_breast_cancer}[name]
    data: Any = load(return_X_y=True)
    theirs = neural_network.MLPClassifier
    kinds = {
        "pack": (ours.MLPGridSearchCV, ours.MLPClassifier, {}),
        "processes": (model_selection.GridSearchCV, ours.MLPClassifier, {"n_jobs": -1}),
        "scikit-learn": (model_selection.GridSearchCV, theirs, {"n_jobs": -1}),
    }

    def searched(kind: str, epochs: int) -> tuple[float, Any]:
        search, estimator, given = kinds[kind]
        network = estimator(max_iter=epochs, random_state=0)
        candidates = {f"{estimator.__name__.lower()}__{k}": v for k, v in CANDIDATES.items()}
        made = search(
            make_pipeline(StandardScaler(), network), candidates, cv=5, refit=False, **given
        )
        started = time.perf_counter()
        made.fit(*data)
        return time.perf_counter() - started, made

    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    results: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in kinds:
            searched(kind, 1)  # starts processes and loads kernels
        for _ in range(rounds):
            for kind in kinds:
                taken, results[kind] = searched(kind, EPOCHS)
                seconds[kind].append(taken)
    scores = {kind: found.cv_results_["mean_test_score"] for kind, found in results.items()}
    same = bool(np.array_equal(scores["pack"], scores["processes"]))
    gap = float(np.abs(scores["pack"] - scores["scikit-learn"]).max())
    return {
        "data": name,
        "seconds": {kind: float(np.median(times)) for kind, times in seconds.items()},
        "best": {kind: float(found.best_score_) for kind, found in results.items()},
        "same_as_processes": same,
        "largest_difference_from_scikit_learn": gap,
        "agrees": same and gap < 0.02,
    }
