"""The methods for tables: their inputs, targets, networks and training."""

from types import SimpleNamespace

import numpy as np
import pytest
import reference
from tolerance import assert_close

import fastmlp
from fastmlp.layers import Linear, Tanh
from fastmlp.optimizers import Adam
from fastmlp.tabular import methods
from fastmlp.tabular.methods import Inputs, Targets
from fastmlp.tabular.methods.inputs import one_hot
from fastmlp.tabular.methods.ntk import ntk_linear

ALONE = [name for name in methods.METHODS if name != "pack"]


def encoded(numbers, codes=None, sizes=()):
    """Return encoded rows."""
    numbers = np.asarray(numbers, np.float32)
    codes = np.zeros((len(numbers), 0)) if codes is None else codes
    return SimpleNamespace(numbers=numbers, codes=np.asarray(codes, np.int32), sizes=sizes)


def table(N, n_classes, seed=0):
    """Return encoded rows, with missing values, and targets that follow from them."""
    rng = np.random.default_rng(seed)
    numbers, codes = rng.standard_normal((N, 3)), rng.integers(1, 4, (N, 1))
    score = numbers[:, 0] + np.sin(2 * numbers[:, 1]) + 1.5 * (codes[:, 0] == 2)
    y = np.digitize(score, np.linspace(-0.5, 1.5, n_classes - 1)) if n_classes else 50 * score + 7
    numbers[rng.random(N) < 0.05, 2] = np.nan
    return encoded(numbers, codes, (3,)), y


