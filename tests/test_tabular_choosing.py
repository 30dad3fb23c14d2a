"""The greedy choice of an ensemble by predictions for held-out rows."""

import numpy as np
import pytest

from fastmlp.tabular.choosing import chosen_weights, weights_of_kinds
from fastmlp.tabular.encoder import Encoded
from fastmlp.tabular.metrics import metric_of
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part

Y = np.array([1.0, 2.0, 4.0, 8.0, 5.0, 3.0])
FOLDS = {0: slice(0, 3), 1: slice(3, 6)}


def rows_of(y, weights=None):
    inputs = Encoded(np.empty((len(y), 0), np.float32), np.empty((len(y), 0), np.int32), ())
    return Rows(inputs, y, weights)


def parts(*turns):
    """Return the parts of networks of these turns, each in the folds that are named."""
    empty = np.empty(0, np.int64)
    return [Part(empty, None, fold, 0, turn) for turn, folds in enumerate(turns) for fold in folds]


def weights_of(turns, errors, y=Y, metric="rmse", classes=False):
    """Return the weight of each network; its predictions are wrong by the errors of its turn."""
    own = parts(*turns)
    found = [y[FOLDS[part.number]] + errors[part.turn][FOLDS[part.number]] for part in own]
    held_out = {number: rows_of(y[rows]) for number, rows in FOLDS.items()}
    return chosen_weights(own, found, held_out, metric_of(metric, classes=classes))


def test_kinds_have_weights_in_inverse_ratio_to_their_squared_errors():
    predicted = [Y + 1.0, Y + 2.0, Y - 3.0, Y + 2.0]  # errors 5 and 4

    weights = weights_of_kinds([0, 1, 0, 1], predicted, [rows_of(Y)] * 4)

    np.testing.assert_allclose(weights, [2 / 9, 2.5 / 9, 2 / 9, 2.5 / 9])


def test_one_more_label_of_each_kind_counts_as_wrong():
    y = np.array([0, 1, 1, 0, 1])
    right = np.eye(2)[y]
    wrong = np.eye(2)[[0, 0, 0, 1, 1]]  # three of five

    weights = weights_of_kinds([0, 1], [right, wrong], [rows_of(y)] * 2)

    np.testing.assert_allclose(weights, [0.8, 0.2])


def test_rows_count_by_their_weight_when_kinds_are_compared():
    weighted = rows_of(Y, np.array([1.0, 0, 0, 0, 0, 3.0]))
    errors = np.array([[2.0, 9, 9, 9, 9, 0], [0, 9, 9, 9, 9, 2.0]])  # 4 of weight 1, and of 3

    weights = weights_of_kinds([0, 1], Y + errors, [weighted] * 2)

    np.testing.assert_allclose(weights, [0.75, 0.25])


def test_a_kind_that_diverged_has_no_weight():
    weights = weights_of_kinds([0, 1], [Y + np.nan, Y + 1.0], [rows_of(Y)] * 2)

    assert weights.tolist() == [0, 1]


@pytest.mark.parametrize("predicted", [Y, Y * np.nan])
def test_kinds_that_cannot_be_compared_have_the_same_weight(predicted):
    weights = weights_of_kinds([1, 0, 1], [predicted] * 3, [rows_of(Y)] * 3)

    np.testing.assert_allclose(weights, 1 / 3)


def test_the_only_good_networks_are_chosen():
    bad, good = np.full(6, 5.0), np.full(6, 0.1)

    weights = weights_of([(0, 1), (0, 1)], [bad, good])

    assert weights.tolist() == [0, 0, 0.5, 0.5]


def test_errors_that_cancel_are_averaged():
    error = np.array([3.0, -2.0, 1.0, 2.0, -1.0, 2.0])

    weights = weights_of([(0, 1), (0, 1)], [error, -error])

    np.testing.assert_allclose(weights, 0.25)


def test_networks_of_one_turn_have_one_weight():
    rng = np.random.default_rng(0)

    weights = weights_of([(0, 1)] * 4, rng.normal(size=(4, 6)))

    by_turn = weights.reshape(4, 2)
    np.testing.assert_array_equal(by_turn[:, 0], by_turn[:, 1])
    assert weights.sum() == pytest.approx(1)


def test_folds_weigh_the_same_if_one_has_more_networks():
    error = np.array([2.0, -2.0, 2.0, -2.0, 2.0, -2.0])

    weights = weights_of([(0, 1), (1,)], [error, -error])

    assert weights.tolist() == [0.5, 0.25, 0.25]


def test_networks_without_finite_predictions_are_left_out():
    weights = weights_of([(0, 1), (0, 1)], [np.full(6, np.nan), np.ones(6)])

    assert weights.tolist() == [0, 0, 0.5, 0.5]


def test_confidence_decides_between_equally_many_right_labels():
    y = np.array([0, 1, 1])
    sure, unsure = np.eye(2)[y] * 0.8 + 0.1, np.eye(2)[y] * 0.2 + 0.4

    weights = chosen_weights(
        [Part(y, None, 0, 0, turn) for turn in (0, 1)],
        [unsure, sure],
        {0: rows_of(y)},
        metric_of("accuracy", classes=True),
    )

    assert weights.tolist() == [0, 1]


def test_rows_of_large_weight_decide():
    y = np.array([0.0, 0.0])
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])

    weights = chosen_weights(
        [Part(np.arange(2), None, 0, 0, turn) for turn in (0, 1)],
        [first, second],
        {0: rows_of(y, np.array([1000.0, 1.0]))},
        metric_of("rmse", classes=False),
    )

    assert weights[1] > 0.9
