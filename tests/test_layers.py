"""Each layer on its own: forward and backward against the reference, in its input's dtype."""

import numpy as np
import pytest
import reference
from hypothesis import assume, given
from hypothesis import strategies as st
from networks import ACTIVATION_LAYERS
from sentences import refused
from strategies import columns, dtypes, filled, matrices, seeds
from tolerance import assert_close, assert_gradient_close

from fastmlp import layers
from fastmlp.initializers import INITIALIZERS, normal

ALPHAS = {"leaky_relu": 0.01, "elu": 1.0}

LEARNING = {
    "linear": lambda D: layers.Linear(D, 5),
    **{kind.__name__.lower(): kind for kind in layers.NORMALIZATIONS.values()},
    "scale": layers.Scale,
    "parametric": lambda D: layers.ParametricActivation(D, "silu"),
    "embedding": lambda D: layers.Embedding(D, 2, 4, width=3),
    "periodic": lambda D: layers.PeriodicEmbedding(D, D - 1, n_waves=4, n_made=2),
}
ALL = {
    **LEARNING,
    **{name: (lambda D, kind=kind: kind()) for name, kind in ACTIVATION_LAYERS.items()},
    "dropout": lambda D: layers.Dropout(0.3),
    "flatten": lambda D: layers.Flatten(),
    "normalize": lambda D: layers.Normalize(np.arange(D) * 0.1, 1 + np.arange(D) * 0.2),
}


@given(matrices(), columns, st.booleans(), seeds, dtypes)
def test_linear(x, H, has_bias, seed, dtype):
    N, D = x.shape
    dy = filled((N, H), "normal", seed)
    layer = layers.Linear(D, H, bias=has_bias)

    y = layer.forward(x.astype(dtype), train=True)
    dx = layer.backward(dy.astype(dtype))

    weight = layer.params["weight"].astype(np.float64)
    bias = filled((H,), "normal", seed) * 0
    expected_dx, dweight, dbias = reference.affine_backward(dy, x, weight)
    size_x, size_w, size_dy = (np.abs(a).max() for a in (x, weight, dy))
    assert y.dtype == dx.dtype == layer.params["weight"].dtype == dtype
    assert_close(y, reference.affine(x, weight, bias), K=D + 1, scale=size_x * size_w)
    assert_close(dx, expected_dx, K=H, scale=size_dy * size_w)
    assert_close(layer.grads["weight"], dweight, K=N, scale=size_dy * size_x)
    assert set(layer.params) == ({"weight", "bias"} if has_bias else {"weight"})
    if has_bias:
        assert_close(layer.grads["bias"], dbias, K=N, scale=size_dy)


@pytest.mark.parametrize("kind", ACTIVATION_LAYERS)
@given(matrices(), seeds, dtypes)
def test_activation(kind, x, seed, dtype):
    dy, alpha = filled(x.shape, "normal", seed), ALPHAS.get(kind, 0.0)
    layer = ACTIVATION_LAYERS[kind]()

    y = layer.forward(x.astype(dtype), train=True)
    dx = layer.backward(dy.astype(dtype))

    slope = reference.activation_derivative(kind, x, alpha)
    assert y.dtype == dx.dtype == dtype
    assert_close(y, reference.activation(kind, x, alpha), scale=np.maximum(1.0, np.abs(x)))
    assert_close(dx, dy * slope, scale=2.0 * np.abs(dy))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("train", [False, True])
def test_gradients_are_central_differences(name, train):
    x = filled((6, 7), "normal", 3)
    layer = ALL[name](7)
    dropping = name == "dropout" and train
    y = layer.forward(x, train=train)
    dy = filled(y.shape, "normal", 4)

    dx = layer.backward(dy)

    grads = {n: np.array(g) for n, g in layer.grads.items()}
    if dropping:
        kept = y != 0  # the mask is new each time; kept elements pass 1 / (1 - p) of the gradient
        assert_close(dx, dy * kept / 0.7)
        return
    numerical = reference.numerical_gradient
    scale = 50.0 if name != "periodic" else 50.0 * (2 * np.pi) ** 2  # as its third derivative
    assert_gradient_close(
        dx, numerical(lambda x: float((dy * layer.forward(x, train)).sum()), x), scale=scale
    )
    for n in grads:
        start = layer.params[n].copy()

        def value(p, n=n):
            layer.params[n] = p
            return float((dy * layer.forward(x, train)).sum())

        assert_gradient_close(grads[n], numerical(value, start), scale=scale)
        layer.params[n] = start


@pytest.mark.parametrize("name", ALL)
@given(dtypes)
def test_backward_twice_gives_the_same_gradients(name, dtype):
    x = filled((6, 7), "normal", 3).astype(dtype)
    layer = ALL[name](7)
    y = layer.forward(x, train=True)
    dy = filled(y.shape, "normal", 4).astype(dtype)

    first = layer.backward(dy)
    grads = {n: np.array(g) for n, g in layer.grads.items()}
    second = layer.backward(dy)

    np.testing.assert_array_equal(first, second)
    for n, g in layer.grads.items():
        np.testing.assert_array_equal(g, grads[n])


@pytest.mark.parametrize("name", ALL)
@given(st.integers(1, 5), dtypes)
def test_inputs_and_gradients_are_never_changed(name, N, dtype):
    x = filled((N, 7), "normal", 3).astype(dtype)
    layer = ALL[name](7)
    x_before = x.copy()

    y = layer.forward(x, train=True)
    y_before, dy = y.copy(), np.ones_like(y)
    layer.backward(dy)

    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(dy, 1.0)