def clipped(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_numbers_are_scaled_by_their_quartiles_and_clipped():
    x = np.array([0.0, 1.0, 2.0, 3.0, 400.0])

    found = Inputs.fitted(encoded(x[:, None]))(encoded([[2.0], [4.0], [1e9]]))

    assert_close(found[:, 0], [0.0, clipped(1.0), 3.0], scale=3.0)
    assert found.dtype == np.float32


def test_a_number_with_equal_quartiles_is_scaled_by_its_range():
    x = np.array([5.0] * 9 + [13.0])

    found = Inputs.fitted(encoded(x[:, None]))(encoded([[5.0], [13.0]]))

    assert_close(found[:, 0], [0.0, clipped(2.0)], scale=3.0)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("n_rows", [1, 2, 6, 101])
def test_categories_are_scaled_by_the_quartiles_of_their_columns(size, n_rows):
    rng = np.random.default_rng(size)
    codes = np.minimum(rng.integers(0, size + 1, (n_rows, 1)), rng.integers(0, size + 1))
    columns = one_hot(codes[:, 0], size).astype(np.float64)

    inputs = Inputs.fitted(encoded(np.empty((n_rows, 0)), codes, (size,)))

    low, median, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
    spread = np.where(high > low, high - low, np.ptp(columns, axis=0) / 2)
    factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    assert_close(inputs.median, median)
    assert_close(inputs.factor, factor)
    found = inputs(encoded(np.empty((n_rows, 0)), codes, (size,)))
    assert_close(found, clipped((columns - median) * factor), scale=3.0)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_a_constant_number_is_0(value):
    inputs = Inputs.fitted(encoded(np.full((6, 1), value)))

    np.testing.assert_array_equal(inputs(encoded([[value], [3.0], [np.nan]])), np.zeros((3, 1)))


def test_a_missing_number_is_the_median():
    rows = encoded([[1.0], [2.0], [4.0], [np.nan], [8.0], [16.0]])

    found = Inputs.fitted(rows)(encoded([[np.nan], [4.0]]))

    np.testing.assert_array_equal(found, [[0.0], [0.0]])


@pytest.mark.parametrize("size", [3, 5, 9])
def test_a_category_has_a_column_for_each_value(size):
    codes = np.arange(1, size + 1)[:, None].repeat(4, axis=0)
    inputs = Inputs.fitted(encoded(np.zeros((len(codes), 0)), codes, (size,)))

    found = inputs(encoded(np.zeros((3, 0)), [[1], [size], [0]], (size,)))

    assert found.shape == (3, size)
    assert found[0].argmax() == 0
    assert found[1].argmax() == size - 1
    assert (found[2] == found[0, 1]).all()  # missing: as if it were none of them


def test_a_category_of_two_values_is_one_column():
    codes = np.array([1, 2, 1, 2, 1])[:, None]
    inputs = Inputs.fitted(encoded(np.zeros((5, 0)), codes, (2,)))

    found = inputs(encoded(np.zeros((3, 0)), [[1], [2], [0]], (2,)))

    # +1, -1 and 0, less the median 1, over the quartiles' distance 2
    assert_close(found[:, 0], [0.0, clipped(-1.0), clipped(-0.5)], scale=3.0)


def test_a_large_category_may_stay_a_column_of_codes():
    codes = np.array([[1, 3], [2, 1], [3, 2], [9, 0]])
    inputs = Inputs.fitted(encoded(np.ones((4, 1)), codes, (9, 3)), most_one_hot=8)

    found = inputs(encoded(np.ones((4, 1)), codes, (9, 3)))

    assert inputs.embedded == (9,)
    assert (inputs.n_scaled, found.shape) == (4, (4, 5))
    np.testing.assert_array_equal(found[:, -1], [1, 2, 3, 9])


def test_codes_are_row_numbers_of_one_table():
    codes = np.array([[1, 2, 5], [0, 1, 0]])
    inputs = Inputs.fitted(encoded(np.ones((2, 1)), codes, (9, 3, 20)), most_one_hot=8)

    found = inputs(encoded(np.ones((2, 1)), codes, (9, 3, 20)))

    np.testing.assert_array_equal(found[:, -2:], [[1, 15], [0, 10]])
    assert inputs.n_embedded == 31


@pytest.mark.parametrize("most", [None, 8])
def test_inputs_are_restored_from_their_arrays(most):
    rows, _ = table(40, 0)
    inputs = Inputs.fitted(rows, most)

    again = Inputs.restored(inputs.arrays())

    np.testing.assert_array_equal(again(rows), inputs(rows))
    assert all(array.dtype == np.float64 for array in inputs.arrays().values())


def test_numbers_are_standardised_and_turned_back():
    y = np.array([10.0, 20.0, 60.0])
    targets = Targets.fitted(y, 0)

    z = targets.encode(y)

    assert_close(z.mean(), 0.0, dtype="float32", scale=1.0)
    assert_close(z.std(), 1.0, dtype="float32", scale=1.0)
    assert_close(targets.decode(z), y, dtype="float32")


def test_predicted_numbers_may_be_kept_in_the_range_of_the_targets():
    targets = Targets.fitted(np.array([10.0, 20.0, 60.0]), 0, clamp=True)

    np.testing.assert_array_equal(targets.decode(np.array([[-9.0], [9.0]])), [10.0, 60.0])


def test_a_constant_target_is_predicted():
    targets = Targets.fitted(np.full(5, 3.5), 0)

    np.testing.assert_array_equal(targets.decode(targets.encode(np.full(2, 3.5))), [3.5, 3.5])


def test_classes_become_probabilities():
    z = np.array([[0.0, 1.0, -2.0], [800.0, 0.0, 0.0]])

    assert_close(Targets.fitted(np.arange(3), 3).decode(z), reference.softmax(z))


@pytest.mark.parametrize("width", [1, 7, 100])
def test_ntk_layers_train_as_the_form_with_the_divisor(width):
    rng = np.random.default_rng(width)
    weight, bias = rng.standard_normal((width, 8)), rng.standard_normal(8)
    head = rng.standard_normal((8, 1))
    X, y = rng.standard_normal((64, width)), rng.standard_normal((64, 1))
    model = fastmlp.Sequential(
        ntk_linear(weight, bias), Tanh(), ntk_linear(head, np.zeros(1)), dtype="float64"
    )

    model.fit(
        X, y, loss="mse", optimizer=Adam(0.03, eps=0.01), epochs=5, batch_size=64, verbose=False
    )

    params = {"W": weight, "b": bias, "V": head, "c": np.zeros(1)}
    states = {name: {} for name in params}
    for t in range(1, 6):
        hidden = np.tanh(X @ params["W"] / np.sqrt(width) + params["b"])
        dz = 2 * (hidden @ params["V"] / np.sqrt(8) + params["c"] - y) / len(X)
        dh = dz @ params["V"].T / np.sqrt(8) * (1 - hidden**2)
        grads = {
            "W": X.T @ dh / np.sqrt(width), "b": dh.sum(0), "V": hidden.T @ dz / np.sqrt(8),
            "c": dz.sum(0),
        }  # fmt: skip
        for name in params:
            lr = 0.03 * (0.1 if name in "bc" else 1.0)
            params[name] = reference.update(
                "adam", params[name], grads[name], states[name], t=t, lr=lr, eps=0.01
            )
    assert_close(model.params["0.weight"] * np.sqrt(width), params["W"], K=5000, scale=1.0)
    assert_close(model.params["0.bias"], params["b"], K=5000, scale=1.0)
    assert_close(model.params["2.bias"], params["c"], K=5000, scale=1.0)


def start(recipe):
    """Return the first predictions of a recipe's network."""
    return recipe.model.params[f"{len(recipe.model.layers) - 1}.weight"]


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_realmlp_td_s_starts_at_0_with_a_compiled_network(n_classes):
    rows, y = table(60, n_classes)

    recipe = methods.prepare("realmlp-td-s", rows, y, n_classes=n_classes)

    assert recipe.model.has_plan
    assert not start(recipe).any()
    assert recipe.model.layers[0].factors["scale"]["rate"] == 6.0
    widths = [layer.out_features for layer in recipe.model.layers if isinstance(layer, Linear)]
    assert widths == [256, 256, 256, max(1, n_classes)]


@pytest.mark.parametrize("method", ALONE)
@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_every_method_learns(method, n_classes):
    n_rows, epochs, batch = 1000, 24, 256
    if method == "tabm-mini":  # its steps are larger
        n_rows, epochs, batch = 250, 10, 64
    rows, y = table(n_rows, n_classes)
    rows_val, y_val = table(200, n_classes, seed=1)

    recipe = methods.prepare(method, rows, y, n_classes=n_classes, seed=3)
    history = recipe.train(rows, y, rows_val, y_val, epochs=epochs, batch_size=batch)

    predicted = recipe.predict(rows_val)
    assert history.best_epoch is not None
    if n_classes:
        assert_close(predicted.sum(axis=1), np.ones(200))
        assert (predicted.argmax(axis=1) == y_val).mean() > 0.7
    else:
        assert np.square(predicted - y_val).mean() < 0.5 * y_val.var()


@pytest.mark.parametrize(
    ("method", "n_classes", "column", "best"),
    [
        ("realmlp-td-s", 3, "val_loss", np.min),
        ("realmlp-td", 2, "val_loss", np.min),
        ("realmlp-td", 0, "val_loss", np.min),
        ("tabm-mini", 2, "val_accuracy", np.max),
    ],
)
def test_the_loss_decides_among_the_epochs_of_a_schedule(method, n_classes, column, best):
    rows, y = table(120, n_classes)
    rows_val, y_val = table(40, n_classes, seed=1)

    recipe = methods.prepare(method, rows, y, n_classes=n_classes, seed=3)
    history = recipe.train(rows, y, rows_val, y_val, epochs=12, batch_size=40)

    last = np.flatnonzero(history[column] == best(history[column]))[-1]
    assert history.best_epoch == last


@pytest.mark.parametrize("method", ALONE)
def test_the_same_seed_gives_the_same_predictions(method):
    rows, y = table(80, 2)

    def predictions(seed):
        recipe = methods.prepare(method, rows, y, n_classes=2, seed=seed)
        recipe.train(rows, y, epochs=2)
        return recipe.predict(rows)

    np.testing.assert_array_equal(predictions(4), predictions(4))
    assert not np.array_equal(predictions(4), predictions(5))


def test_an_unknown_method_is_refused():
    rows, y = table(20, 2)

    with pytest.raises(ValueError, match="realmlp-td-s"):
        methods.prepare("realmlp-tds", rows, y, n_classes=2)


def test_networks_of_a_pack_differ_by_their_number():
    rows, y = table(60, 2)

    models = [
        methods.prepare("pack", rows, y, n_classes=2, seed=3, number=n).model for n in range(12)
    ]

    assert len({repr(model) for model in models}) > 8
    assert len({methods.described(number) for number in range(12)}) == 12


@pytest.mark.parametrize(("n_rows", "patience"), [(90, 200), (700, 67), (3300, 16)])
def test_plain_networks_wait_for_enough_steps(n_rows, patience):
    rows, y = table(n_rows, 0)

    recipe = methods.prepare("pack", rows, y, number=1)

    assert recipe.patience == patience


@pytest.mark.parametrize("n_classes", [0, 4])
def test_mixed_networks_are_a_realmlp_and_a_plain_one_by_turns(n_classes):
    rows, y = table(70, n_classes)

    def model(method, number):
        recipe = methods.prepare(method, rows, y, n_classes=n_classes, seed=2, number=number)
        return recipe.model

    for number in range(5):
        np.testing.assert_array_equal(model("mixed", number).theta, model("pack", number % 2).theta)
    np.testing.assert_array_equal(model("mixed", 0).theta, model("realmlp-td", 0).theta)


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_number_stands_for_the_same_settings_whatever_the_seed(number):
    rows, y = table(60, 3)

    models = [
        methods.prepare("pack", rows, y, n_classes=3, seed=seed, number=number).model
        for seed in (0, 7)
    ]

    assert repr(models[0]) == repr(models[1])
    assert not np.array_equal(models[0].theta, models[1].theta)


@pytest.mark.parametrize("n_classes", [0, 3])
def test_the_plain_networks_of_a_pack_learn_too(n_classes):
    rows, y = table(400, n_classes)
    rows_val, y_val = table(150, n_classes, seed=1)

    recipe = methods.prepare("pack", rows, y, n_classes=n_classes, seed=2, number=1)
    recipe.train(rows, y, rows_val, y_val, epochs=24, batch_size=128)

    predicted = recipe.predict(rows_val)
    if n_classes:
        assert (predicted.argmax(axis=1) == y_val).mean() > 0.7
    else:
        assert np.square(predicted - y_val).mean() < 0.5 * y_val.var()
