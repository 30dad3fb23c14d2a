"""Sequential: its flat store, outputs, gradients, evaluation and summary."""

import copy
import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import architectures, blobs, every_layer, for_reference, targets
from strategies import LOSSES, dtypes, filled, seeds
from tolerance import assert_close, assert_gradient_close

import fastmlp
from fastmlp import losses
from fastmlp.layers import BatchNorm, Dropout, Flatten, Linear, Normalize, ReLU

X, Y = blobs(50, 6, 3)


def small(**options):
    return fastmlp.Sequential(Linear(6, 7), BatchNorm(7), ReLU(), Linear(7, 3), **options)


def test_parameters_are_views_of_one_aligned_array():
    model = small()

    assert model.theta.dtype == np.float32
    assert model.theta.ctypes.data % 64 == 0
    names = ["0.weight", "0.bias", "1.gamma", "1.beta", "3.weight", "3.bias"]
    assert list(model.params) == names
    for array in model.params.values():
        assert np.shares_memory(array, model.theta)
        assert (array.ctypes.data - model.theta.ctypes.data) % (16 * array.itemsize) == 0
    assert model.params["0.weight"] is model.layers[0].params["weight"] or np.shares_memory(
        model.params["0.weight"], model.layers[0].params["weight"]
    )
    assert model.n_parameters == 6 * 7 + 7 + 7 + 7 + 7 * 3 + 3


def test_editing_any_view_changes_predictions():
    for edit in (
        lambda m: m.theta.fill(0.0),
        lambda m: m.params["3.weight"].fill(0.0) or m.params["3.bias"].fill(0.0),
        lambda m: m.layers[3].params.update({"weight": np.zeros((7, 3)), "bias": np.zeros(3)}),
    ):
        model = small()
        model.predict(X)  # anything cached must notice the edit
        edit(model)

        np.testing.assert_array_equal(model.predict(X), 0.0)


def test_the_seed_decides_the_start():
    np.testing.assert_array_equal(small(seed=4).theta, small(seed=4).theta)
    assert not np.array_equal(small(seed=4).theta, small(seed=5).theta)


def test_each_layer_draws_from_the_seed_and_its_index():
    model = small(seed=4)

    for index, layer in ((0, Linear(6, 7)), (3, Linear(7, 3))):
        drawn = layer.draw(np.random.default_rng((4, index)))
        np.testing.assert_array_equal(model.layers[index].weight, drawn["weight"].astype("f4"))


def test_a_standalone_layer_draws_from_its_own_seed():
    drawn = Linear(6, 7).draw(np.random.default_rng(9))

    np.testing.assert_array_equal(Linear(6, 7, seed=9).weight, drawn["weight"])


def test_float32_and_float64_start_alike():
    np.testing.assert_array_equal(
        small(dtype="float64").theta.astype("float32"), small(dtype="float32").theta
    )


@settings(max_examples=60)
@given(architectures(), st.integers(1, 60), dtypes, seeds)
def test_outputs_follow_the_reference_in_inference(architecture, N, dtype, seed):
    D, C, build = architecture
    model = fastmlp.Sequential(*build(), seed=seed, dtype=dtype)
    x = filled((N, D), "normal", seed)

    outputs = model(x.astype(dtype))

    network, params = for_reference(model)
    expected = x
    for i, (kind, argument) in enumerate(network):
        one, own = [(kind, argument)], {}
        if kind == "dropout":
            continue
        if kind == "batchnorm":  # running mean 0 and variance 1 so far
            expected = reference.normalise(expected, 0.0, 1.0, 1e-5)
            continue
        own = {f"0.{n}": params[f"{i}.{n}"] for n in model.layers[i].params}
        expected, _ = reference.forward(one, own, expected)
    assert outputs.dtype == dtype
    assert outputs.shape == (N, C)
    K = len(network) * max([D, *(p.size for p in params.values())])
    assert_close(outputs, expected, K=K, scale=max(1.0, float(np.abs(expected).max())))


@settings(max_examples=60)
@given(architectures(dropout=False), st.sampled_from(list(LOSSES)), dtypes, seeds)
def test_gradients_follow_the_reference(architecture, loss, dtype, seed):
    D, C, build = architecture
    model = fastmlp.Sequential(*build(), seed=seed, dtype=dtype)
    x, y = filled((12, D), "normal", seed), targets(loss, 12, C, seed)
    network, params = for_reference(model)
    parameter = losses.get(loss).parameter

    value, grads = model.loss_and_grads(x.astype(dtype), y, loss=loss, l2=0.01, train=True)

    expected, expected_grads = reference.loss_and_grads(
        network, params, x, y, loss, parameter=parameter, l2=0.01
    )
    K = len(network) * max(p.size for p in params.values())
    size = max(1.0, abs(expected), *(float(np.abs(g).max()) for g in expected_grads.values()))
    assert list(grads) == list(model.params)
    assert_close(value, expected, dtype=dtype, K=K, scale=size)
    for name, gradient in expected_grads.items():
        assert_close(grads[name], gradient, K=K, scale=size)


