"""Very wide sparse input: memory is proportional to stored values, results equal dense ones."""

import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn_support import SMALL, numbers, three_classes, weights_of

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WIDE = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}


@pytest.fixture
def nothing_is_spread_out(monkeypatch):
    monkeypatch.setattr("fastmlp.sklearn._data._LARGE", 0)
    monkeypatch.setattr("fastmlp.sklearn._sparse.WINDOW", 0)
    monkeypatch.setattr("fastmlp.sklearn._sparse._WIDE", 0)


def hashed(n_rows, n_features=1 << 18, per_row=20):
    """Return rows like a hashing vectorizer's; a dense row would need 2 MB."""
    rng = np.random.default_rng(0)
    n = n_rows * per_row
    values, columns = rng.random(n), rng.integers(0, n_features, n)
    X = sparse.csr_matrix((values, columns, np.arange(0, n + 1, per_row)), (n_rows, n_features))
    return X, np.arange(n_rows) % 2


def peak_bytes(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_size": 400},
        {"early_stopping": True, "validation_fraction": 0.7},
        {"early_stopping": True, "validation_fraction": 0.7, "scoring": "neg_log_loss"},
        {"solver": "lbfgs"},
        {"normalization": "batch", "dropout": 0.5, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_fit_and_predict_need_no_dense_rows(arguments):
    X, y = hashed(400)  # 800 MB as an array
    classifier = MLPClassifier(**WIDE | arguments)
    assert peak_bytes(lambda: classifier.fit(X, y).predict_proba(X)) < 300e6  # lbfgs: 20 gradients


def test_partial_fit_needs_no_dense_rows():
    X, y = hashed(400)
    assert peak_bytes(lambda: MLPRegressor(**WIDE).partial_fit(X, y).predict(X)) < 250e6


def test_passed_validation_rows_stay_sparse():
    X, y = hashed(400)
    arguments = {"X_val": X[100:], "y_val": y[100:]}
    assert peak_bytes(lambda: MLPClassifier(**WIDE).fit(X[:100], y[:100], **arguments)) < 600e6


def test_many_rows_of_medium_width_are_predicted_in_parts():
    X, y = hashed(4000, n_features=20_000)  # 640 MB as an array
    fitted = MLPClassifier(**WIDE).fit(X[:200], y[:200])
    assert peak_bytes(lambda: fitted.predict(X)) < 200e6


def sparse_classes():
    X, y = three_classes(240)
    X[np.abs(X) < 0.7] = 0.0
    return X, y


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"solver": "sgd", "learning_rate_init": 0.05, "alpha": 2.0},
        {"solver": "adamw", "clip_norm": 0.5},
        {"hidden_layer_sizes": (), "batch_size": 50},
        {"hidden_layer_sizes": (9, 5), "activation": "tanh", "dropout": 0.3},
        {"normalization": "batch", "batch_size": 239},
        {"normalization": "layer", "shuffle": False},
        {"early_stopping": True, "scoring": "f1_macro"},
        {"solver": "lbfgs", "alpha": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_learned_like_dense_ones(arguments, weighted, nothing_is_spread_out):
    X, y = sparse_classes()
    weight = np.linspace(0.5, 2.0, len(y)) if weighted else None
    kept, dense = (
        MLPClassifier(**SMALL | arguments).fit(rows, y, sample_weight=weight)
        for rows in (sparse.csr_matrix(X), X)
    )
    np.testing.assert_allclose(weights_of(kept), weights_of(dense), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(kept.loss_curve_, dense.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(
        kept.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X), rtol=1e-7
    )


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_several_targets_are_learned_from_sparse_rows(loss, solver, nothing_is_spread_out):
    X, y = numbers(n_targets=2)
    y, arguments = np.abs(y), SMALL | {"loss": loss, "solver": solver}
    kept, dense = (MLPRegressor(**arguments).fit(rows, y) for rows in (sparse.csc_array(X), X))
    np.testing.assert_allclose(weights_of(kept), weights_of(dense), rtol=1e-8, atol=1e-10)
    assert kept.loss_ == pytest.approx(dense.loss_, rel=1e-9)


def test_float32_sparse_rows_stay_float32(nothing_is_spread_out):
    X, y = sparse_classes()
    rows = sparse.csr_matrix(X.astype(np.float32))
    classifier = MLPClassifier(**SMALL).fit(rows, y)
    assert classifier.coefs_[0].dtype == np.float32
    assert classifier.predict_proba(rows).dtype == np.float32


def test_the_prediction_of_a_row_does_not_depend_on_the_others():
    X, y = hashed(300)
    fitted = MLPClassifier(**WIDE).fit(X[:50], y[:50])
    together = fitted.predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(X[7]), together[7:8])
    np.testing.assert_array_equal(fitted.predict_proba(X[100:]), together[100:])


def test_a_non_finite_loss_ends_training_on_sparse_rows(nothing_is_spread_out):
    X, y = numbers()
    regressor = MLPRegressor(**SMALL | {"solver": "sgd"})
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite"):
        regressor.fit(sparse.csr_matrix(1e200 * X), y)