@pytest.mark.parametrize("name", ALL)
@given(st.integers(1, 5))
def test_any_memory_layout_gives_the_same_bits(name, N):
    x = filled((N, 7), "normal", 3)
    layer = ALL[name](7)
    expected = layer.forward(x)

    for same in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(layer.forward(same), expected)


def test_a_float64_gradient_check_is_exact_after_a_float32_input():
    layer = layers.Linear(7, 5)
    layer.forward(filled((6, 7), "normal", 3).astype("float32"))

    y = layer.forward(filled((6, 7), "normal", 3))

    assert y.dtype == np.float64


@given(matrices(), dtypes)
def test_batchnorm_follows_batches_and_uses_what_it_learned(x, dtype):
    N, D = x.shape
    assume(N > 1)
    layer = layers.BatchNorm(D)
    assert set(layer.state) == {"running_mean", "running_var"}

    layer.forward(x.astype(dtype), train=True)
    held = {n: np.array(a) for n, a in layer.state.items()}
    y = layer.forward(x.astype(dtype))

    mean, var = reference.running(0.0, x.mean(axis=0)), reference.running(1.0, x.var(axis=0))
    largest = np.abs(x).max(axis=0) + 1.0
    assert_close(held["running_mean"], mean, dtype=dtype, K=N, scale=largest)
    assert_close(held["running_var"], var, dtype=dtype, K=N, scale=largest**2)
    for name, array in held.items():
        np.testing.assert_array_equal(layer.state[name], array)
    learned = [held[n].astype(np.float64) for n in ("running_mean", "running_var")]
    expected = reference.normalise(x, *learned, 1e-5)
    assert_close(y, expected, scale=largest / np.sqrt(learned[1] + 1e-5))


def test_dropout_is_the_identity_in_inference_and_new_each_time_in_training():
    x = np.ones((50, 40))
    layer = layers.Dropout(0.5)

    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)
    first, second = layer.forward(x, train=True), layer.forward(x, train=True)
    assert not np.array_equal(first, second)
    assert set(np.unique(first)) == {0.0, 2.0}


def test_flatten_and_back():
    x = filled((4, 24), "normal", 0).reshape(4, 2, 3, 4)
    layer = layers.Flatten()

    y = layer.forward(x)
    dx = layer.backward(y)

    np.testing.assert_array_equal(y, x.reshape(4, 24))
    np.testing.assert_array_equal(dx, x)


@pytest.mark.parametrize("kind", ACTIVATION_LAYERS.values())
def test_activations_keep_any_shape(kind):
    x = filled((3, 20), "normal", 0)

    y = kind().forward(x.reshape(3, 4, 5))

    np.testing.assert_array_equal(y.reshape(3, 20), kind().forward(x))


@given(matrices(), seeds, st.sampled_from(["float32", "float64", "uint8"]))
def test_normalize(x, seed, source):
    D = x.shape[1]
    if source == "uint8":
        x = np.abs(np.round(x * 50)) % 256
    mean, std = filled((D,), "normal", seed), 0.5 + np.abs(filled((D,), "normal", seed + 1))

    y = layers.Normalize(mean, std).forward(x.astype(source))

    scale = (np.abs(x) + np.abs(mean)) / std
    assert_close(y, (x - mean) / std, dtype="float32", scale=scale)


def test_normalize_from_data_standardises_each_feature():
    X = filled((500, 4), "normal", 0) * [1, 10, 100, 0] + [5, -5, 0, 3]

    y = layers.Normalize.from_data(X).forward(X)

    assert_close(y[:, :3].mean(axis=0), np.zeros(3), K=500, scale=10.0)
    assert_close(y[:, :3].std(axis=0), np.ones(3), K=500, scale=10.0)
    np.testing.assert_array_equal(y[:, 3], 0.0)


def test_normalize_from_images_uses_one_standard_deviation():
    X = np.random.default_rng(0).integers(0, 256, (50, 6), dtype=np.uint8)
    X[:, 2] //= 64

    layer = layers.Normalize.from_data(X)

    assert len(np.unique(layer.std)) == 1
    assert_close(layer.mean, X.mean(axis=0), K=50)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers(name):
    weight = layers.Linear(400, 300, init=name).params["weight"]
    bias = layers.Linear(400, 300, init=name).params["bias"]

    deviation = {"he": np.sqrt(2 / 400), "glorot": np.sqrt(2 / 700), "zeros": 0.0}[name]
    assert weight.shape == (400, 300)
    assert abs(weight.mean()) <= 5 * deviation / np.sqrt(weight.size)
    assert abs(weight.std() - deviation) <= 5 * deviation / np.sqrt(weight.size)
    np.testing.assert_array_equal(bias, 0.0)


def test_normal_initializer_has_the_requested_deviation():
    weight = layers.Linear(400, 300, init=normal(0.02)).params["weight"]

    assert abs(weight.std() - 0.02) <= 5 * 0.02 / np.sqrt(weight.size)


def test_standalone_layers_start_alike_and_can_be_given_values():
    a, b = layers.Linear(4, 3), layers.Linear(4, 3)
    np.testing.assert_array_equal(a.params["weight"], b.params["weight"])

    a.params["weight"] = np.zeros((4, 3))
    a.params["bias"][:] = 2.0

    np.testing.assert_array_equal(a.forward(np.ones((2, 4))), np.full((2, 3), 2.0))
    with refused(ValueError, "shape"):
        a.params["weight"] = np.zeros((3, 4))
    with refused(ValueError, "weight"):
        a.params["wieght"] = np.zeros((4, 3))


@pytest.mark.parametrize("name", LEARNING)
def test_nan_comes_through(name):
    x = filled((5, 7), "normal", 0)
    x[2, 3] = np.nan

    y = ALL[name](7).forward(x, train=True)

    assert np.isnan(y).any()
