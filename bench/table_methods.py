"""The methods that `bench.tables` compares: fastmlp's, and those of its peers.

Each is a function that fits a `Split` and returns a function from a frame to predictions. Methods
have their own default settings. What a method cannot read is prepared as its documentation says.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from bench.table_suite import Split

__all__ = ["METHODS", "TWINS", "Method", "skipped"]

Predict = Callable[[Any], np.ndarray]


class Method(NamedTuple):
    """A method to compare.

    Attributes
    ----------
    fit : callable
        ``fit(split, seed, n_threads, **settings)`` -> a function from a frame to predictions.
    settings : dict
        Further arguments of `fit`.
    packages : tuple of str
        What must be installed.
    warm_up : dict or None
        Arguments that replace the settings when it is fitted once before it is timed; None if it
        needs no such fit.

    """

    fit: Callable[..., Predict]
    settings: dict[str, Any]
    packages: tuple[str, ...]
    warm_up: dict[str, Any] | None


def fastmlp(split: Split, seed: int, n_threads: int, validated: bool, **settings: Any) -> Predict:
    """Fit an estimator of `fastmlp.tabular`; the frame needs no preparation.

    If it is not `validated` with the rows of the split, it divides all training rows itself.
    """
    from fastmlp.tabular import TabularClassifier, TabularRegressor

    kind: Any = TabularClassifier if split.kind == "class" else TabularRegressor
    model = kind(n_threads=n_threads, random_state=seed, **settings)
    if validated:
        train, val = ~split.val, split.val
        model.fit(split.X[train], split.y[train], split.X[val], split.y[val])
    else:
        model.fit(split.X, split.y)
    return model.predict


def hist_gradient_boosting(split: Split, seed: int, n_threads: int) -> Predict:
    """Fit scikit-learn's HistGradientBoosting; it takes up to 254 categories as numbers."""
    from sklearn import ensemble
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    texts = texts_of(split.X)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=254,
    )
    encoded = make_column_transformer((codes, texts), remainder="passthrough")
    kind: Any = (
        ensemble.HistGradientBoostingClassifier
        if split.kind == "class"
        else ensemble.HistGradientBoostingRegressor
    )
    model = kind(categorical_features=list(range(len(texts))), random_state=seed)
    pipeline = make_pipeline(encoded, model).fit(plain(split.X, texts), split.y)
    return lambda X: pipeline.predict(plain(X, texts))


def sklearn_mlp(split: Split, seed: int, n_threads: int) -> Predict:
    """Fit scikit-learn's MLP with standardised inputs and targets, and one-hot categories."""
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = texts_of(split.X)
    numbers = [column for column in split.X if column not in texts]
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    )
    model: Any = MLPClassifier(random_state=seed)
    if split.kind == "number":
        model = TransformedTargetRegressor(
            MLPRegressor(random_state=seed), transformer=StandardScaler()
        )
    pipeline = make_pipeline(encoded, model).fit(plain(split.X, texts), split.y)
    return lambda X: pipeline.predict(plain(X, texts))


def lightgbm(split: Split, seed: int, n_threads: int) -> Predict:
    """Fit LightGBM with the data type category for texts, and plain column names."""
    import lightgbm as lgb
    import pandas as pd

    types = {c: pd.CategoricalDtype(split.X[c].dropna().unique()) for c in texts_of(split.X)}
    names = [f"c{i}" for i in range(split.X.shape[1])]

    def prepared(X: Any) -> Any:
        known = {c: X[c].where(X[c].isin(t.categories)).astype(t) for c, t in types.items()}
        return X.assign(**known).set_axis(names, axis=1)

    kind: Any = lgb.LGBMClassifier if split.kind == "class" else lgb.LGBMRegressor
    model = kind(random_state=seed, n_jobs=n_threads, verbose=-1)
    model.fit(prepared(split.X), split.y)
    return lambda X: model.predict(prepared(X))


