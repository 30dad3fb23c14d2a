"""Validation rows: set aside or passed by the user, scored, and used to choose the best weights."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import get_scorer, mean_poisson_deviance
from sklearn_support import SMALL, assert_same_bits, numbers, three_classes

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_passed_validation_rows_are_not_trained_on():
    X, y = three_classes()
    with_rows = MLPClassifier(**SMALL).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert_same_bits(with_rows, MLPClassifier(**SMALL).fit(X[:200], y[:200]))
    assert len(with_rows.validation_scores_) == len(with_rows.validation_loss_curve_) == 5
    assert with_rows.validation_scores_[-1] == with_rows.score(X[200:], y[200:])
    log_p = with_rows.predict_log_proba(X[200:])
    codes = np.searchsorted(with_rows.classes_, y[200:])
    assert with_rows.validation_loss_curve_[-1] == pytest.approx(
        -log_p[np.arange(100), codes].mean()
    )


def test_passed_validation_rows_stop_training():
    X, y = three_classes()
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 500, "early_stopping": True, "n_iter_no_change": 3}
    ).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert classifier.n_iter_ < 500
    assert classifier.stopped_ == "converged"
    assert classifier.score(X[200:], y[200:]) == classifier.best_validation_score_


def test_validation_rows_without_targets_are_refused():
    X, y = three_classes()
    with pytest.raises(ValueError, match="given together"):
        MLPClassifier().fit(X, y, X_val=X)


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "neg_log_loss"])
def test_any_scorer_stops_training(scoring):
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL | {"early_stopping": True}, scoring=scoring).fit(X, y)
    assert len(classifier.validation_scores_) == 5
    assert classifier.best_validation_score_ == max(classifier.validation_scores_)


def test_a_function_can_be_the_scorer():
    X, y = numbers()
    regressor = MLPRegressor(
        **SMALL | {"early_stopping": True}, scoring=lambda e, X, y: -np.abs(e.predict(X) - y).max()
    ).fit(X, y)
    assert regressor.best_validation_score_ < 0


def test_the_best_weights_can_be_restored_or_not():
    X, y = three_classes()
    arguments = SMALL | {"learning_rate_init": 0.5, "max_iter": 30}
    held_out = {"X_val": X[200:], "y_val": y[200:]}
    best = MLPClassifier(**arguments, restore_best=True).fit(X[:200], y[:200], **held_out)
    last = MLPClassifier(**arguments, restore_best=False).fit(X[:200], y[:200], **held_out)
    assert best.score(X[200:], y[200:]) == max(best.validation_scores_)
    assert last.score(X[200:], y[200:]) == last.validation_scores_[-1]


@pytest.mark.parametrize(
    ("estimator", "scorings"),
    [
        (MLPClassifier, ["f1", "roc_auc", "average_precision", "neg_brier_score", "jaccard"]),
        (MLPRegressor, ["r2", "neg_max_error", "neg_median_absolute_error", "explained_variance"]),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_score_is_the_scorers_value_for_the_result(estimator, scorings, weighted):
    X, y = numbers()
    y = (y > 0).astype(int) if estimator is MLPClassifier else y
    fit = {"sample_weight": np.linspace(0.5, 1.5, 200)} if weighted else {}
    for scoring in scorings:
        fitted = estimator(**SMALL | {"early_stopping": True}, scoring=scoring)
        fitted.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:], **fit)
        found = get_scorer(scoring)(fitted, X[200:], y[200:])
        assert fitted.best_validation_score_ == pytest.approx(found), scoring


def test_a_scorer_gets_the_weights_that_it_takes():
    X, y = three_classes()
    seen = []

    def score(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return estimator.score(X, y, sample_weight)

    weight = np.linspace(0.5, 1.5, len(y))
    arguments = SMALL | {"early_stopping": True}
    classifier = MLPClassifier(**arguments, scoring=score).fit(X, y, sample_weight=weight)
    plain = MLPClassifier(**arguments).fit(X, y, sample_weight=weight)
    assert classifier.validation_scores_ == pytest.approx(plain.validation_scores_)
    assert np.isin(seen[0], weight).all()


def test_validation_rows_have_weights_of_their_own():
    X, y = three_classes()
    weight = np.linspace(0.0, 1.0, 100)
    classifier = MLPClassifier(**SMALL).fit(
        X[:200], y[:200], X_val=X[200:], y_val=y[200:], sample_weight_val=weight
    )
    assert classifier.validation_scores_[-1] == pytest.approx(
        classifier.score(X[200:], y[200:], sample_weight=weight)
    )


def test_class_weights_count_for_validation_rows_too():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, class_weight={"a": 0.0, "b": 0.0}).fit(
        X[:200], y[:200], X_val=X[200:], y_val=y[200:]
    )
    c = y[200:] == "c"
    assert classifier.validation_scores_[-1] == classifier.score(X[200:][c], y[200:][c])


def test_weights_of_no_validation_rows_are_refused():
    X, y = three_classes()
    with pytest.raises(ValueError, match="sample_weight_val needs X_val and y_val"):
        MLPClassifier().fit(X, y, sample_weight_val=np.ones(len(y)))


def test_validation_rows_without_weight_are_refused():
    X, y = three_classes()
    weight = np.zeros(len(y))
    weight[:5] = 1.0
    with pytest.raises(ValueError, match="validation row"):
        MLPClassifier(early_stopping=True, random_state=0).fit(X, y, sample_weight=weight)


def test_training_rows_without_weight_are_refused():
    X, y = three_classes(20)
    weight = np.zeros(20)
    split = MLPClassifier(early_stopping=True, validation_fraction=0.5, random_state=0)
    held_out = []
    split.set_params(scoring=lambda e, X, y: held_out.append(X) or 0.0, max_iter=1).fit(X, y)
    weight[[i for i, row in enumerate(X) if (held_out[0] == row).all(axis=1).any()]] = 1.0
    with pytest.raises(ValueError, match="set aside for validation"):
        split.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("X_val", "y_val"),
    [
        (lambda X: X[:, :3], lambda y: y),
        (lambda X: X * np.nan, lambda y: y),
        (lambda X: X, lambda y: np.where(y == "a", "z", y)),
        (lambda X: X, lambda y: (y == "a").astype(int)),
        (lambda X: X[:5], lambda y: y),
    ],
    ids=["features", "nan", "new class", "another type", "rows"],
)
def test_invalid_validation_rows_are_named(X_val, y_val):
    X, y = three_classes()
    with pytest.raises(ValueError, match="X_val, y_val: "):
        MLPClassifier(**SMALL).fit(X, y, X_val=X_val(X), y_val=y_val(y))


def test_validation_rows_have_as_many_outputs():
    X, y = numbers(n_targets=3)
    with pytest.raises(ValueError, match="X_val, y_val: y must have 3 columns"):
        MLPRegressor(**SMALL).fit(X, y, X_val=X, y_val=y[:, :2])


@pytest.mark.parametrize("scoring", [None, "f1_macro"])
def test_sparse_validation_rows_give_the_results_of_dense_ones(scoring):
    X, y = three_classes()
    arguments = SMALL | {"scoring": scoring}
    dense = MLPClassifier(**arguments).fit(X, y, X_val=X, y_val=y)
    rows = sparse.csr_matrix(X)
    assert MLPClassifier(**arguments).fit(rows, y, X_val=rows, y_val=y).validation_scores_ == (
        dense.validation_scores_
    )


def test_several_labels_are_held_out():
    X, Y = make_multilabel_classification(200, 10, n_classes=4, random_state=0)
    classifier = MLPClassifier(**SMALL, label_smoothing=0.2).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    assert classifier.validation_scores_[-1] == classifier.score(X[:50], Y[:50])


def test_the_validation_loss_of_counts_is_half_their_deviance():
    X, y = numbers()
    counts = np.round(np.exp(y))
    regressor = MLPRegressor("poisson", **SMALL).fit(
        X[:200], counts[:200], X_val=X[200:], y_val=counts[200:]
    )
    deviance = mean_poisson_deviance(counts[200:], regressor.predict(X[200:]))
    assert regressor.validation_loss_curve_[-1] == pytest.approx(deviance / 2)
