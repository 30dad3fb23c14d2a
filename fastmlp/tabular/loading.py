"""Estimators from files."""

import os

from fastmlp.tabular import TabularClassifier, TabularRegressor, storage

__all__ = ["load_estimator"]


def load_estimator(path: str | os.PathLike[str]) -> TabularClassifier | TabularRegressor:
    """Return the fitted estimator in a file; see `fastmlp.load`."""
    model = storage.load(path)
    kind = TabularRegressor if model.classes is None else TabularClassifier
    n = len(model.recipes) if model.method != "pack" else None  # of a pack, more were trained
    return kind(model.method, metric=model.metric.name, n_ensemble=n).adopt(model)
