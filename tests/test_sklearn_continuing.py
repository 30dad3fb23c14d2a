"""Continued training: warm_start, partial_fit, and pickling in between."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn_support import SMALL, assert_same_bits, numbers, three_classes, weights_of

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    "arguments",
    [
        {"solver": "adam"},
        {"solver": "adamw", "dropout": 0.3},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
        {"normalization": "batch"},
    ],
    ids=str,
)
def test_n_calls_of_one_epoch_equal_one_call_of_n_epochs(arguments):
    X, y = three_classes()
    once = MLPClassifier(**SMALL | arguments).fit(X, y)
    warm = MLPClassifier(**SMALL | arguments | {"max_iter": 1, "warm_start": True})
    partial = MLPClassifier(**SMALL | arguments)
    for _ in range(once.n_iter_):
        warm.fit(X, y)
        partial.partial_fit(X, y, classes=np.unique(y))
    for stepwise in (warm, partial):
        assert_same_bits(stepwise, once)
        np.testing.assert_array_equal(stepwise.loss_curve_, once.loss_curve_)
        assert stepwise.t_ == once.t_
        assert stepwise.best_loss_ == once.best_loss_


def test_a_regressor_continues_after_pickling():
    X, y = numbers(n_targets=2)
    once = MLPRegressor(**SMALL).fit(X, y)
    stepwise = MLPRegressor(**SMALL)
    for _ in range(5):
        stepwise = pickle.loads(pickle.dumps(stepwise.partial_fit(X, y)))
    assert_same_bits(stepwise, once)


def test_early_stopping_keeps_its_validation_rows_when_continuing():
    X, y = three_classes()
    arguments = SMALL | {"early_stopping": True, "restore_best": False}
    once = MLPClassifier(**arguments).fit(X, y)
    stepwise = MLPClassifier(**arguments | {"max_iter": 1, "warm_start": True})
    for _ in range(5):
        stepwise.fit(X, y)
    assert_same_bits(stepwise, once)
    assert stepwise.validation_scores_ == once.validation_scores_


def test_fit_without_warm_start_starts_over():
    X, y = three_classes()
    again = MLPClassifier(**SMALL).fit(X, y).fit(X, y)
    assert_same_bits(again, MLPClassifier(**SMALL).fit(X, y))


def test_partial_fit_takes_batches_without_all_classes():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL)
    for label in ("a", "b", "c"):
        classifier.partial_fit(X[y == label], y[y == label], classes=["a", "b", "c"])
    assert list(classifier.classes_) == ["a", "b", "c"]
    assert classifier.predict_proba(X).shape == (len(X), 3)
    with pytest.raises(ValueError, match="classes not in"):
        classifier.partial_fit(X, np.full(len(X), "d"))


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPRegressor(solver="adamw"), "partial_fit")


def test_a_different_network_is_not_continued():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="training continues a network of"):
        classifier.set_params(hidden_layer_sizes=(5,)).fit(X, y)


def test_warm_start_refuses_other_classes():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="same classes as in the previous"):
        classifier.fit(X, np.where(y == "a", "z", y))


def test_early_stopping_can_be_turned_off_between_fits():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, early_stopping=True, warm_start=True).fit(X, y)
    classifier.set_params(early_stopping=False).fit(X, y)
    assert classifier.best_loss_ == min(classifier.loss_curve_[5:])


@pytest.mark.parametrize("name", ["sample_weight", "class_weight", "validation", "several labels"])
def test_what_is_given_to_each_epoch_is_given_to_all(name):
    X, y = three_classes()
    fit, arguments = {}, SMALL | {"restore_best": False}
    if name == "sample_weight":
        fit["sample_weight"] = np.linspace(0.0, 2.0, len(y))
    elif name == "class_weight":
        arguments["class_weight"] = {"b": 4.0}
    elif name == "validation":
        fit |= {"X_val": X[:50], "y_val": y[:50]}
    else:
        y = np.column_stack([y == "a", X[:, 0] > 0]).astype(int)
    once = MLPClassifier(**arguments).fit(X, y, **fit)
    stepwise = MLPClassifier(**arguments | {"max_iter": 1, "warm_start": True})
    for _ in range(5):
        stepwise.fit(X, y, **fit)
    assert_same_bits(stepwise, once)
    assert stepwise.loss_curve_ == once.loss_curve_
    assert stepwise.validation_scores_ == once.validation_scores_


@given(
    loss=st.sampled_from(["squared_error", "absolute_error", "huber", "quantile", "poisson"]),
    n_rows=st.integers(20, 150),
    batch_size=st.sampled_from(["auto", 7, 16]),
    early_stopping=st.booleans(),
    weighted=st.booleans(),
)
def test_a_regressor_continues(loss, n_rows, batch_size, early_stopping, weighted):
    X, y = numbers(n_rows)
    fit = {"sample_weight": np.linspace(0.5, 1.5, n_rows)} if weighted else {}
    arguments = SMALL | {"early_stopping": early_stopping, "restore_best": False}
    arguments["batch_size"] = batch_size
    once = MLPRegressor(loss, **arguments).fit(X, np.exp(y), **fit)
    stepwise = MLPRegressor(loss, **arguments | {"max_iter": 1, "warm_start": True})
    for _ in range(5):
        stepwise.fit(X, np.exp(y), **fit)
    assert_same_bits(stepwise, once)
    assert stepwise.loss_curve_ == once.loss_curve_


def test_a_copy_continues_independently():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL).partial_fit(X, y)
    before = weights_of(regressor).copy()
    other = copy.deepcopy(regressor).partial_fit(X, y)
    np.testing.assert_array_equal(weights_of(regressor), before)
    assert_same_bits(regressor.partial_fit(X, y), other)


def test_sparse_rows_continue_like_dense_ones():
    X, y = numbers()
    X[np.abs(X) < 0.7] = 0.0
    once = MLPRegressor(**SMALL).fit(X, y)
    stepwise = MLPRegressor(**SMALL)
    for _ in range(5):
        stepwise.partial_fit(sparse.csr_matrix(X), y)
    assert_same_bits(stepwise, once)


def test_a_different_number_of_labels_is_not_continued():
    X, y = three_classes()
    labels = np.column_stack([y == "a", y == "b", X[:, 0] > 0]).astype(int)
    classifier = MLPClassifier(**SMALL).partial_fit(X, labels, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="a column of 0 and 1 for each of 3 labels"):
        classifier.partial_fit(X, labels[:, :2])


def test_classes_name_the_labels():
    X, y = three_classes()
    labels = np.column_stack([y == "a", y == "b", X[:, 0] > 0]).astype(int)
    with pytest.raises(ValueError, match="classes must name the 3 columns"):
        MLPClassifier(**SMALL).partial_fit(X, labels, classes=[0, 1])


def test_labels_of_another_type_are_not_continued():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL).partial_fit(X, y, classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="classes not in"):
        classifier.partial_fit(X, np.searchsorted(["a", "b", "c"], y))
