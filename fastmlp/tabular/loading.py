"""Estimators from files."""

import os

from fastmlp.tabular import TabularClassifier, TabularRegressor, storage

__all__ = ["load_estimator"]


def load_estimator(path: str | os.PathLike[str]) -> TabularClassifier | TabularRegressor:
    """Return the fitted estimator in a file; see `fastmlp.load`."""
    model = storage.load(path)
    kind = TabularRegressor if model.classes is None else TabularClassifier
    return kind(model.method, metric=model.metric.name, n_ensemble=len(model.recipes)).adopt(model)
