"""Minibatches of one row in a network with BatchNorm."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn_support import assert_same_bits, numbers, three_classes, weights_of

from fastmlp.layers import BatchNorm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NORMALISED = {
    "hidden_layer_sizes": (16,),
    "normalization": "batch",
    "learning_rate_init": 0.01,
    "max_iter": 40,
    "random_state": 0,
}


def smallest_running_variance(estimator):
    layers = estimator._network.model.layers
    return min(layer.state["running_var"].min() for layer in layers if isinstance(layer, BatchNorm))


@pytest.mark.parametrize(("n_rows", "batch_size"), [(201, "auto"), (65, 32), (101, 100), (31, 2)])
def test_a_left_over_row_joins_the_minibatch_before_it(n_rows, batch_size):
    X, y = numbers(n_rows)
    one_more = MLPRegressor(**NORMALISED, batch_size=batch_size).fit(X, y)
    whole = MLPRegressor(**NORMALISED, batch_size=batch_size).fit(X[:-1], y[:-1])
    assert one_more.score(X, y) > whole.score(X, y) - 0.1
    assert smallest_running_variance(one_more) > 0.5 * smallest_running_variance(whole)


def test_an_epoch_of_a_minibatch_and_one_row_is_one_step():
    X, y = numbers(41)
    arguments = NORMALISED | {"shuffle": False, "max_iter": 6}
    assert_same_bits(
        MLPRegressor(**arguments, batch_size=40).fit(X, y),
        MLPRegressor(**arguments, batch_size=41).fit(X, y),
    )


@pytest.mark.parametrize("normalization", [None, "layer"])
def test_without_batch_statistics_one_row_is_a_minibatch(normalization):
    X, y = numbers(41)
    arguments = NORMALISED | {"normalization": normalization, "max_iter": 1, "shuffle": False}
    regressor = MLPRegressor(**arguments, batch_size=40).fit(X, y)
    apart = MLPRegressor(**arguments).partial_fit(X[:40], y[:40]).partial_fit(X[40:], y[40:])
    np.testing.assert_allclose(weights_of(regressor), weights_of(apart), rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_left_over_large_sparse_row_joins_too(weighted, monkeypatch):
    X, y = three_classes(201)
    X[np.abs(X) < 0.7] = 0.0
    weight = np.linspace(0.5, 1.5, len(X)) if weighted else None
    arguments = NORMALISED | {"max_iter": 3, "batch_size": 50}
    whole = MLPClassifier(**arguments).fit(X, y, sample_weight=weight)
    monkeypatch.setattr("fastmlp.sklearn._data._LARGE", 0)
    monkeypatch.setattr("fastmlp.sklearn._minibatches.WINDOW", 80 * 110)
    parts = MLPClassifier(**arguments).fit(sparse.csr_matrix(X), y, sample_weight=weight)
    assert_same_bits(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_


def test_minibatches_of_one_row_learn_by_the_running_statistics():
    X, y = three_classes(150)
    classifier = MLPClassifier(**NORMALISED, batch_size=1).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert smallest_running_variance(classifier) > 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_row_by_row_learns(dtype):
    X, y = three_classes(400, dtype)
    classifier = MLPClassifier(**NORMALISED)
    for _ in range(3):
        for i in range(len(X)):
            classifier.partial_fit(X[i : i + 1], y[i : i + 1], classes=["a", "b", "c"])
    assert classifier.score(X, y) > 0.8
    assert smallest_running_variance(classifier) > 0.1


def test_rows_after_a_fit_do_not_undo_it():
    X, y = three_classes(400)
    classifier = MLPClassifier(**NORMALISED | {"learning_rate_init": 1e-3}).fit(X[:300], y[:300])
    before = classifier.score(X[:300], y[:300])
    for i in range(300, 400):
        classifier.partial_fit(X[i : i + 1], y[i : i + 1])
    assert classifier.score(X[:300], y[:300]) > before - 0.1


def test_one_row_alone_can_be_learned():
    regressor = MLPRegressor(**NORMALISED | {"max_iter": 300}).fit([[1.0, -2.0]], [0.5])
    assert regressor.predict([[1.0, -2.0]])[0] == pytest.approx(0.5, abs=0.1)