def catboost(split: Split, seed: int, n_threads: int) -> Predict:
    """Fit CatBoost; a missing text is a category of its own."""
    import catboost as cb

    texts = texts_of(split.X)

    def prepared(X: Any) -> Any:
        return X.fillna(dict.fromkeys(texts, ""))

    kind: Any = cb.CatBoostClassifier if split.kind == "class" else cb.CatBoostRegressor
    model = kind(
        random_seed=seed,
        thread_count=n_threads,
        cat_features=texts,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(prepared(split.X), split.y)
    return lambda X: np.ravel(model.predict(prepared(X), thread_count=n_threads))


def pytabkit(
    split: Split, seed: int, n_threads: int, name: str, n_epochs: int | None = None
) -> Predict:
    """Fit a network of pytabkit; missing numbers are the median of the training rows."""
    import pytabkit as ptk

    kind = getattr(ptk, f"{name}_{'Classifier' if split.kind == 'class' else 'Regressor'}")
    train, val = ~split.val, split.val
    texts = texts_of(split.X)
    numbers = split.X.drop(columns=texts).columns
    median = split.X.loc[train, numbers].median()

    def prepared(X: Any) -> Any:
        X = plain(X, texts).astype(dict.fromkeys(numbers, np.float64))
        return X.fillna(median)

    epochs = {} if n_epochs is None else {"n_epochs": n_epochs}
    model = kind(device="cpu", random_state=seed, n_threads=n_threads, **epochs)
    X, y = prepared(split.X), split.y
    model.fit(X[train], y[train], X[val], y[val], cat_col_names=texts)
    return lambda X: model.predict(prepared(X))


def plain(X: Any, texts: list[str]) -> Any:
    """Return the frame with NaN for missing texts, which scikit-learn's encoders take."""
    return X.assign(**{column: X[column].where(X[column].notna(), np.nan) for column in texts})


def texts_of(X: Any) -> list[str]:
    """Return the columns that hold texts."""
    return [column for column in X if X[column].dtype == object]


def skipped(method: str) -> str | None:
    """Return why a method cannot run, or None."""
    for package in METHODS[method].packages:
        if find_spec(package) is None:
            return f"{package} is not installed"
    return None


def _ours(*, validated: bool = False, **settings: Any) -> Method:
    warm_up = {"n_ensemble": 2} if settings.keys() & {"n_ensemble", "time_limit"} else {}
    settings["validated"] = validated
    return Method(fastmlp, settings, ("sklearn", "narwhals", "polars"), warm_up)


def _theirs(name: str) -> Method:
    return Method(pytabkit, {"name": name}, ("pytabkit", "torch"), {"n_epochs": 2})


METHODS: dict[str, Method] = {
    "realmlp-td-s": _ours(method="realmlp-td-s", validated=True),
    "realmlp-td": _ours(method="realmlp-td", validated=True),
    "tabm-mini": _ours(method="tabm-mini", validated=True),
    "default": _ours(),
    "default x 8": _ours(n_ensemble=8),
    "pack 60 s": _ours(method="pack", time_limit=60.0),
    "HistGradientBoosting": Method(hist_gradient_boosting, {}, ("sklearn",), None),
    "LightGBM": Method(lightgbm, {}, ("lightgbm",), None),
    "CatBoost": Method(catboost, {}, ("catboost",), None),
    "scikit-learn MLP": Method(sklearn_mlp, {}, ("sklearn",), None),
    "pytabkit RealMLP-TD-S": _theirs("RealMLP_TD_S"),
    "pytabkit RealMLP-TD": _theirs("RealMLP_TD"),
    "pytabkit TabM": _theirs("TabM_D"),
}
"""By name. Those of fastmlp are first. "default" is ``fit(X, y)`` without any argument."""

TWINS: dict[str, str] = {
    "realmlp-td-s": "pytabkit RealMLP-TD-S",
    "realmlp-td": "pytabkit RealMLP-TD",
    "tabm-mini": "pytabkit TabM",
}
"""A method of fastmlp -> pytabkit's of the same design."""
