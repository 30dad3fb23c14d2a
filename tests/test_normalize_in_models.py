"""A Normalize in front of a network, in any form: every prediction uses its current values."""

import numpy as np
import pytest
from networks import Identity
from tolerance import assert_close

import fastmlp
from fastmlp.layers import Linear, Normalize, ReLU

RNG = np.random.default_rng(3)
X = RNG.standard_normal((400, 21)).astype("float32") * 30 + 500
SCALINGS = {
    "numbers": (500.0, 30.0),
    "0-d arrays": (np.array(480), np.array(25.0)),
    "one mean, many deviations": (510, RNG.uniform(10, 40, 21)),
    "a number for each feature": (RNG.uniform(400, 600, 21), RNG.uniform(10, 40, 21)),
}


def network(scaling, *own):
    return fastmlp.Sequential(
        Normalize(*scaling), Linear(21, 90), ReLU(), Linear(90, 70), ReLU(), Linear(70, 4), *own
    )


@pytest.mark.parametrize("scaling", SCALINGS.values(), ids=SCALINGS)
def test_a_row_alone_and_among_others_has_the_same_bits(scaling):
    model = network(scaling)

    together = model.predict(X)

    for i in (0, 7, 399):
        np.testing.assert_array_equal(model.predict(X[i : i + 1])[0], together[i])


@pytest.mark.parametrize("scaling", SCALINGS.values(), ids=SCALINGS)
def test_both_engines_agree(scaling):
    outputs, expected = network(scaling).predict(X), network(scaling, Identity()).predict(X)

    assert_close(outputs, expected, K=3 * 90, scale=max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("n_rows", [1, 5, 400])
@pytest.mark.parametrize("name", ["mean", "std"])
def test_an_edit_in_place_is_noticed_by_the_next_prediction(name, n_rows):
    scaling = {"mean": np.full(21, 450.0), "std": np.full(21, 20.0)}
    model = network(scaling.values())
    for warm in (1, 400):
        model.predict(X[:warm])

    model.layers[0].state[name][4:6] += 5.0
    scaling[name][4:6] += 5.0

    expected = network(scaling.values()).predict(X[:n_rows])
    np.testing.assert_array_equal(model.predict(X[:n_rows]), expected)


def test_scalars_work_for_rows_of_any_width():
    model = fastmlp.Sequential(Normalize(2, 4), ReLU())

    for width in (3, 8, 1):
        rows = X[:2, :width]
        assert_close(model.predict(rows), np.maximum(0, (rows - 2) / 4), scale=200.0)
