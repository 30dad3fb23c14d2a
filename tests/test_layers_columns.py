"""Layers for the columns of tables against the reference: scales, embeddings, mixed activations."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from networks import ACTIVATION_LAYERS, Identity, blobs
from sentences import refused
from strategies import columns, dtypes, filled, matrices, rows, seeds
from tolerance import assert_close

import fastmlp
from fastmlp import layers, schedules
from fastmlp.layers import Dropout, Linear

ALPHAS = {"leaky_relu": 0.01, "elu": 1.0}


def run(layer, x, dy, dtype):
    """Return y, dx and the gradients of the parameters."""
    y = layer.forward(x.astype(dtype), train=True)
    dx = layer.backward(dy.astype(dtype))
    assert y.dtype == dx.dtype == dtype
    return y, dx, layer.grads


@given(matrices(), seeds, dtypes)
def test_scale(x, seed, dtype):
    N, D = x.shape
    factors, dy = filled((D,), "normal", seed), filled((N, D), "normal", seed + 1)
    layer = layers.Scale(D)
    layer.params["scale"] = factors

    y, dx, grads = run(layer, x, dy, dtype)

    expected_dx, dfactors = reference.scale_backward(dy, x, factors)
    assert_close(y, reference.scale(x, factors))
    assert_close(dx, expected_dx)
    assert_close(grads["scale"], dfactors, K=N, scale=np.abs(dy).max() * np.abs(x).max())


@pytest.mark.parametrize("kind", ACTIVATION_LAYERS)
@given(matrices(), seeds, dtypes)
def test_parametric_activation(kind, x, seed, dtype):
    N, D = x.shape
    mixing, dy = filled((D,), "normal", seed), filled((N, D), "normal", seed + 1)
    layer = layers.ParametricActivation(D, kind)
    layer.params["mixing"] = mixing

    y, dx, grads = run(layer, x, dy, dtype)

    activated = reference.activation(kind, x, ALPHAS.get(kind, 0.0))
    slope = reference.activation_derivative(kind, x, ALPHAS.get(kind, 0.0))
    expected_dx, dmixing = reference.mix_backward(dy, x, activated, slope, mixing)
    size = np.maximum(1.0, np.abs(x)) * np.maximum(1.0, np.abs(mixing))
    assert_close(y, reference.mix(x, activated, mixing), scale=2 * size)
    assert_close(dx, expected_dx, scale=4 * np.abs(dy) * np.maximum(1.0, np.abs(mixing)))
    assert_close(grads["mixing"], dmixing, K=N, scale=2 * np.abs(dy).max() * np.abs(x).max() + 1)


def test_a_parametric_activation_starts_as_the_activation():
    x = filled((9, 5), "normal", 0)

    y = layers.ParametricActivation(5, "selu").forward(x)

    assert_close(y, layers.SELU().forward(x))


@given(rows, st.integers(0, 9), st.integers(1, 4), columns, st.integers(1, 9), seeds, dtypes)
def test_embedding(N, n_plain, n_codes, n_values, width, seed, dtype):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_values, (N, n_codes))
    x = np.concatenate([filled((N, n_plain), "normal", seed), codes], axis=1)
    dy = filled((N, n_plain + n_codes * width), "normal", seed + 1)
    layer = layers.Embedding(n_plain + n_codes, n_codes, n_values, width)
    table = layer.params["table"] = filled((n_values, width), "normal", seed + 2)

    y, dx, grads = run(layer, x, dy, dtype)

    expected_dx, dtable = reference.embedding_backward(dy, x, table, n_codes)
    np.testing.assert_array_equal(y, reference.embedding(x, table, n_codes))
    np.testing.assert_array_equal(dx, expected_dx)
    assert_close(grads["table"], dtable, K=N * n_codes, scale=np.abs(dy).max())


@pytest.mark.parametrize("code", [-1.0, 3.0, 1e30, -1e30, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_no_row_number_counts_as_0(code, compiled):
    layer = layers.Embedding(1, 1, 3, width=2)
    predict = fastmlp.Sequential(layer).predict if compiled else layer.forward

    np.testing.assert_array_equal(predict(np.array([[code]])), predict(np.array([[0.0]])))


@given(
    rows, st.integers(1, 6), st.integers(0, 3), columns, st.integers(1, 5), seeds, dtypes,
)  # fmt: skip
def test_periodic_embedding(N, n_numbers, n_plain, n_waves, n_made, seed, dtype):
    D = n_numbers + n_plain
    x, dy = filled((N, D), "normal", seed), filled((N, D + n_numbers * n_made), "normal", seed + 1)
    layer = layers.PeriodicEmbedding(D, n_numbers, n_waves, n_made)
    weight = filled(layer.params["weight"].shape, "normal", seed + 2)
    layer.params["weight"] = weight

    y, dx, grads = run(layer, x, dy, dtype)

    expected_dx, dweight = reference.periodic_backward(dy, x, weight, n_waves, n_made)
    # an angle of size a has an error of about a eps, and so have its sine and cosine
    angle = 1 + 2 * np.pi * np.abs(x).max() * np.abs(weight).max()
    w, g = max(1.0, np.abs(weight).max()), np.abs(dy).max()
    assert_close(y, reference.periodic(x, weight, n_waves, n_made), K=n_waves, scale=w * angle)
    pull = n_made * w * g * angle
    assert_close(dx, expected_dx, K=n_waves, scale=2 * np.pi * w * pull)
    assert_close(grads["weight"], dweight, K=N, scale=2 * np.pi * pull * max(1.0, np.abs(x).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_waves", [5, 150])
def test_a_row_is_embedded_alike_alone_and_among_others(n_waves, dtype):
    layer = layers.PeriodicEmbedding(6, 5, n_waves, n_made=2, sigma=1.0)
    x = filled((150, 6), "normal", 0).astype(dtype)

    together = layer.forward(x)

    for n in (1, 7, 8, 9, 63, 64, 65, 73):
        np.testing.assert_array_equal(layer.forward(x[:n]), together[:n])


def test_the_first_waves_are_slow_and_their_phases_whole_circles():
    layer = layers.PeriodicEmbedding(200, 200, n_waves=16, n_made=3, sigma=0.1)
    w1, b1, rest = np.split(layer.weight, [16, 32], axis=1)

    assert 0.09 < w1.std() < 0.11
    assert -np.pi <= b1.min() < -3
    assert 3 < b1.max() <= np.pi
    assert rest.shape == (200, 3 * 17)
    assert 0.24 < np.abs(rest).max() <= 0.25


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.Embedding(3, 4, 9), "n_codes"),
        (lambda: layers.Embedding(3, 0, 9), "n_codes"),
        (lambda: layers.PeriodicEmbedding(3, 4), "n_numbers"),
        (lambda: layers.PeriodicEmbedding(3, 2, sigma=0), "sigma"),
        (lambda: layers.ParametricActivation(3, "sellu"), "selu"),
    ],
)
def test_wrong_arguments_are_refused(make, said):
    with refused((TypeError, ValueError), said):
        make()


def every_column_layer(*last, dtype="float64"):
    return fastmlp.Sequential(
        layers.PeriodicEmbedding(7, 4, n_waves=5),
        layers.Embedding(19, 2, 9, width=3),
        layers.Scale(23),
        Linear(23, 16),
        layers.ParametricActivation(16, "mish"),
        Dropout(0.3),
        Linear(16, 9),
        layers.ParametricActivation(9, "selu"),
        Linear(9, 3),
        *last,
        dtype=dtype,
        seed=3,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_from_its_file(dtype, tmp_path):
    model = every_column_layer(dtype=dtype)
    X, _ = table_rows(20)

    model.save(tmp_path / "model.safetensors")
    again = fastmlp.load(tmp_path / "model.safetensors")

    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def table_rows(N):
    X, y = blobs(N, 7, 3)
    rng = np.random.default_rng(4)
    X[:, 5:] = rng.integers(0, [4, 9], (N, 2))
    return X, y


def fit(model, **options):
    X, y = table_rows(90)
    return model.fit(X, y, epochs=3, **{"batch_size": 32, "verbose": False} | options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_engines_agree(dtype):
    compiled, layerwise = (
        every_column_layer(dtype=dtype),
        every_column_layer(Identity(), dtype=dtype),
    )

    fit(compiled, optimizer="adam"), fit(layerwise, optimizer="adam")

    assert compiled.has_plan
    assert_close(compiled.theta, layerwise.theta, K=5000, scale=1.0)
    X, _ = table_rows(50)
    assert_close(compiled.predict(X), layerwise.predict(X), K=5000, scale=10.0)


@pytest.mark.parametrize("batch_size", [32, 75])
@pytest.mark.parametrize("precision", ["highest", "high"])
def test_any_number_of_threads_gives_the_same_bits(batch_size, precision, monkeypatch):
    options = {"batch_size": batch_size, "matmul_precision": precision}
    monkeypatch.setattr("fastmlp.engine.lowering._FLOPS_WORTH_A_THREAD", 1)
    one, three = every_column_layer(dtype="float32"), every_column_layer(dtype="float32")

    fit(one, n_threads=1, **options), fit(three, n_threads=3, **options)

    np.testing.assert_array_equal(one.theta, three.theta)


def test_a_large_table_is_updated_in_pieces():
    models = [
        fastmlp.Sequential(
            layers.Embedding(2, 2, 5000, width=4), Linear(8, 3), *last, dtype="float64"
        )
        for last in ([], [Identity()])
    ]
    X = np.random.default_rng(0).integers(0, 5000, (200, 2)).astype(float)
    y = (X[:, 0] % 3).astype(int)

    for model in models:
        model.fit(X, y, epochs=2, batch_size=64, optimizer="adam", verbose=False)

    assert_close(models[0].theta, models[1].theta, K=2000, scale=1.0)


@pytest.mark.parametrize("last", [[], [Identity()]], ids=["compiled", "layer by layer"])
def test_a_fade_of_0_is_no_dropout_and_no_decay(last):
    model, plain = every_column_layer(*last), every_column_layer(*last)
    for layer in plain.layers:
        if isinstance(layer, Dropout):
            layer.p = 0.0

    fit(model, optimizer=fastmlp.AdamW(weight_decay=0.5), fade=schedules.Constant(0.0))
    fit(plain, optimizer=fastmlp.AdamW(weight_decay=0.0))

    np.testing.assert_array_equal(model.theta, plain.theta)


@pytest.mark.parametrize("last", [[], [Identity()]], ids=["compiled", "layer by layer"])
def test_a_constant_fade_is_a_smaller_dropout_and_decay(last):
    model, plain = every_column_layer(*last), every_column_layer(*last)
    for layer in plain.layers:
        if isinstance(layer, Dropout):
            layer.p = 0.15

    fit(model, optimizer=fastmlp.AdamW(weight_decay=0.5), fade=schedules.Constant(0.5))
    fit(plain, optimizer=fastmlp.AdamW(weight_decay=0.25))

    np.testing.assert_array_equal(model.theta, plain.theta)


def test_both_engines_fade_alike():
    compiled, layerwise = every_column_layer(), every_column_layer(Identity())
    for model in (compiled, layerwise):
        fit(model, optimizer=fastmlp.AdamW(weight_decay=0.5), fade=schedules.FlatCos(0.9))

    assert_close(compiled.theta, layerwise.theta, K=5000, scale=1.0)
    assert all(layer.fade == 1.0 for layer in layerwise.layers[:-1])


@pytest.mark.parametrize("fade", [schedules.Constant(1.5), -0.5, "flat"])
def test_a_fade_is_a_schedule_of_factors_from_0_to_1(fade):
    with refused((TypeError, ValueError), "fade"):
        fit(every_column_layer(), fade=fade)
