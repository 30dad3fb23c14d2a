"""The classifier."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from fastmlp import losses
from fastmlp.sklearn import _constraints
from fastmlp.sklearn._base import BaseMLP, has_partial_fit, store
from fastmlp.sklearn._data import Rows
from fastmlp.sklearn._network import Objective

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron for classes: scikit-learn's, trained by fastmlp."""

    _parameter_constraints = _constraints.COMMON | {
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(_constraints.Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        class_weight=None,
        label_smoothing=0.0,
        dropout=0.0,
        normalization=None,
        weight_decay=0.01,
        clip_norm=None,
        scoring=None,
        restore_best="auto",
        callbacks=None,
        time_limit=None,
        n_threads=None,
        matmul_precision="highest",
    ):
        store(self, locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the network to rows X of the classes y."""
        return self._fit(X, y, sample_weight, X_val, y_val)

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Learn from each row once more."""
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Return the predicted classes."""
        return self._decide(self._outputs(X))

    def predict_proba(self, X):
        """Return the probability of each class."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            return z
        p = _logistic(z)
        return np.hstack([1 - p, p]) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            z -= z.max(axis=1, keepdims=True)
            z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
            return z
        log_p = -np.logaddexp(0, -z)
        return np.hstack([-np.logaddexp(0, z), log_p]) if self.n_outputs_ == 1 else log_p

    def _decide(self, outputs: np.ndarray) -> np.ndarray:
        """Return the classes that the network's outputs speak for."""
        if self.out_activation_ == "softmax":
            return self.classes_[outputs.argmax(axis=1)]
        p = _logistic(outputs)
        return self._label_binarizer.inverse_transform(p[:, 0] if self.n_outputs_ == 1 else p)

    def _check_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if (first and not incremental) or not hasattr(self, "classes_"):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y), incremental)
        kind = self._label_binarizer.y_type_
        if kind == "multiclass":
            return np.searchsorted(self.classes_, y).astype(np.int64)
        binary = self._label_binarizer.transform(y).astype(np.float64)
        return (1 - self.label_smoothing) * binary + self.label_smoothing / 2

    def _check_classes(self, found: np.ndarray, incremental: bool) -> None:
        if self.warm_start and not incremental:
            if set(found) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {found}"
                )
        elif len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _count_outputs(self, targets: np.ndarray) -> int:
        return len(self.classes_) if targets.ndim == 1 else targets.shape[1]

    def _objective(self, rows: Rows) -> Objective:
        n = self.n_outputs_
        if rows.targets.ndim == 1:
            self.out_activation_ = "softmax"
            return Objective(losses.CrossEntropy(self.label_smoothing))
        self.out_activation_ = "logistic"
        return Objective(losses.BinaryCrossEntropy(), 1.0 / n, n)

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' needs all rows at once, which partial_fit does not see: "
                "pass a dict of class -> weight"
            )
        return compute_sample_weight(self.class_weight, y)

    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        if not np.isfinite(outputs).all():
            return np.nan
        if rows.targets.ndim == 1:
            right = outputs.argmax(axis=1) == rows.targets
        else:
            right = ((outputs > 0) == (rows.targets > 0.5)).all(axis=1)
        return float(np.average(right, weights=rows.weights))

    def _stratify(self, targets: np.ndarray) -> np.ndarray | None:
        """Binary targets alone, as scikit-learn does."""
        if targets.ndim == 1 or targets.shape[1] > 1:
            return None
        return targets > 0.5

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _logistic(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))
