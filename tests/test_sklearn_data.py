"""The estimators' input: sparse matrices, dtypes, labels, sample weights; and what they refuse."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn_support import SMALL, assert_same_bits, numbers, three_classes, weights_of

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_input_gives_the_results_of_dense_input(form, solver):
    X, y = three_classes()
    X[np.abs(X) < 0.7] = 0.0
    arguments = SMALL | {"solver": solver}
    a, b = MLPClassifier(**arguments).fit(X, y), MLPClassifier(**arguments).fit(form(X), y)
    assert_same_bits(a, b)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(form(X)))


def test_a_large_sparse_matrix_is_converted_in_parts(monkeypatch):
    X, y = three_classes(1030)
    X[np.abs(X) < 0.7] = 0.0
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    arguments = SMALL | {"batch_size": 50, "early_stopping": True}
    whole = MLPClassifier(**arguments).fit(X, y, sample_weight=weight)
    monkeypatch.setattr("fastmlp.sklearn._data._LARGE", 4 * 80 * 120)
    monkeypatch.setattr("fastmlp.sklearn._minibatches.WINDOW", 80 * 120)
    parts = MLPClassifier(**arguments).fit(sparse.csc_matrix(X), y, sample_weight=weight)
    assert_same_bits(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_


def test_several_labels_at_once():
    X, Y = make_multilabel_classification(200, 10, n_classes=4, random_state=0)
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 100, "learning_rate_init": 0.02, "label_smoothing": 0.1}
    ).fit(X, Y)
    assert classifier.out_activation_ == "logistic"
    assert classifier.predict(X).shape == Y.shape
    assert set(np.unique(classifier.predict(X))) <= {0, 1}
    assert classifier.score(X, Y) > 0.3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_float32_stays_float32(solver):
    X, y = three_classes(dtype=np.float32)
    classifier = MLPClassifier(**SMALL | {"solver": solver}).fit(X, y)
    assert {a.dtype for a in classifier.coefs_ + classifier.intercepts_} == {np.dtype(np.float32)}
    assert classifier.predict_proba(X).dtype == np.float32


def test_the_same_bits_on_any_number_of_threads():
    X, y = three_classes(2000)
    one, two = (
        MLPClassifier((64, 64), max_iter=3, random_state=0, n_threads=n).fit(X, y) for n in (1, 2)
    )
    assert_same_bits(one, two)


def test_a_batch_larger_than_the_data_is_clipped_with_a_warning():
    X, y = three_classes(50)
    with pytest.warns(UserWarning, match="clipped") as caught:
        clipped = MLPClassifier(**SMALL, batch_size=500).fit(X, y)
    assert caught[0].filename == __file__
    assert_same_bits(clipped, MLPClassifier(**SMALL, batch_size=50).fit(X, y))


def test_counts_are_not_negative():
    X, y = numbers()
    with pytest.raises(ValueError, match="at least 0 for the loss 'poisson'"):
        MLPRegressor(loss="poisson").fit(X, y)


def test_targets_are_numbers():
    X, y = numbers()
    with pytest.raises(ValueError, match="y must hold numbers"):
        MLPRegressor().fit(X, y.astype(str))


def test_class_weight_is_sample_weight():
    X, y = three_classes()
    weight = np.where(y == "a", 3.0, 1.0)
    assert_same_bits(
        MLPClassifier(**SMALL, class_weight={"a": 3.0}).fit(X, y),
        MLPClassifier(**SMALL).fit(X, y, sample_weight=weight),
    )


def test_balanced_classes_need_all_rows():
    X, y = three_classes()
    with pytest.raises(ValueError, match="'balanced' needs all rows at once"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))


def test_a_batch_can_lack_a_class_that_has_a_weight():
    X, y = three_classes()
    some = y != "c"
    weighted = MLPClassifier(**SMALL, class_weight={"c": 5.0})
    weighted.partial_fit(X[some], y[some], classes=["a", "b", "c"])
    plain = MLPClassifier(**SMALL).partial_fit(X[some], y[some], classes=["a", "b", "c"])
    np.testing.assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-12)


def test_class_weight_times_sample_weight():
    X, y = three_classes()
    weight = np.linspace(0.5, 1.5, len(y))
    assert_same_bits(
        MLPClassifier(**SMALL, class_weight={"a": 3.0}).fit(X, y, sample_weight=weight),
        MLPClassifier(**SMALL).fit(X, y, sample_weight=np.where(y == "a", 3.0, 1.0) * weight),
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": -1.0}, "class_weight must not be negative"),
        ({"a": 0, "b": 0, "c": 0}, "must not be 0 for every row"),
        ({"z": 1.0}, "not in class_weight"),
    ],
    ids=["negative", "all zero", "unknown"],
)
def test_wrong_class_weights_are_refused(weights, message):
    X, y = three_classes()
    with pytest.raises(ValueError, match=message):
        MLPClassifier(class_weight=weights).fit(X, y)


def test_sample_weights_are_not_negative():
    X, y = three_classes()
    with pytest.raises(ValueError, match="Negative values"):
        MLPClassifier().fit(X, y, sample_weight=-np.ones(len(y)))


def test_rows_without_weight_are_not_learned_from():
    X, y = three_classes(120)
    weight = np.repeat([1.0, 0.0], 60)
    arguments = SMALL | {"shuffle": False, "batch_size": 30, "alpha": 0.0, "solver": "sgd"}
    with_them = MLPClassifier(**arguments, momentum=0.0).fit(X, y, sample_weight=weight)
    without = MLPClassifier(**arguments, momentum=0.0).fit(X[:60], y[:60])
    np.testing.assert_allclose(weights_of(with_them), weights_of(without), rtol=1e-12)


@pytest.mark.parametrize(
    "targets", [lambda X: X[:, 0], lambda X: np.digitize(X[:, :2], [-1, 1])], ids=["numbers", "2-D"]
)
def test_invalid_classes_are_refused(targets):
    X, _ = three_classes()
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X, targets(X))


def test_many_classes_of_few_rows():
    X, _ = three_classes(40)
    y = np.arange(40) % 30
    classifier = MLPClassifier(**SMALL).fit(X, y)
    assert classifier.out_activation_ == "softmax"
    np.testing.assert_array_equal(classifier.classes_, np.arange(30))


def test_sparse_labels_give_the_results_of_dense_labels():
    X, Y = make_multilabel_classification(100, 10, random_state=0)
    arguments = SMALL | {"class_weight": "balanced"}
    assert_same_bits(
        MLPClassifier(**arguments).fit(X, sparse.csr_matrix(Y)),
        MLPClassifier(**arguments).fit(X, Y),
    )


@pytest.mark.parametrize("delta", [1e-42, 1e60])
def test_a_huber_delta_that_float32_does_not_have_is_refused(delta):
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    regressor = MLPRegressor("huber", (4,), huber_delta=delta, max_iter=2)
    with pytest.raises(ValueError, match=r"Huber.* for float32"):
        regressor.fit(X, X[:, 0])
    regressor.fit(X.astype(np.float64), X[:, 0])
