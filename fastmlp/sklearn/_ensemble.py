"""MLPEnsembleClassifier and MLPEnsembleRegressor."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp.export import Exported, Head, Member, Network, mean_of
from fastmlp.sklearn._base import BaseMLP
from fastmlp.sklearn._classifier import MLPClassifier
from fastmlp.sklearn._data import check_dates
from fastmlp.sklearn._docs import documented
from fastmlp.sklearn._labels import Labels
from fastmlp.sklearn._pack import Job, can_pack, completed, n_threads_of
from fastmlp.sklearn._regressor import MLPRegressor
from fastmlp.sklearn._stochastic import Training
from fastmlp.sklearn._types import MatrixLike, RandomState

__all__ = ["MLPEnsembleClassifier", "MLPEnsembleRegressor"]

_FLOATS = (np.float64, np.float32)
_SPARSE = ("csr", "csc")


class _Ensemble(Exported, BaseEstimator):
    """Base class of both ensembles."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [BaseMLP, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "rows": [StrOptions({"bootstrap", "folds", "all"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }
    _default: type[BaseMLP]
    estimators_: list[Any]
    oof_predictions_: np.ndarray | None
    oof_score_: float | None

    def __init__(
        self,
        estimator: Any = None,
        n_members: int = 10,
        *,
        rows: str = "bootstrap",
        random_state: RandomState = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.rows = rows
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)  # members check their own arguments
    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train all members.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        self

        """
        template: Any = self._default() if self.estimator is None else clone(self.estimator)
        if not isinstance(template, self._default):
            raise TypeError(
                f"estimator must be an {self._default.__name__}, got {type(template).__name__}"
            )
        check_dates(X)
        rows, targets = self._validated(
            X, y, multi_output=True, y_numeric=template._numeric_targets
        )
        rows = rows.tocsr() if issparse(rows) else rows
        strata = self._learn_targets(template, targets)
        weights: Any = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, rows, dtype=np.float64, ensure_non_negative=True
            )
        random_state = check_random_state(self.random_state)
        members = []
        for learned, kept in self._row_sets(rows.shape[0], strata, random_state):
            estimator: Any = clone(template)
            estimator.set_params(random_state=random_state.randint(2**31))
            members.append(_Member(estimator, rows, targets, weights, learned, kept))
        self._train(members, rows, targets, weights)
        self.estimators_ = [member.estimator for member in members]
        return self

    def _train(self, members: "list[_Member]", X: Any, y: Any, sample_weight: Any) -> None:
        """Train the members, and average what they predict for rows that they have not seen."""
        total: Any = 0.0
        counts = np.zeros(X.shape[0])
        together = [member for member in members if can_pack(member.estimator)]
        alone = [member for member in members if not can_pack(member.estimator)]
        with closing(completed(together, n_threads_of(self.n_jobs))) as found:
            for member in found:
                member.finish()
        for member in alone:
            member.fit()
        for member in members:  # in order, so that sums are the same in every run
            if len(member.kept):
                of_member = self._averaged(member.estimator, X[member.kept])
                if np.ndim(total) == 0:
                    total = np.zeros((X.shape[0], *of_member.shape[1:]))
                total[member.kept] += of_member
                counts[member.kept] += 1
        self.oof_predictions_ = self.oof_score_ = None
        seen = counts > 0
        if seen.any():
            counts[~seen] = np.nan
            means = self.oof_predictions_ = (total.T / counts).T
            weights = None if sample_weight is None else sample_weight[seen]
            if weights is None or weights.any():
                self.oof_score_ = self._score_of(means[seen], y[seen], weights)

    def _row_sets(
        self, n: int, strata: np.ndarray | None, random_state: np.random.RandomState
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows that each member learns from, and those that it does not see."""
        everything = np.arange(n)
        if self.rows == "folds":
            if self.n_members < 2:
                raise ValueError("rows='folds' needs n_members of at least 2")
            make = KFold if strata is None else StratifiedKFold
            folds = make(self.n_members, shuffle=True, random_state=random_state)
            yield from list(folds.split(np.empty(n), strata))
            return
        groups = [everything] if strata is None else _groups(strata)
        for _ in range(self.n_members):
            if self.rows == "all":
                yield everything, everything[:0]
                continue
            drawn = [group[random_state.randint(len(group), size=len(group))] for group in groups]
            learned = np.sort(np.concatenate(drawn))
            yield learned, np.setdiff1d(everything, learned)

    def _mean(self, X: MatrixLike) -> np.ndarray:
        """Return the mean of what the members predict."""
        check_is_fitted(self)
        check_dates(X)
        rows = self._validated(X, reset=False)
        return np.mean([self._averaged(member, rows) for member in self.estimators_], axis=0)

    def _exported(self) -> Network:
        check_is_fitted(self)
        members = [
            Member(each._network.model, each._head(), self._places(each))
            for each in self.estimators_
        ]
        return mean_of(members, [1 / len(members)] * len(members), self._head())

    def _head(self) -> Head:
        return self.estimators_[0]._head()

    def _places(self, member: Any) -> np.ndarray | None:
        """Return the place of each output among a member's own, -1 where it has none."""
        return None

    def _validated(self, X: Any, *y: Any, **how: Any) -> Any:
        return validate_data(self, X, *y, accept_sparse=_SPARSE, dtype=_FLOATS, order="C", **how)

    def _learn_targets(self, template: Any, y: np.ndarray) -> np.ndarray | None:
        """Check y, set what describes it, and return the class of each row to stratify by."""
        raise NotImplementedError

    def _averaged(self, member: Any, X: Any) -> np.ndarray:
        """Return a member's predictions in the form that is averaged."""
        raise NotImplementedError

    def _score_of(self, mean: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> float:
        """Return the score of mean predictions."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@documented
class MLPEnsembleClassifier(ClassifierMixin, _Ensemble):
    """Several `MLPClassifier`, trained at once, that predict by their mean probabilities.

    Parameters
    ----------
    estimator : MLPClassifier, optional
        What to train. Default: ``MLPClassifier()``.
    <arguments of ensembles>

    Attributes
    ----------
    classes_ : numpy.ndarray, shape (C,)
    <attributes of ensembles>

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier, MLPEnsembleClassifier
    >>> ensemble = MLPEnsembleClassifier(MLPClassifier((64,)), n_members=20, random_state=0)
    >>> ensemble.fit(X, y).oof_score_
    """

    _default = MLPClassifier
    classes_: np.ndarray
    _labels: Labels

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the class of each row, shape (N,), or 0/1 labels, shape (N, C)."""
        return self._decided(self._mean(X))

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the mean probability of each of ``classes_``, shape (N, C)."""
        return self._mean(X)

    def _learn_targets(self, template: Any, y: np.ndarray) -> np.ndarray | None:
        targets = template._check_targets(y, first=True, incremental=False)
        self._labels, self.classes_ = template._labels, template.classes_
        return template._class_numbers(targets)

    def _averaged(self, member: Any, X: Any) -> np.ndarray:
        p = member.predict_proba(X)
        if self._labels.multilabel or len(member.classes_) == len(self.classes_):
            return p
        found = np.zeros((len(p), len(self.classes_)))  # its rows lacked some of the classes
        places = np.searchsorted(self.classes_, member.classes_)
        found[:, places] = p if len(places) > 1 else 1.0
        return found

    def _head(self) -> Head:
        return Head("identity", self._labels.probabilities, self.classes_)

    def _places(self, member: Any) -> np.ndarray | None:
        if self._labels.multilabel or len(member.classes_) == len(self.classes_):
            return None
        places = np.full(len(self.classes_), -1)
        own = np.searchsorted(self.classes_, member.classes_)
        places[own] = np.arange(len(own))
        return places

    def _decided(self, mean: np.ndarray) -> Any:
        return self._labels.decided(mean[:, 1:] if self._labels.kind == "binary" else mean)

    def _score_of(self, mean: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> float:
        return float(accuracy_score(y, self._decided(mean), sample_weight=weights))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@documented
class MLPEnsembleRegressor(RegressorMixin, _Ensemble):
    """Several `MLPRegressor`, trained at once, that predict by their mean.

    Parameters
    ----------
    estimator : MLPRegressor, optional
        What to train. Default: ``MLPRegressor()``.
    <arguments of ensembles>

    Attributes
    ----------
    <attributes of ensembles>

    Examples
    --------
    >>> from fastmlp.sklearn import MLPEnsembleRegressor, MLPRegressor
    >>> ensemble = MLPEnsembleRegressor(MLPRegressor(early_stopping=True), rows="folds")
    >>> ensemble.fit(X, y).predict(X[:1])
    """

    _default = MLPRegressor

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the mean predictions, shape (N,) or (N, C)."""
        return self._mean(X)

    def _learn_targets(self, template: Any, y: np.ndarray) -> None:
        template._check_targets(y, first=True, incremental=False)

    def _averaged(self, member: Any, X: Any) -> np.ndarray:
        return member.predict(X)

    def _score_of(self, mean: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> float:
        return float(r2_score(y, mean, sample_weight=weights)) if len(y) > 1 else np.nan

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _Member(Job):
    """A network of an ensemble, and the rows that it learns from."""

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: np.ndarray,
        sample_weight: Any,
        learned: np.ndarray,
        kept: np.ndarray,
    ):
        super().__init__()
        self.estimator, self.kept = estimator, kept
        self._data = X, y, sample_weight, learned

    def fit(self) -> None:
        """Train this member alone."""
        self.estimator.fit(*self._rows())

    def make(self, n_threads: int, listeners: Sequence[Any]) -> Training:
        return self.estimator._prepared(*self._rows(), n_threads=n_threads, listeners=listeners)

    def _rows(self) -> list[Any]:
        *arrays, learned = self._data
        everything = len(learned) == self._data[0].shape[0] and not len(self.kept)
        return [a if a is None or everything else a[learned] for a in arrays]


def _groups(strata: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each class; a class is then in every bootstrap sample."""
    return [np.flatnonzero(strata == number) for number in np.unique(strata)]
