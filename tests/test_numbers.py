"""Data frames and object arrays as inputs, labels and targets, and advice if they are invalid."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import losses
from fastmlp.layers import Linear

X, Y = blobs(12, 4, 3)


def fitted(X, y, **options):
    model = fastmlp.Sequential(Linear(4, 3))
    model.fit(X, y, epochs=2, batch_size=4, verbose=False, **options)
    return model


def test_a_frame_with_several_numeric_types_works():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": pandas.Series(list("xyy" * 4))})
    frame = pandas.get_dummies(frame)
    assert set(map(str, frame.dtypes)) == {"float32", "bool"}

    by_frame, by_array = fitted(frame, Y), fitted(frame.astype("float32").to_numpy(), Y)

    np.testing.assert_array_equal(by_frame.theta, by_array.theta)
    np.testing.assert_array_equal(by_frame.predict(frame), by_array.predict(frame))


def test_a_frame_names_the_column_that_holds_a_text():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).astype(object)
    frame.loc[5, "c"] = "green"

    with refused(TypeError, "'green'", "row 5", "'c'", "get_dummies"):
        fitted(frame, Y)


@pytest.mark.parametrize("kind", [float, np.float32, Decimal, Fraction])
def test_an_object_column_of_numbers_works(kind):
    objects = np.array([[kind(float(value)) for value in row] for row in X], dtype=object)

    np.testing.assert_array_equal(fitted(objects, Y).theta, fitted(X, Y).theta)


@pytest.mark.parametrize(
    "labels", [Y.astype(object), [np.int8(y) for y in Y], (Y * 1.0).astype(int)[:, None]]
)
def test_labels_can_be_objects(labels):
    np.testing.assert_array_equal(fitted(X, labels).theta, fitted(X, Y).theta)


ONE_HOT = np.eye(3)[Y]


def argmax(y):
    return "numpy.argmax(y, axis=1)", np.argmax(y, axis=1)


def cast(y):
    return "(y).astype(int)" if isinstance(y, list) else "y.astype(int)", np.array(y).astype(int)


def number(y):
    return "numpy.unique(y, return_inverse=True)[1]", np.unique(y, return_inverse=True)[1]


@pytest.mark.parametrize(
    ("labels", "follow"),
    [
        (ONE_HOT, argmax),
        (ONE_HOT.astype(int), argmax),
        (ONE_HOT.astype(bool), argmax),
        (ONE_HOT.astype(object), argmax),
        (ONE_HOT.tolist(), argmax),
        (0.8 * ONE_HOT + 0.1 * (1 - ONE_HOT), argmax),
        (Y.astype(float), cast),
        (Y.astype(float).astype(object), cast),
        ([float(y) for y in Y], cast),
        (np.array(list("abc"))[Y], number),
        (list("abc" * 4), number),
    ],
)
def test_the_advice_for_other_labels_works(labels, follow):
    advice, followed = follow(labels)

    with refused((TypeError, ValueError), advice):
        fitted(X, labels)

    fitted(X, followed)


def test_labels_that_are_not_classes_suggest_another_loss():
    with refused(TypeError, f"{Y[0] + 0.25} at [0]", "'mse'"):
        fitted(X, Y * 1.0 + 0.25)

    with refused(ValueError, "binary_cross_entropy"):
        fitted(X, np.ones((12, 3)))


def test_a_label_that_is_missing_is_shown():
    with refused(TypeError, "nan at [7]"):
        fitted(X, np.where(np.arange(12) == 7, np.nan, Y))

    with refused(TypeError, "None at [7]"):
        fitted(X, np.where(np.arange(12) == 7, None, Y.astype(object)))


CODED = (X[:, :3] > 0).astype(int)


@pytest.mark.parametrize("code", [2, 7, 255, 2.0, [2, 255, 1]])
def test_nonzero_values_of_multilabel_targets_are_ones(code):
    options = {"loss": "binary_cross_entropy"}
    plain, coded = fitted(X, CODED, **options), fitted(X, CODED * code, **options)

    np.testing.assert_array_equal(coded.theta, plain.theta)
    assert coded.evaluate(X, CODED * code, **options) == plain.evaluate(X, CODED, **options)


def test_one_column_or_one_row_of_codes_is_enough():
    loss = losses.BinaryCrossEntropy()
    z = np.array([[0.5], [-2.0], [1.0]])

    assert loss(z, [0, 255, 0]) == loss(z, [0, 1, 0])
    assert loss(z.T, [[255, 0, 255]]) == loss(z.T, [[1, 0, 1]])


def test_targets_between_0_and_1_are_unchanged():
    z, soft = np.array([[0.5, -1.0]]), np.array([[0.25, 0.9]])

    expected = np.mean(np.log1p(np.exp(z)) - soft * z)

    assert losses.BinaryCrossEntropy()(z, soft) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("targets", "word"),
    [
        (2 * CODED - 1, "> 0).astype(int)"),
        (-CODED, "-1"),
        (CODED + 1, "got 2"),
        (CODED * 1.5, "got 1.5"),
        (np.where(np.arange(12)[:, None] == 4, 3, 2 * CODED), "got 3"),
        (np.full((12, 3), 5), "got 5"),
    ],
)
def test_other_codes_are_refused(targets, word):
    with refused(ValueError, "0 and 1", word):
        fitted(X, targets, loss="binary_cross_entropy")
