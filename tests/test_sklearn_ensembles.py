"""Ensembles of estimators, and predictions for rows that a network was not trained on."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import model_selection
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_support import numbers, three_classes

from fastmlp.sklearn import (
    MLPClassifier,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    MLPRegressor,
    cross_val_predict,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (6,), "max_iter": 6}


def classifiers(n=4, **given):
    return MLPEnsembleClassifier(
        MLPClassifier(**QUICK), n, **{"random_state": 5, "n_jobs": 2} | given
    )


def regressors(n=4, **given):
    return MLPEnsembleRegressor(
        MLPRegressor(**QUICK), n, **{"random_state": 5, "n_jobs": 2} | given
    )


@pytest.mark.parametrize("rows", ["bootstrap", "folds", "all"])
def test_predictions_are_the_mean_of_the_members(rows):
    X, y = three_classes()
    ensemble = classifiers(rows=rows).fit(X, y)
    mean = np.mean([member.predict_proba(X) for member in ensemble.estimators_], axis=0)

    np.testing.assert_array_equal(ensemble.predict_proba(X), mean)
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.classes_[mean.argmax(axis=1)])


@pytest.mark.parametrize("n_targets", [1, 3])
def test_a_regressor_averages_numbers(n_targets):
    X, y = numbers(n_targets=n_targets)
    ensemble = regressors().fit(X, y)

    np.testing.assert_array_equal(
        ensemble.predict(X), np.mean([member.predict(X) for member in ensemble.estimators_], axis=0)
    )
    assert ensemble.predict(X).shape == y.shape


@pytest.mark.parametrize("rows", ["bootstrap", "folds"])
@pytest.mark.parametrize("other", [None, 1, 3])
def test_results_do_not_depend_on_the_number_of_jobs(rows, other):
    X, y = numbers()
    one, another = (regressors(rows=rows, n_jobs=n).fit(X, y) for n in (2, other))

    np.testing.assert_array_equal(one.predict(X), another.predict(X))
    np.testing.assert_array_equal(one.oof_predictions_, another.oof_predictions_)


def test_members_differ_although_the_estimator_has_a_seed():
    X, y = numbers()
    estimator = MLPRegressor(**QUICK, random_state=1)
    ensemble = MLPEnsembleRegressor(estimator, 3, rows="all", random_state=0).fit(X, y)
    predictions = [member.predict(X) for member in ensemble.estimators_]

    assert not np.array_equal(predictions[0], predictions[1])
    assert ensemble.oof_predictions_ is None
    assert ensemble.oof_score_ is None
    assert estimator.get_params()["random_state"] == 1


def test_with_folds_each_row_is_predicted_by_the_member_that_did_not_see_it():
    X, y = load_iris(return_X_y=True)
    ensemble = classifiers(5, rows="folds").fit(X, y)
    of_members = np.array([member.predict_proba(X) for member in ensemble.estimators_])
    found = ensemble.oof_predictions_

    by = [np.flatnonzero((of_members[:, row] == found[row]).all(axis=1)) for row in range(len(X))]
    assert all(len(members) for members in by)
    assert len({int(members[0]) for members in by}) == 5
    assert ensemble.oof_score_ == accuracy_score(y, found.argmax(axis=1))


def test_out_of_bag_rows_are_predicted_by_those_that_did_not_draw_them():
    X, y = numbers(60)
    ensemble = regressors(2).fit(X, y)
    of_members = np.array([member.predict(X) for member in ensemble.estimators_])
    found = ensemble.oof_predictions_
    unseen = np.isnan(found)

    assert 0 < unseen.sum() < len(X)
    for row in np.flatnonzero(~unseen):
        first, second = of_members[:, row]
        assert found[row] in (first, second, (first + second) / 2)
    assert ensemble.oof_score_ == pytest.approx(r2_score(y[~unseen], found[~unseen]))


def test_weights_reach_the_members_and_the_score():
    X, y = three_classes()
    weights = np.linspace(0, 2, len(X))
    ensemble = classifiers(3, rows="folds").fit(X, y, sample_weight=weights)
    plain = classifiers(3, rows="folds").fit(X, y)

    assert not np.array_equal(ensemble.predict_proba(X), plain.predict_proba(X))
    decided = ensemble.classes_[ensemble.oof_predictions_.argmax(axis=1)]
    assert ensemble.oof_score_ == accuracy_score(y, decided, sample_weight=weights)


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_class_that_a_member_has_not_seen_has_probability_zero_there():
    X, y = three_classes(90)
    y[np.flatnonzero(y == "b")[1:]] = "a"
    ensemble = classifiers(3, rows="folds").fit(X, y)
    [lacking] = [member for member in ensemble.estimators_ if len(member.classes_) == 2]

    p = ensemble.predict_proba(X)

    assert p.shape == (90, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    others = [member for member in ensemble.estimators_ if member is not lacking]
    expected = sum(member.predict_proba(X)[:, 1] for member in others) / 3
    np.testing.assert_allclose(p[:, 1], expected)


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_member_that_saw_one_class_predicts_it_for_sure():
    X, _ = numbers(40)
    y = np.zeros(40, int)
    y[7] = 1
    ensemble = classifiers(2, rows="folds").fit(X, y)

    np.testing.assert_allclose(ensemble.predict_proba(X).sum(axis=1), 1)
    assert min(len(member.classes_) for member in ensemble.estimators_) == 1


def test_every_class_is_in_every_bootstrap_sample():
    X, y = three_classes(60)
    y[np.flatnonzero(y == "c")[1:]] = "a"

    ensemble = classifiers(6).fit(X, y)

    assert all(list(member.classes_) == ["a", "b", "c"] for member in ensemble.estimators_)


@pytest.mark.parametrize("rows", ["bootstrap", "folds"])
def test_several_labels(rows):
    X, y = make_multilabel_classification(80, 6, n_classes=3, random_state=1)
    ensemble = classifiers(3, rows=rows).fit(X, y)

    assert ensemble.predict(X).shape == y.shape
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.predict_proba(X) > 0.5)


def test_sparse_rows_give_what_dense_rows_give():
    X, y = three_classes()
    X[X < 0] = 0

    dense, sparse = (classifiers().fit(rows, y).predict_proba(X) for rows in (X, csr_matrix(X)))

    np.testing.assert_array_equal(dense, sparse)


def test_members_that_a_pack_cannot_train_are_fitted_one_by_one():
    X, y = three_classes()
    estimator = MLPClassifier((4,), solver="lbfgs", max_iter=20)

    ensemble = MLPEnsembleClassifier(estimator, 2, random_state=0).fit(X, y)

    assert [member.solver for member in ensemble.estimators_] == ["lbfgs", "lbfgs"]
    assert ensemble.score(X, y) > 0.5


@pytest.mark.parametrize(
    ("ensemble", "words"),
    [
        (MLPEnsembleClassifier(MLPRegressor()), "MLPClassifier"),
        (MLPEnsembleRegressor(MLPClassifier()), "MLPRegressor"),
        (classifiers(1, rows="folds"), "at least 2"),
        (classifiers(rows="some"), "rows"),
        (MLPEnsembleClassifier(MLPClassifier(alpha=-1.0)), "alpha"),
    ],
)
def test_what_cannot_be_trained_is_refused(ensemble, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises((TypeError, ValueError), match=words):
        ensemble.fit(X, y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("scaled", [False, True])
def test_out_of_fold_predictions_are_those_of_scikit_learn(method, scaled):
    X, y = three_classes()
    estimator = MLPClassifier(**QUICK, random_state=2)
    estimator = make_pipeline(StandardScaler(), estimator) if scaled else estimator
    theirs = model_selection.cross_val_predict(estimator, X, y, cv=4, method=method)

    np.testing.assert_array_equal(cross_val_predict(estimator, X, y, cv=4, method=method), theirs)


def test_out_of_fold_predictions_of_numbers_with_weights():
    X, y = load_diabetes(return_X_y=True)
    given = {"cv": 3, "params": {"sample_weight": np.linspace(0, 1, len(X))}}
    estimator = MLPRegressor(**QUICK, random_state=2, early_stopping=True)

    found = cross_val_predict(estimator, X, y, n_jobs=2, **given)

    theirs = model_selection.cross_val_predict(estimator, X, y, **given)
    np.testing.assert_array_equal(found, theirs)


def test_arguments_of_out_of_fold_predictions_are_checked_as_in_scikit_learn():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="method"):
        cross_val_predict(MLPClassifier(), X, y, method="guess")
    with pytest.raises(ValueError, match="alpha"):
        cross_val_predict(MLPClassifier(alpha=-1), X, y)
