"""A classifier for tables, with scikit-learn's interface."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastmlp.sklearn._base import store
from fastmlp.sklearn._labels import check_objects
from fastmlp.sklearn._types import RandomState
from fastmlp.tabular._estimator import CONSTRAINTS, TableEstimator, documented, require_rows
from fastmlp.tabular.encoder import TableEncoder
from fastmlp.tabular.frames import is_missing
from fastmlp.tabular.methods import DEFAULT_METHOD
from fastmlp.tabular.metrics import CLASSIFICATION

__all__ = ["TabularClassifier"]


@documented
class TabularClassifier(ClassifierMixin, TableEstimator):
    """Predicts the class of rows of a table, which needs no preparation.

    Parameters
    ----------
    <how networks are trained>
    metric : {"accuracy", "balanced_accuracy", "roc_auc", "log_loss"}, optional
        Decides which epoch of a network is the best, and is the validation score. By default the
        score is the accuracy, and among the epochs of a RealMLP the loss decides, since it is less
        coarse. With "accuracy" the accuracy decides, as in the published method.
    class_weight : dict or "balanced", optional
        Class -> weight (default 1), multiplied by the sample weight.
    <other arguments>

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    <attributes of the training>
    out_of_fold_ : ndarray, shape (N, C)
        Probabilities by the networks that did not train on a row, NaN where there is none.
    <other attributes>

    Examples
    --------
    >>> from fastmlp.tabular import TabularClassifier
    >>> classifier = TabularClassifier(random_state=0).fit(frame, frame.pop("species"))
    >>> classifier.predict(new_frame)
    >>> print(classifier.summary())

    """

    _parameter_constraints = CONSTRAINTS | {
        "metric": [StrOptions(set(CLASSIFICATION)), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _has_classes = True

    class_weight: Any
    classes_: np.ndarray

    def __init__(
        self,
        method: str = DEFAULT_METHOD,
        *,
        n_ensemble: int | None = None,
        n_cv: int | None = None,
        time_limit: float | None = None,
        metric: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        encoder: TableEncoder | None = None,
        n_threads: int | None = None,
        random_state: RandomState = None,
        verbose: bool | int = False,
    ) -> None:
        store(self, locals())

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row, shape (N,)."""
        check_is_fitted(self)
        return self._model.labels(self.predict_proba(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each of ``classes_``, shape (N, C)."""
        return self._predicted(X)

    def _checked_y(self, y: Any) -> np.ndarray:
        y = column_or_1d(np.asarray(y), warn=True)
        require_rows(y)
        if y.dtype.kind != "O":
            assert_all_finite(y, input_name="y")
            return y
        values = y.tolist()
        missing = next((place for place, value in enumerate(values) if is_missing(value)), None)
        if missing is not None:
            raise ValueError(f"y has no class at [{missing}]: leave out rows without a class")
        plain = np.array(values) if len({type(value) for value in values}) == 1 else y
        if plain.dtype.kind in "biuf" and plain.ndim == 1:
            return plain
        check_objects(y)
        return y

    def _targets(self, y: np.ndarray, first: bool) -> np.ndarray:
        if first:
            self.classes_ = _classes(y)
        return _class_numbers(self.classes_, y)

    def _weights(self, X: Any, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        weights = super()._weights(X, y, sample_weight)
        if weights is not None and len(np.unique(y[weights > 0])) < 2:
            raise ValueError("the rows with a weight above 0 have only one class")
        if self.class_weight is None:
            return weights
        given = self.class_weight
        present = y if isinstance(given, str) else self.classes_
        of_class = compute_class_weight(given, classes=self.classes_, y=present)
        if not (np.isfinite(of_class) & (of_class >= 0)).all():
            raise ValueError(f"class_weight must be finite and not negative, got {given}")
        of_rows = of_class[_class_numbers(self.classes_, y)]
        return of_rows if weights is None else of_rows * weights


def _classes(y: np.ndarray) -> np.ndarray:
    """Return the classes, sorted."""
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise ValueError(
            "Unknown label type: continuous; y must hold one class per row; to predict numbers "
            "with fractions, use TabularRegressor"
        )
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            f"y has only one class, {classes.tolist()[0]!r}: at least two classes are needed"
        )
    return classes


def _class_numbers(classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the index of each row's class."""
    if (y.dtype.kind in "OU") == (classes.dtype.kind in "OU"):
        numbers = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        if (classes[numbers] == y).all():
            return numbers
    strange = next(value for value in y.tolist() if value not in set(classes.tolist()))
    raise ValueError(
        f"y holds the class {strange!r}, which is not among those of the training rows, {classes}"
    )
