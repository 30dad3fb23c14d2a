"""Features with a large mean keep their information; constant ones do not amplify rounding."""

import copy
import pickle

import numpy as np
import pytest
from networks import Identity
from strategies import filled

import fastmlp
from fastmlp import optimizers
from fastmlp.layers import Flatten, Linear, Normalize, ReLU

NOISE = filled((300, 3), "normal", 0)
Y = (NOISE[:, 1] > 0).astype(int)


def offset(mean, std):
    """Return three features, the second with this mean and deviation, and classes by its value."""
    X = NOISE.copy()
    X[:, 1] = mean + std * NOISE[:, 1]
    return X


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def network(X, *between, first=(), dtype="float32"):
    return fastmlp.Sequential(
        *first, Normalize.from_data(X), *between, Linear(3, 16), ReLU(), Linear(16, 2), dtype=dtype
    )


def train(model, X, **options):
    adam = optimizers.Adam(lr=5e-3)
    model.fit(X, Y, epochs=40, batch_size=32, optimizer=adam, verbose=False, **options)
    return model


OFFSETS = [(1.7e9, 60.0), (1.7e18, 3e12), (-4e6, 0.5), (1e12, 1e4), (2**30, 30.0)]


@pytest.mark.parametrize(("mean", "std"), OFFSETS)
@pytest.mark.parametrize("between", [[], [Identity()]], ids=["compiled", "layer by layer"])
@pytest.mark.parametrize("first", [[], [Flatten()]], ids=["", "flatten"])
def test_training_on_raw_rows_equals_training_on_standardised_ones(mean, std, between, first):
    X = offset(mean, std)
    plain = fastmlp.Sequential(Linear(3, 16), ReLU(), Linear(16, 2))
    model = network(X, *copy.deepcopy(between), first=copy.deepcopy(first))
    model.theta = plain.theta

    train(model, X, validation_data=(X, Y))

    train(plain, standardised(X).astype("float32"))
    np.testing.assert_allclose(model.predict(X), plain.predict(standardised(X)), atol=0.02)
    assert model.evaluate(X, Y)[1] > 0.97


@pytest.mark.parametrize("integer", ["int64", "uint64", "int32"])
def test_large_whole_numbers_keep_their_information_too(integer):
    X = np.abs(offset(1.7e9, 60.0)).astype(integer)

    model = train(network(X), X)

    np.testing.assert_array_equal(model.predict(X), model.predict(X.astype(float)))
    assert model.evaluate(X, Y)[1] > 0.9


@pytest.mark.parametrize("mean", [0.0, 3e5, 1.7e9])
def test_both_engines_and_every_number_of_rows_give_the_same(mean):
    X = offset(mean, 60.0)
    compiled, by_layer = network(X), network(X, Identity())
    by_layer.theta = compiled.theta

    outputs = compiled.predict(X)

    np.testing.assert_allclose(by_layer.predict(X), outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(compiled.predict(X[5:6]), outputs[5:6])
    np.testing.assert_array_equal(compiled.predict(np.asfortranarray(X)), outputs)


def test_float32_rows_far_from_zero_are_centred_by_their_own_mean():
    X = offset(1e6, 2.0).astype("float32")
    model = network(X)

    np.testing.assert_allclose(model.predict(X), model.predict(X.astype("float64")), rtol=0, atol=0)
    expected = fastmlp.Sequential(Linear(3, 16), ReLU(), Linear(16, 2))
    expected.theta = model.theta
    scaling = model.layers[0]
    rows = ((X.astype("float64") - scaling.mean) / scaling.std).astype("float32")
    np.testing.assert_allclose(model.predict(X), expected.predict(rows), atol=1e-6)


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_predicts_the_same(duplicate):
    X = offset(1.7e9, 60.0)
    model = network(X)

    np.testing.assert_array_equal(duplicate(model).predict(X), model.predict(X))


def test_a_saved_model_predicts_the_same(tmp_path):
    X = offset(1.7e9, 60.0)
    model = train(network(X), X)

    model.save(tmp_path / "m.safetensors")
    loaded = fastmlp.load(tmp_path / "m.safetensors")

    assert loaded.state["0.mean"].dtype == np.float64
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_another_mean_is_noticed_though_it_changes_how_rows_are_read():
    X = offset(1e9, 50.0)
    model = network(offset(0.0, 1.0))
    near = model.predict(NOISE)

    model.layers[0].state["mean"] = X.mean(axis=0)
    model.layers[0].state["std"] = X.std(axis=0)

    np.testing.assert_allclose(model.predict(X), near, atol=0.2)
    assert model.predict(X).std() > 0.1


def test_numbers_out_of_float32s_range_are_still_refused():
    X = offset(1.7e9, 60.0)
    model = network(X)
    X[4, 0] = 1e300

    with pytest.raises(ValueError, match="finite in float32"):
        model.fit(X, Y, verbose=False)


# Constant features.


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((0.3, 0.1 + 0.2), "float64"),
        ((1e6, np.nextafter(1e6, 2e6)), "float64"),
        ((-7.1, np.nextafter(np.nextafter(-7.1, 0), 0)), "float64"),
        ((0.1, np.nextafter(np.float32(0.1), np.float32(1))), "float32"),
        ((5e-310, 5e-310), "float64"),
        ((0.0, 0.0), "float32"),
    ],
)
def test_a_feature_that_varies_only_by_rounding_is_constant(values, dtype):
    X = np.array(values, dtype)[np.arange(100) % 2][:, None]

    assert Normalize.from_data(X).std == 1.0


@pytest.mark.parametrize(("mean", "std"), [(1.7e9, 60.0), (1.0, 1e-9), (1e15, 40.0), (0.0, 1e-30)])
def test_a_feature_that_varies_by_more_is_not(mean, std):
    X = offset(mean, std)

    assert Normalize.from_data(X).std[1] == pytest.approx(X[:, 1].std())


def test_large_whole_numbers_are_not_amplified_by_being_constant():
    X = np.float64(2**60) + 256 * np.arange(5)[:, None]

    rows = Normalize.from_data(X).forward(X)

    assert np.abs(rows).max() < 3


def test_a_tiny_change_of_a_constant_feature_changes_predictions_little():
    X = offset(0.0, 1.0)
    X[:, 2] = np.where(np.arange(300) % 7 == 0, 0.1 + 0.2, 0.3)
    model, moved = train(network(X), X), X.copy()
    moved[:, 2] = 0.3000001

    np.testing.assert_allclose(model.predict(moved), model.predict(X), atol=1e-4)
