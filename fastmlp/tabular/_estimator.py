"""The base class of both estimators."""

import copy
import os
import time
import warnings
from numbers import Integral, Real
from typing import Any, Self, TypeVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from fastmlp.common.errors import counted
from fastmlp.common.messages import note
from fastmlp.export import Exported, Network
from fastmlp.sklearn._base import store
from fastmlp.sklearn._docs import filled_in
from fastmlp.sklearn._types import RandomState
from fastmlp.tabular import storage
from fastmlp.tabular._docs import SHARED
from fastmlp.tabular.building import Built, build
from fastmlp.tabular.encoder import TableEncoder
from fastmlp.tabular.exporting import network_of
from fastmlp.tabular.frames import collected, is_frame, unmasked
from fastmlp.tabular.importances import importances
from fastmlp.tabular.learning import HeldOut
from fastmlp.tabular.methods import DEFAULT_METHOD, METHODS
from fastmlp.tabular.metrics import baseline, metric_of
from fastmlp.tabular.model import TableModel
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.training import Member

__all__ = ["CONSTRAINTS", "TableEstimator", "documented", "require_rows"]

MAX_WARNINGS = 5

_Estimator = TypeVar("_Estimator", bound=type)

_COUNT = Interval(Integral, 1, None, closed="left")

CONSTRAINTS: dict[str, Any] = {
    "method": [StrOptions(set(METHODS))],
    "n_ensemble": [_COUNT, None],
    "n_cv": [Interval(Integral, 2, None, closed="left"), None],
    "time_limit": [Interval(Real, 0, None, closed="neither"), None],
    "encoder": [TableEncoder, None],
    "n_threads": [_COUNT, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def require_rows(y: np.ndarray) -> None:
    """Raise ValueError if there are no targets."""
    if not len(y):
        raise ValueError("y has 0 sample(s): pass at least one row")


def documented(estimator: _Estimator) -> _Estimator:
    """Replace what is in angle brackets in a class's docstring by the parts that both share."""
    return filled_in(estimator, SHARED)


class TableEstimator(Exported, BaseEstimator):
    """What `TabularClassifier` and `TabularRegressor` have in common."""

    method: str
    n_ensemble: int | None
    n_cv: int | None
    time_limit: float | None
    metric: str | None
    encoder: TableEncoder | None
    n_threads: int | None
    random_state: Any
    verbose: Any

    _parameter_constraints = CONSTRAINTS

    n_features_in_: int
    feature_names_in_: np.ndarray
    classes_: np.ndarray
    encoder_: TableEncoder
    leaderboard_: list[dict[str, Any]]
    out_of_fold_: np.ndarray
    validation_score_: float
    _model: TableModel
    _seed: int

    def __init__(
        self,
        method: str = DEFAULT_METHOD,
        *,
        n_ensemble: int | None = None,
        n_cv: int | None = None,
        time_limit: float | None = None,
        metric: str | None = None,
        encoder: TableEncoder | None = None,
        n_threads: int | None = None,
        random_state: RandomState = None,
        verbose: bool | int = False,
    ) -> None:
        store(self, locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, X_val: Any = None, y_val: Any = None, sample_weight: Any = None
    ) -> Self:
        """Learn to predict y from the rows of a table.

        Parameters
        ----------
        X : data frame or array_like, shape (N, D)
            A frame of pandas, polars, pyarrow or any other library that narwhals reads, or an
            array of numbers, texts or objects. See `fastmlp.tabular.TableEncoder` for what becomes
            of each column.
        y : array_like, shape (N,)
            For a classifier, the class of each row as a text or number; for a regressor, numbers.
        X_val, y_val : optional
            Your own validation rows, which decide the best epoch of each network. Default: a fifth
            of the rows, chosen at random, or each fold in turn with ``n_cv``.
        sample_weight : array_like, shape (N,), optional
            Weights >= 0 of the rows of X; only their ratios matter. Rows of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument or the data are invalid.

        """
        began = time.monotonic()
        metric = metric_of(self.metric, classes=self._has_classes)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together, or neither")
        if X_val is not None and self.n_cv is not None:
            raise ValueError(
                "n_cv validates each network with a fold of X, so it takes no X_val and y_val: "
                "leave out one of the two"
            )
        X = self._checked(X, reset=True)
        y = self._checked_y(y)
        check_consistent_length(X, y)
        targets = self._targets(y, first=True)
        weights = self._weights(X, y, sample_weight)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2**16))
        self.encoder_ = TableEncoder() if self.encoder is None else copy.copy(self.encoder)
        rows = Rows(self.encoder_.fit_transform(X), targets, weights)
        self._warn_of_doubts()
        if weights is not None and not weights.all():
            rows = rows.take(np.flatnonzero(weights))
        self._require_enough(rows)
        val = None if X_val is None else self._validation(X_val, y_val)
        plan = Plan(
            self.method,
            metric,
            n_networks=self.n_ensemble,
            n_cv=self.n_cv,
            deadline=None if self.time_limit is None else began + self.time_limit,
            n_threads=self.n_threads,
            seed=self._seed,
            told=self._tell if self.verbose else None,
        )
        built = build(self.encoder_, rows, val, getattr(self, "classes_", None), plan)
        self._warn_of_nothing(built, rows)
        self.adopt(built.model)
        self._held_out = built.learned.held_out
        self.out_of_fold_ = _spread(built.out_of_fold, weights)
        return self

    def adopt(self, model: TableModel) -> Self:
        """Take a trained model, such as one from a file, and return self."""
        for name in ("_held_out", "_importances", "out_of_fold_"):
            vars(self).pop(name, None)
        self._model, self.encoder_ = model, model.encoder
        self.leaderboard_ = model.told["leaderboard"]
        self.validation_score_ = float(model.told["score"])
        self.n_features_in_ = len(model.encoder.columns)
        if model.classes is not None:
            self.classes_ = model.classes
        if model.encoder.named:
            names = [column.name for column in model.encoder.columns]
            self.feature_names_in_ = np.array(names, object)
        return self

    _has_classes = False
    _held_out: list[HeldOut] | None = None

    def _checked_y(self, y: Any) -> np.ndarray:
        raise NotImplementedError

    def _targets(self, y: np.ndarray, first: bool) -> np.ndarray:
        raise NotImplementedError

    def _weights(self, X: Any, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        if sample_weight is None:
            return None
        weights = _check_sample_weight(
            sample_weight, np.empty((len(y), 1)), dtype=np.float64, ensure_non_negative=True
        )
        if not weights.any():
            raise ValueError("sample_weight must not be 0 for every row: nothing would be learned")
        return weights

    def _require_enough(self, rows: Rows) -> None:
        if len(rows) < 2:
            raise ValueError(
                f"at least two rows are needed, one of them for validation, got {len(rows)} sample"
            )
        if self.n_cv is not None and self.n_cv > len(rows):
            raise ValueError(
                f"n_cv={self.n_cv} divides the rows into more folds than there are rows, "
                f"{len(rows)}: use n_cv={len(rows)} at most"
            )

    def _checked(self, X: Any, reset: bool) -> Any:
        """Return X with its number and names of columns checked, as scikit-learn does."""
        if is_frame(X):
            X = collected(X)
        else:
            is_records = isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], dict)
            is_dict = isinstance(X, dict) and not issparse(X)  # a sparse one is told as such
            if is_records or is_dict:
                what = "a list of dicts" if is_records else "a dict"
                raise TypeError(
                    f"X must be a data frame or an array of rows and columns, got {what}: make a "
                    "frame of it, such as polars.DataFrame(X)"
                )
            rules: Any = {"dtype": None, "ensure_all_finite": "allow-nan"}
            X = check_array(unmasked(X), **rules)
        validate_data(self, X, skip_check_array=True, reset=reset)
        return X

    def _validation(self, X_val: Any, y_val: Any) -> Rows:
        try:
            X_val, y_val = self._checked(X_val, reset=False), self._checked_y(y_val)
            check_consistent_length(X_val, y_val)
            targets = self._targets(y_val, first=False)
            if self.metric in ("roc_auc", "r2") and (targets == targets[0]).all():
                raise ValueError(
                    f"{self.metric} is undefined if y is the same in every row: pass other rows, "
                    "or another metric"
                )
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error
        return Rows(self.encoder_.transform(X_val), targets)

    def _warn_of_doubts(self) -> None:
        doubts = self.encoder_.doubts
        for doubt in doubts[:MAX_WARNINGS]:
            warnings.warn(doubt, UserWarning, stacklevel=4)
        if len(doubts) > MAX_WARNINGS:
            more = f"{len(doubts) - MAX_WARNINGS} more columns are doubtful: see summary()"
            warnings.warn(more, UserWarning, stacklevel=4)

    def _warn_of_nothing(self, built: Built, rows: Rows) -> None:
        """Warn if the time limit has left no time to learn anything."""
        if self.time_limit is None:
            return
        metric, classes = built.model.metric, built.model.classes
        start = baseline(rows.y, None if classes is None else len(classes), rows.weights)
        usual = np.broadcast_to(start if self._has_classes else start[0], built.out_of_fold.shape)
        if not metric.better(built.score, metric.score(rows.y, usual, rows.weights)):
            what = "the most frequent class" if self._has_classes else "the mean"
            warnings.warn(
                f"in {self.time_limit:g} s the model became no better than predicting {what}: a "
                "longer time_limit may help",
                UserWarning,
                stacklevel=4,
            )

    def _tell(self, member: Member, number: int, total: int) -> None:
        metric = metric_of(self.metric, classes=self._has_classes)
        count = f"{number} of {total}" if self.time_limit is None else f"{number}"
        note(
            f"network {count}: validation {metric.label} {member.score:.4g}, "
            f"{counted(len(member.history), 'epoch')}, {member.seconds:.1f} s"
        )

    # Prediction.

    def _predicted(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._model.predict(self._checked(X, reset=False), self.n_threads)

    @property
    def feature_importances_(self) -> np.ndarray:
        """How much each column of X matters, shape (D,), in units of the metric.

        It is how much worse the score on the validation rows becomes if the column is shuffled
        (mean of five times). Computed when first asked for.

        Raises
        ------
        AttributeError
            If there are no validation rows: before ``fit``, and for a loaded model.

        """
        if "_importances" not in vars(self):
            if self._held_out is None:
                why = (
                    "before fit"
                    if "_model" not in vars(self)
                    else (
                        "of a loaded model, because its validation rows are not in the file: use "
                        "sklearn.inspection.permutation_importance"
                    )
                )
                raise AttributeError(f"there are no feature_importances_ {why}")
            self._importances = importances(
                self.encoder_, self._held_out, self._model.metric, self._seed
            )
        return self._importances

    _importances: np.ndarray

    def summary(self) -> str:
        """Return how each column was read, one line each, and how good the networks are."""
        check_is_fitted(self)
        metric = self._model.metric
        n = len(self._model.recipes)
        networks = f"{counted(n, 'network')} {self._model.method}"
        score = f"validation {metric.label} {self.validation_score_:.4g}"
        return f"{self.encoder_.summary()}\n{networks}: {score}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model with its encoder to a file, for `fastmlp.load`.

        Parameters
        ----------
        path : str or path
            A safetensors file; nothing in it is executed when it is loaded.

        """
        check_is_fitted(self)
        storage.save(self._model, path)

    def _exported(self) -> Network:
        check_is_fitted(self)
        return network_of(self._model)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a model; attributes alone may come from a fit that failed."""
        return "_model" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags


def _spread(predicted: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return predictions for all rows, NaN for those that were left out with weight 0."""
    if weights is None or weights.all():
        return predicted
    spread = np.full((len(weights), *predicted.shape[1:]), np.nan)
    spread[weights > 0] = predicted
    return spread