@pytest.mark.parametrize("train", [False, True])
def test_gradients_are_central_differences(train):
    model = fastmlp.Sequential(
        Linear(6, 5), BatchNorm(5), ReLU(), Linear(5, 3), dtype="float64", seed=2
    )
    weights = np.linspace(0.5, 2.0, 50)

    def value(name, p):
        model.params[name][...] = p
        return model.loss_and_grads(X, Y, l2=0.1, sample_weight=weights, train=train)[0]

    _, grads = model.loss_and_grads(X, Y, l2=0.1, sample_weight=weights, train=train)
    grads = {name: g.copy() for name, g in grads.items()}
    for name, start in {n: p.copy() for n, p in model.params.items()}.items():
        numerical = reference.numerical_gradient(lambda p, name=name: value(name, p), start)
        model.params[name][...] = start
        assert_gradient_close(grads[name], numerical, scale=10.0)


def test_asking_for_gradients_changes_no_parameter():
    model = small()
    before = model.theta.copy()

    model.loss_and_grads(X, Y)

    np.testing.assert_array_equal(model.theta, before)


def test_evaluate_returns_the_loss_and_the_accuracy():
    model = small(dtype="float64")
    outputs = model.predict(X)

    loss, accuracy = model.evaluate(X, Y)

    assert_close(loss, reference.loss("cross_entropy", outputs, Y)[0], K=50 * 3)
    assert accuracy == (outputs.argmax(axis=1) == Y).mean()


def test_evaluate_does_not_depend_on_the_batch_size():
    model = small(dtype="float64")

    whole = model.evaluate(X, Y, batch_size=50)

    for batch_size in (1, 7, 32):
        loss, accuracy = model.evaluate(X, Y, batch_size=batch_size)
        assert_close(loss, whole[0], K=50)
        assert accuracy == whole[1]


def test_regression_has_no_accuracy():
    _, accuracy = small().evaluate(X, targets("mse", 50, 3), loss="mse")

    assert accuracy is None


def test_calling_and_predicting_are_the_same():
    model = small()

    np.testing.assert_array_equal(model(X), model.predict(X))


def test_predicting_does_not_change_dropout_and_statistics():
    model = every_layer(6, 9, 3)
    state = {n: a.copy() for n, a in model.layers[2].state.items()}

    first, second = model.predict(X), model.predict(X)

    np.testing.assert_array_equal(first, second)
    for name, array in state.items():
        np.testing.assert_array_equal(model.layers[2].state[name], array)


def test_one_row_and_many_rows_agree():
    model = every_layer(6, 33, 3)
    rows = np.repeat(X, 200, axis=0)

    outputs = model.predict(rows)

    assert outputs.shape == (10_000, 3)
    np.testing.assert_array_equal(outputs[::200], model.predict(X))
    for i in (0, 17, 49):
        np.testing.assert_array_equal(model.predict(X[i : i + 1])[0], outputs[200 * i])


@pytest.mark.parametrize("source", ["uint8", "int64", "float32", "float64", ">f8"])
def test_raw_inputs_of_any_type(source):
    raw = np.random.default_rng(0).integers(0, 200, (20, 6))
    model = fastmlp.Sequential(Normalize(np.full(6, 99.0), np.full(6, 55.0)), Linear(6, 3))

    outputs = model.predict(raw.astype(source))

    np.testing.assert_array_equal(outputs, model.predict(raw.astype("float32")))


def test_images_are_flattened():
    images = X.reshape(50, 1, 2, 3)
    model = fastmlp.Sequential(Flatten(), Linear(6, 3))

    np.testing.assert_array_equal(model.predict(images), model.predict(X))
    model.fit(images, Y, epochs=1, batch_size=16, verbose=False)
    assert model.loss_and_grads(images, Y)[0] == model.loss_and_grads(X, Y)[0]


def test_summary_names_every_layer_and_counts_parameters(capsys):
    model = every_layer(6, 9, 3)

    model.summary()

    text = capsys.readouterr().out
    for word in ("Normalize", "Linear", "BatchNorm", "ReLU", "Dropout", "LayerNorm"):
        assert word in text
    assert f"{model.n_parameters:,}" in text


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_the_same_network_with_its_own_memory(copied):
    model = every_layer(6, 9, 3)
    model.fit(X, Y, epochs=1, batch_size=16, verbose=False)
    outputs = model.predict(X)

    twin = copied(model)
    model.fit(X, Y, epochs=1, batch_size=16, verbose=False)

    np.testing.assert_array_equal(twin.predict(X), outputs)
    assert not np.shares_memory(twin.theta, model.theta)
    assert np.shares_memory(twin.params["1.weight"], twin.theta)
    assert twin.theta.ctypes.data % 64 == 0


def test_a_layer_with_assigned_values_keeps_them_in_a_network():
    layer = Linear(6, 3)
    layer.params["weight"] = np.ones((6, 3))

    model = fastmlp.Sequential(layer)

    np.testing.assert_array_equal(model.params["0.weight"], 1.0)


def test_dropout_acts_in_training_gradients_only():
    model = fastmlp.Sequential(Dropout(0.5), Linear(6, 3), dtype="float64")

    quiet, _ = model.loss_and_grads(X, Y)
    dropping, _ = model.loss_and_grads(X, Y, train=True)

    assert quiet == model.loss_and_grads(X, Y)[0]
    assert quiet != dropping
