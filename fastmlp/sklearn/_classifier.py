"""MLPClassifier."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import Tags, column_or_1d, compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from fastmlp import losses
from fastmlp.common.rows import Rows
from fastmlp.export import Head
from fastmlp.formulas.functions import logistic
from fastmlp.sklearn import _constraints
from fastmlp.sklearn._base import BaseMLP, has_partial_fit, store
from fastmlp.sklearn._docs import documented
from fastmlp.sklearn._labels import Labels, check_objects
from fastmlp.sklearn._network import Objective
from fastmlp.sklearn._types import MatrixLike, RandomState

__all__ = ["MLPClassifier"]


@documented
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier: scikit-learn's MLPClassifier, trained by fastmlp.

    The arguments up to ``max_fun`` are those of scikit-learn's class of the same name, with the
    same meaning and defaults; those after ``max_fun`` are fastmlp's own. With the same
    ``random_state``, it learns the same weights as scikit-learn, up to rounding.

    Parameters
    ----------
    <arguments that scikit-learn has too>
    class_weight : dict, list of dict or "balanced", optional
        Weight of each class, as elsewhere in scikit-learn; multiplied by the sample weights.
    label_smoothing : float, default 0.0
        s in [0, 1): the target is (1 - s) onehot + s / C; for a logistic output it is
        (1 - s) t + s / 2.
    <arguments that both have besides>

    Attributes
    ----------
    classes_ : numpy.ndarray, shape (C,)
    out_activation_ : str
        ``"softmax"``, or ``"logistic"`` for two classes (one output) and for multilabel targets.
    <attributes of both>

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier
    >>> classifier = MLPClassifier(dropout=0.2, early_stopping=True, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X[:1])
    """

    _parameter_constraints = _constraints.COMMON | {
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(_constraints.Real, 0, 1, closed="left")],
    }

    loss = "log_loss"  # not an argument, but scikit-learn's class has this attribute
    class_weight: Any
    label_smoothing: float
    classes_: np.ndarray
    _labels: Labels

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        normalization: str | None = None,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        restore_best: bool | str = "auto",
        callbacks: Sequence[Any] | None = None,
        time_limit: float | None = None,
        n_threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        store(self, locals())

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on the given rows, continuing from the previous call.

        The optimizer's state and the random state are kept between calls.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
        sample_weight : array_like, shape (N,), optional
        classes : array_like, shape (C,), optional
            All classes; required in the first call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the first call has no classes, a label is not one of them, or the loss diverges.

        """
        if classes is not None:
            check_objects(np.asarray(classes), "classes")
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._labels = Labels(_array(y) if multilabel else self.classes_)
            if len(self._labels.classes) != len(self.classes_):
                raise ValueError(
                    f"classes must name the {len(self._labels.classes)} columns of y, got {classes}"
                )
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the class of each row, shape (N,), or 0/1 labels, shape (N, C)."""
        z = self._outputs(X)  # the largest logit is the largest probability
        return self._labels.decided(z if self.out_activation_ == "softmax" else logistic(z))

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the probability of each of ``classes_``, shape (N, C)."""
        p = self._probabilities(self._outputs(X))
        return np.hstack([1 - p, p]) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Return log-probabilities, shape (N, C), finite even for a probability of 0."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            z -= z.max(axis=1, keepdims=True)
            z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
            return z
        log_p = -np.logaddexp(0, -z)
        return np.hstack([-np.logaddexp(0, z), log_p]) if self.n_outputs_ == 1 else log_p

    def _probabilities(self, z: np.ndarray) -> np.ndarray:
        """Return the outputs z as probabilities; may overwrite z."""
        if self.out_activation_ == "logistic":
            return logistic(z)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def _head(self) -> Head:
        return Head(self.out_activation_, self._labels.probabilities, self.classes_)

    def _check_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        check_objects(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if (first and not incremental) or not hasattr(self, "classes_"):
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
        elif not incremental and not self._labels.multilabel:
            self._check_same_classes(np.unique(y))
        codes = self._labels.codes(y)
        if self._labels.kind == "multiclass":
            return codes
        ones = codes.reshape(len(codes), -1).astype(np.float64)
        return (1 - self.label_smoothing) * ones + self.label_smoothing / 2

    def _check_same_classes(self, found: np.ndarray) -> None:
        if set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {found}"
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
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' needs all rows at once, but partial_fit sees only some: "
                "pass a dict of class -> weight"
            )
        if isinstance(self.class_weight, dict) and not self._labels.multilabel:
            classes = self.classes_  # these rows may not contain all classes
            of_class = compute_class_weight(self.class_weight, classes=classes, y=classes)
            weights = of_class[self._labels.codes(y.reshape(-1))]
        else:
            weights = compute_sample_weight(self.class_weight, y)
        if weights.min() < 0:
            raise ValueError(f"class_weight must not be negative, got {self.class_weight}")
        return weights

    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        if not np.isfinite(outputs).all():
            return np.nan
        if self.out_activation_ == "logistic":
            outputs = logistic(outputs)
        targets = rows.targets if rows.targets.ndim == 1 else rows.targets > 0.5
        decided = self._labels.decided_codes(outputs).reshape(targets.shape)
        right = (decided == targets).reshape(len(rows), -1).all(axis=1)
        return float(np.average(right, weights=rows.weights))

    def _scored(self, y: np.ndarray) -> np.ndarray:
        return self._labels.codes(y) if self._labels.multilabel else y

    def _class_numbers(self, targets: np.ndarray) -> np.ndarray | None:
        """Return each row's class number, or None for multilabel targets."""
        if targets.ndim == 1:
            return targets
        return None if self._labels.multilabel else (targets[:, 0] > 0.5).astype(np.int64)

    def _lacks(self, targets: np.ndarray) -> str:
        numbers = self._class_numbers(targets)
        if numbers is None:
            ones = targets > 0.5
            n = int((ones.all(axis=0) | ~ones.any(axis=0)).sum())
            return f", in which {n} of {ones.shape[1]} labels never differ" if n else ""
        n_found, n_classes = len(np.unique(numbers)), len(self.classes_)
        return f", which have {n_found} of {n_classes} classes" if n_found < n_classes else ""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _array(y: Any) -> Any:
    return y if issparse(y) else np.asarray(y)
