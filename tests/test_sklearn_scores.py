"""NaN scores, validation rows that a scorer cannot work with, and R2 of constants."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network as theirs
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn_support import SMALL, assert_same_bits, numbers, three_classes

from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn._data import r2

STOPPING = SMALL | {"early_stopping": True, "n_iter_no_change": 2}
ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def always_nan(estimator, X, y):
    return np.nan


@pytest.mark.filterwarnings("ignore:scoring=", "ignore:Stochastic Optimizer")
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_with_no_finite_score_the_last_weights_stay(value):
    X, y = three_classes()
    arguments = STOPPING | {"scoring": lambda estimator, X, y: value, "n_iter_no_change": 100}
    with pytest.warns(ConvergenceWarning, match="validation score was never a finite number"):
        stopped = MLPClassifier(**arguments).fit(X, y)
    plain = MLPClassifier(**STOPPING | {"restore_best": False, "n_iter_no_change": 100}).fit(X, y)
    assert_same_bits(stopped, plain)


@ignore_convergence
@pytest.mark.filterwarnings("ignore:scoring=")
def test_a_nan_score_is_no_progress():
    X, y = three_classes()
    arguments = STOPPING | {"max_iter": 50, "n_iter_no_change": 4}
    classifier = MLPClassifier(**arguments, scoring=always_nan).fit(X, y)
    assert classifier.n_iter_ == 5
    assert classifier.stopped_ == "converged"


@ignore_convergence
def test_an_occasional_nan_score_is_never_the_best():
    X, y = three_classes()
    scores = iter(
        [0.0, np.nan, 0.7, np.nan, np.nan, 0.1]
    )  # the first one is for the trial before training
    arguments = SMALL | {"early_stopping": True, "n_iter_no_change": 100}
    classifier = MLPClassifier(**arguments, scoring=lambda e, X, y: next(scores)).fit(X, y)
    assert classifier.best_validation_score_ == 0.7
    second = MLPClassifier(**arguments | {"max_iter": 2}, restore_best=False).fit(X, y)
    assert_same_bits(classifier, second)


@ignore_convergence
def test_better_weights_of_an_earlier_fit_are_kept():
    X, y = three_classes()
    classifier = MLPClassifier(**STOPPING, warm_start=True, scoring=lambda e, X, y: 0.9).fit(X, y)
    before = MLPClassifier(**STOPPING, scoring=lambda e, X, y: 0.9).fit(X, y)
    classifier.set_params(scoring=lambda e, X, y: 0.5).fit(X, y)
    assert_same_bits(classifier, before)


@ignore_convergence
def test_a_nan_score_is_reported_before_training():
    X, y = three_classes()
    began = []

    class Note:
        def on_train_begin(self, info):
            began.append(len(caught))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(**STOPPING, scoring=always_nan, callbacks=[Note()]).fit(X, y)
    assert "is NaN on the 30 validation rows" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert began == [1]


@ignore_convergence
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_class_missing_in_passed_validation_rows_is_named_before_training():
    X, y = three_classes()
    y = y == "a"
    with pytest.warns(UserWarning, match="'roc_auc' is NaN .* which have 1 of 2 classes"):
        MLPClassifier(**STOPPING, scoring="roc_auc").fit(X, y, X_val=X[y][:20], y_val=y[y][:20])


def test_a_scorer_that_fails_is_one_sentence_before_training():
    X, y = three_classes()
    some = y != "c"
    with pytest.raises(ValueError, match=r"cannot score .* which have 2 of 3 classes .*: raise"):
        MLPClassifier(**STOPPING, scoring="roc_auc_ovr").fit(X, y, X_val=X[some], y_val=y[some])


@ignore_convergence
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_constant_label_is_counted():
    X, Y = make_multilabel_classification(100, 6, n_classes=3, random_state=0)
    Y[:, 1] = 0
    with pytest.warns(UserWarning, match="in which 1 of 3 labels never differ"):
        MLPClassifier(**STOPPING, scoring="roc_auc").fit(X, Y)


def held_out_classes(y, **arguments):
    """Return the classes of the rows that early stopping sets aside, and of the others."""
    X = np.arange(len(y), dtype=float)[:, None]
    seen = []
    arguments = {"max_iter": 1, "random_state": 0, "early_stopping": True} | arguments

    def score(estimator, X, y):
        seen.append((X[:, 0].astype(int), y))
        return 0.0

    MLPClassifier((2,), scoring=score, **arguments).fit(X, y)
    rows, labels = seen[0]
    return labels, np.delete(y, rows)


@ignore_convergence
@pytest.mark.parametrize("n_classes", [2, 3, 7, 12])
@pytest.mark.parametrize("seed", range(4))
def test_each_class_is_on_both_sides(n_classes, seed):
    y = np.zeros(200, int)
    y[: 2 * n_classes] = np.repeat(np.arange(n_classes), 2)
    y = np.random.default_rng(seed).permutation(y)
    kept, learned = held_out_classes(y, random_state=seed)
    assert set(kept) == set(learned) == set(range(n_classes))
    assert len(kept) == 20


@ignore_convergence
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("others", [["b"], ["b", "c"]])
def test_the_only_row_of_a_class_is_a_training_row(others, seed):
    y = np.array(["rare"] + [*others] * 20)
    kept, learned = held_out_classes(y, random_state=seed)
    assert "rare" in learned
    assert set(kept) == set(others)


@ignore_convergence
def test_fewer_validation_rows_than_classes_have_different_classes():
    y = np.repeat(np.arange(10), 4)
    kept, learned = held_out_classes(y, validation_fraction=0.1)
    assert len(set(kept)) == len(kept) == 4
    assert set(learned) == set(range(10))


@ignore_convergence
def test_without_missing_classes_rows_are_split_as_in_scikit_learn():
    X, y = three_classes()
    arguments = STOPPING | {"epsilon": 1e-20}
    a, b = theirs.MLPClassifier(**arguments).fit(X, y), MLPClassifier(**arguments).fit(X, y)
    assert b.validation_scores_ == pytest.approx(a.validation_scores_)
    np.testing.assert_allclose(b.coefs_[0], a.coefs_[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("value", [0.1, -7.3, 1e6 + 0.1, 1e-300, 1e100, 0.0])
@pytest.mark.parametrize("n", [3, 30, 1001])
def test_r2_of_a_constant_is_one_or_zero(value, n):
    targets = np.full((n, 1), value)
    missed = targets + max(0.5, abs(value))
    assert r2(targets, targets, None) == 1.0
    assert r2(targets, missed, None) == 0.0
    assert r2(targets, missed, np.linspace(0.1, 1.0, n)) == 0.0


def test_r2_of_a_target_that_varies_little_is_scikit_learns():
    rng = np.random.default_rng(0)
    targets = 1e6 + 0.1 * rng.normal(size=(50, 2))
    predictions = targets + 0.01 * rng.normal(size=(50, 2))
    assert r2(targets, predictions, None) == pytest.approx(r2_score(targets, predictions))


def test_rows_of_weight_zero_do_not_make_a_target_vary():
    targets = np.array([[0.1], [0.1], [0.1], [5.0]])
    assert r2(targets, targets + 1.0, np.array([1.0, 2.0, 3.0, 0.0])) == 0.0


@ignore_convergence
def test_targets_are_scored_before_they_are_rounded():
    X, _ = numbers(200)
    y = 1e6 + 0.1 * X[:, 0]  # float32's spacing is 0.06 here
    seen = []
    arguments = SMALL | {"early_stopping": True, "max_iter": 1}
    regressor = MLPRegressor(**arguments)
    regressor.set_params(scoring=lambda e, X, y: seen.append((X, y)) or 0.0)
    regressor.fit(X.astype(np.float32), y)
    rows, targets = seen[-1]
    plain = MLPRegressor(**arguments, restore_best=False).fit(X.astype(np.float32), y)
    expected = r2_score(targets, plain.predict(rows))
    assert plain.validation_scores_[0] == pytest.approx(expected, rel=1e-9)
    assert set(targets) <= set(y)


@ignore_convergence
def test_lbfgs_learns_targets_of_a_large_offset_from_float32_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)).astype(np.float32)
    y = 1e6 + 0.1 * X[:, 0].astype(float)
    arguments = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0.0, "max_iter": 1}
    single, double = (
        MLPRegressor(**arguments, random_state=0).fit(rows, y) for rows in (X, X.astype(float))
    )
    assert single.loss_ == pytest.approx(double.loss_, rel=1e-12)
