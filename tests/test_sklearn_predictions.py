"""The predictions of a fitted estimator, and its weights."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn_support import SMALL, numbers, three_classes

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@given(
    width=st.integers(1, 40),
    n_classes=st.sampled_from([2, 3, 17]),
    dtype=st.sampled_from(["float32", "float64"]),
    normalization=st.sampled_from([None, "batch", "layer"]),
)
def test_a_row_alone_is_predicted_as_in_a_batch(width, n_classes, dtype, normalization):
    rng = np.random.default_rng(width)
    X = rng.normal(0, 3, (70, 5)).astype(dtype)
    y = rng.permutation(np.arange(70) % n_classes)
    classifier = MLPClassifier(
        (width,), max_iter=1, random_state=0, normalization=normalization
    ).fit(X, y)
    for method in (classifier.predict, classifier.predict_proba, classifier.predict_log_proba):
        together = method(X)
        for i in range(len(X)):
            np.testing.assert_array_equal(method(X[i : i + 1])[0], together[i])


def test_predicted_numbers_of_one_row_equal_those_in_a_batch():
    X, y = numbers(n_targets=3)
    regressor = MLPRegressor(**SMALL).fit(X, y)
    together = regressor.predict(X)
    assert together.shape == (300, 3)
    for i in range(0, 300, 7):
        np.testing.assert_array_equal(regressor.predict(X[i : i + 1])[0], together[i])


def test_log_probabilities_stay_finite_where_probabilities_vanish():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL).fit(X, y)
    log_p = classifier.predict_log_proba(1e4 * X)
    assert np.isfinite(log_p).all()
    assert classifier.predict_proba(1e4 * X).min() == 0.0
    np.testing.assert_allclose(
        classifier.predict_log_proba(X), np.log(classifier.predict_proba(X)), rtol=1e-12
    )


def test_weights_can_be_edited_and_assigned():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL).fit(X, y)
    regressor.coefs_[1][...] = 0.0
    regressor.intercepts_ = [np.zeros(16), [2.5]]
    np.testing.assert_array_equal(regressor.predict(X), np.full(300, 2.5))


def test_there_are_no_weights_before_fit():
    assert not hasattr(MLPClassifier(), "coefs_")
    with pytest.raises(AttributeError, match="before fit"):
        MLPRegressor().coefs_ = [np.zeros((2, 2))]


def test_sparse_rows_are_predicted_in_parts():
    X, y = three_classes(5000)
    classifier = MLPClassifier(**SMALL).fit(X[:300], y[:300])
    np.testing.assert_array_equal(
        classifier.predict_proba(sparse.csr_matrix(X)), classifier.predict_proba(X)
    )


def test_sparse_labels_come_back_sparse():
    X, Y = make_multilabel_classification(100, 10, random_state=0)
    classifier = MLPClassifier(**SMALL).fit(X, sparse.csr_matrix(Y))
    assert sparse.issparse(classifier.predict(X))


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(lambda y: y == "a", "b"), (lambda y: np.where(y == "a", 2.0, 1.0), "f"), (list, "U")],
    ids=["bool", "float", "list"],
)
def test_classes_keep_their_type(targets, kind):
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL).fit(X.tolist(), targets(y))
    assert classifier.predict(X.tolist()).dtype.kind == kind


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_labels_of_one_row_equal_those_in_a_batch(form):
    X, y = make_multilabel_classification(60, 10, random_state=0)
    classifier = MLPClassifier(**SMALL).fit(X, y)
    together = classifier.predict_proba(form(X))
    for i in range(len(X)):
        np.testing.assert_array_equal(classifier.predict_proba(form(X[i : i + 1]))[0], together[i])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_large_batch_is_predicted_as_small_ones(n_threads):
    X, y = numbers(2000)
    regressor = MLPRegressor(
        "poisson", (256, 64), max_iter=1, random_state=0, n_threads=n_threads
    ).fit(X, np.exp(y))
    together = regressor.predict(X)
    apart = [regressor.predict(X[i : i + 37]) for i in range(0, len(X), 37)]
    np.testing.assert_array_equal(np.concatenate(apart), together)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_predicted_class_is_the_most_probable(n_classes):
    X, y = three_classes()
    y = np.where((n_classes == 2) & (y == "c"), "a", y)
    classifier = MLPClassifier(**SMALL).fit(X, y)
    most_probable = classifier.classes_[classifier.predict_proba(X).argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(X), most_probable)


def test_one_array_of_weights_can_be_assigned():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL).fit(X, y)
    regressor.coefs_[-1] = np.zeros((16, 1))
    regressor.intercepts_[1] = [2.5]
    np.testing.assert_array_equal(regressor.predict(X), np.full(300, 2.5))


def test_weights_of_another_shape_are_refused():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="expected arrays of the network's shapes"):
        regressor.coefs_[0] = np.zeros(16)
    with pytest.raises(ValueError, match="expected arrays of the network's shapes"):
        regressor.intercepts_ = [np.zeros(16)]


def test_predict_refuses_none():
    X, y = numbers()
    with pytest.raises(ValueError, match="Expected 2D array"):
        MLPRegressor(**SMALL).fit(X, y).predict(None)


def test_a_refused_fit_leaves_the_estimator_unfitted():
    X, _ = numbers()
    classifier = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier.fit(X, X[:, 0])
    with pytest.raises(NotFittedError):
        classifier.predict(X)
