"""Forms of labels: which are accepted, and which are refused with advice that works."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn import neural_network as theirs
from sklearn.datasets import make_multilabel_classification
from sklearn_support import SMALL, assert_same_bits, three_classes

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@cache
def made():
    return make_multilabel_classification(120, 8, n_classes=3, random_state=1)


def several_labels():
    """Return rows and their labels; making them takes longer than a test."""
    X, Y = made()
    return X.copy(), Y.copy()


@pytest.mark.parametrize("one", [3, 100, -1, True], ids=repr)
def test_nonzero_values_are_labels(one):
    X, Y = several_labels()
    coded = MLPClassifier(**SMALL).fit(X, Y * np.array(one))
    plain = MLPClassifier(**SMALL).fit(X, Y)
    assert_same_bits(coded, plain)
    assert coded.loss_ == plain.loss_ > 0
    np.testing.assert_array_equal(coded.predict(X), plain.predict(X))


def test_coded_labels_are_learned_as_in_scikit_learn():
    X, Y = several_labels()
    ours = MLPClassifier(**SMALL, epsilon=1e-20).fit(X, 7 * Y)
    other = theirs.MLPClassifier(**SMALL, epsilon=1e-20).fit(X, 7 * Y)
    assert ours.loss_ == pytest.approx(other.loss_, rel=1e-9)


def test_coded_sparse_labels_give_the_results_of_dense_ones():
    X, Y = several_labels()
    assert_same_bits(
        MLPClassifier(**SMALL).fit(X, sparse.csr_matrix(4 * Y)), MLPClassifier(**SMALL).fit(X, Y)
    )


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_macro"])
def test_coded_labels_are_scored_as_labels(scoring):
    X, Y = several_labels()
    arguments = SMALL | {"early_stopping": True, "scoring": scoring}
    coded, plain = (MLPClassifier(**arguments).fit(X, y) for y in (9 * Y, Y))
    assert coded.validation_scores_ == plain.validation_scores_


@pytest.mark.parametrize(("absent", "present"), [(-1, 1), (1, 2), (-3, 5)])
def test_two_nonzero_values_are_refused(absent, present):
    X, Y = several_labels()
    y = np.where(Y, present, absent)
    with pytest.raises(ValueError, match=f"0 if a row does not .* got {absent} and {present}"):
        MLPClassifier().fit(X, y)


def test_the_advice_for_two_such_values_works():
    X, Y = several_labels()
    y = 2 * Y - 1
    with pytest.raises(ValueError, match=r"pass \(y > 0\)\.astype\(int\)"):
        MLPClassifier().fit(X, y)
    assert_same_bits(
        MLPClassifier(**SMALL).fit(X, (y > 0).astype(int)), MLPClassifier(**SMALL).fit(X, Y)
    )


@pytest.mark.parametrize("cast", ["int", "bool", "float"])
def test_numbers_as_objects_are_refused_with_a_cast_that_works(cast):
    X, y = three_classes(60)
    y = (y == "a").astype(cast).astype(object)
    with pytest.raises(ValueError, match=rf"pass y\.astype\({cast}\)"):
        MLPClassifier().fit(X, y)
    MLPClassifier(**SMALL).fit(X, y.astype(cast))


def test_text_among_numbers_is_refused_with_a_cast_that_works():
    X, _ = three_classes(60)
    y = np.array([5, "six", 7.5] * 20, dtype=object)
    with pytest.raises(ValueError, match=r"text and numbers .* pass y\.astype\(str\)"):
        MLPClassifier().fit(X, y)
    assert list(MLPClassifier(**SMALL).fit(X, y.astype(str)).classes_) == ["5", "7.5", "six"]


def test_a_missing_label_is_refused_with_its_place():
    X, _ = three_classes(60)
    y = np.array(["yes", "no", "no", None, "yes"] * 12, dtype=object)
    with pytest.raises(ValueError, match=r"y has no label \(None\) at \[3\]"):
        MLPClassifier().fit(X, y)


def test_objects_are_refused_when_continuing_too():
    X, y = three_classes(60)
    y = (y == "a").astype(int)
    classifier = MLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"pass y\.astype\(int\)"):
        classifier.partial_fit(X, y.astype(object))
    with pytest.raises(ValueError, match=r"pass y\.astype\(int\)"):
        classifier.set_params(warm_start=True).fit(X, y.astype(object))


def test_classes_as_objects_are_refused_too():
    X, y = three_classes(60)
    with pytest.raises(ValueError, match=r"classes holds numbers .* pass classes\.astype\(int\)"):
        MLPClassifier().partial_fit(X, y == "a", classes=np.array([0, 1], dtype=object))
    with pytest.raises(ValueError, match=r"classes has no label \(None\) at \[2\]"):
        MLPClassifier().partial_fit(X, y, classes=["a", "b", None])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_hot_labels_of_any_dtype_are_labels(dtype):
    X, y = three_classes()
    one_hot = (y[:, None] == np.unique(y)).astype(dtype)
    assert_same_bits(
        MLPClassifier(**SMALL).fit(X, one_hot), MLPClassifier(**SMALL).fit(X, one_hot.astype(int))
    )


def test_class_probabilities_are_refused_with_advice_that_works():
    X, y = three_classes()
    shares = 0.9 * (y[:, None] == np.unique(y)) + 0.1 / 3
    with pytest.raises(ValueError, match=r"pass y\.argmax\(axis=1\)"):
        MLPClassifier().fit(X, shares)
    assert MLPClassifier(**SMALL).fit(X, shares.argmax(axis=1)).score(X, shares.argmax(axis=1)) > 0


def test_numbers_with_fractions_are_for_the_regressor():
    X, _ = three_classes()
    with pytest.raises(ValueError, match="use MLPRegressor"):
        MLPClassifier().fit(X, X[:, 0])


def test_objects_that_are_numbers_are_features_and_targets():
    X, _ = three_classes()
    assert_same_bits(
        MLPRegressor(**SMALL).fit(X.astype(object), X[:, 0].astype(object)),
        MLPRegressor(**SMALL).fit(X, X[:, 0]),
    )


def test_indicator_columns_and_numbers_are_features():
    pandas = pytest.importorskip("pandas")
    X, y = three_classes()
    frame = pandas.get_dummies(pandas.DataFrame({"size": X[:, 0], "colour": y}))
    assert_same_bits(
        MLPClassifier(**SMALL).fit(frame, y),
        MLPClassifier(**SMALL).fit(frame.to_numpy(dtype=float), y),
    )


def dates(n, missing):
    days = np.datetime64("2021-03-01") + np.arange(n)
    days[missing] = np.datetime64("NaT")
    return days[:, None]


def test_a_missing_date_is_refused():
    with pytest.raises(ValueError, match=r"X lacks a date \(NaT\)"):
        MLPClassifier().fit(dates(30, 7), np.arange(30) % 2)


@pytest.mark.parametrize(
    "change",
    [lambda days: days, lambda days: days - days[0], lambda days: days.dt.tz_localize("UTC")],
    ids=["dates", "differences", "dates of a zone"],
)
def test_a_missing_date_in_a_frame_is_refused_with_its_column(change):
    pandas = pytest.importorskip("pandas")
    days = pandas.Series(dates(30, 7)[:, 0].astype("M8[ns]"))
    frame = pandas.DataFrame({"when": change(days)})
    with pytest.raises(ValueError, match="X lacks a date in column 'when'"):
        MLPRegressor().fit(frame, np.arange(30.0))


def test_predict_refuses_a_missing_date():
    fitted = MLPClassifier(**SMALL).fit(np.arange(30.0)[:, None], np.arange(30) % 2)
    with pytest.raises(ValueError, match="X lacks a date"):
        fitted.predict(dates(5, 2))


def test_dates_together_with_numbers_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": np.arange(30.0), "when": dates(30, [])[:, 0]})
    with pytest.raises(TypeError, match="column 'when' has dates"):
        MLPClassifier().fit(frame, np.arange(30) % 2)
