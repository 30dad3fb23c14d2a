"""Layers of ensembles that share parameters, and their loss, against the reference."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from networks import Identity, blobs
from sentences import refused
from strategies import dtypes, filled, rows, seeds
from tolerance import assert_close

import fastmlp
from fastmlp import layers, losses
from fastmlp.layers import Dropout, ReLU

sizes = st.integers(1, 6)


@given(rows, st.integers(1, 40), sizes, seeds, dtypes)
def test_members(N, D, k, seed, dtype):
    layer = layers.Members(D, k)
    x, weight = filled((N, D), "normal", seed), filled((k, D), "normal", seed + 1)
    dy = filled((N, k * layer.width), "normal", seed + 2)
    layer.weight = weight

    y, dx = layer.forward(x.astype(dtype), train=True), layer.backward(dy.astype(dtype))

    expected_dx, dweight = reference.members_backward(dy, x, weight)
    assert layer.width % 16 == 0
    assert D <= layer.width < D + 16
    assert_close(y, reference.members(x, weight, layer.width))
    assert_close(dx, expected_dx, K=k, scale=np.abs(dy).max() * np.abs(weight).max())
    scale = np.abs(dy).max() * np.abs(x).max()
    assert_close(layer.grads["weight"], dweight, K=N, scale=scale)


@given(rows, st.sampled_from([16, 48]), st.sampled_from([16, 64]), sizes, seeds, dtypes)
def test_shared_linear(N, D, H, k, seed, dtype):
    layer = layers.SharedLinear(D, H, k)
    x, dy = filled((N, k * D), "normal", seed), filled((N, k * H), "normal", seed + 1)
    weight = layer.weight = filled((D, H), "normal", seed + 2)
    bias = layer.bias = filled((H,), "normal", seed + 3)

    y, dx = layer.forward(x.astype(dtype), train=True), layer.backward(dy.astype(dtype))

    parts, dys = np.split(x, k, axis=1), np.split(dy, k, axis=1)
    expected = np.concatenate([reference.affine(part, weight, bias) for part in parts], axis=1)
    of_parts = [reference.affine_backward(g, p, weight) for g, p in zip(dys, parts, strict=True)]
    size_x, size_w, size_dy = (np.abs(a).max() for a in (x, weight, dy))
    assert_close(y, expected, K=D + 1, scale=size_x * size_w + np.abs(bias).max())
    dxs, dweights, dbiases = zip(*of_parts, strict=True)
    assert_close(dx, np.concatenate(dxs, axis=1), K=H, scale=size_dy * size_w)
    assert_close(layer.grads["weight"], sum(dweights), K=k * N, scale=size_dy * size_x)
    assert_close(layer.grads["bias"], sum(dbiases), K=k * N, scale=size_dy)


@given(rows, st.integers(1, 40), st.integers(1, 5), sizes, seeds, dtypes)
def test_heads(N, D, C, k, seed, dtype):
    layer = layers.MemberHeads(D, C, k)
    x, dy = filled((N, k * D), "normal", seed), filled((N, k * C), "normal", seed + 1)
    weight = layer.weight = filled((k, C, D), "normal", seed + 2)
    bias = layer.bias = filled((k * C,), "normal", seed + 3)

    y, dx = layer.forward(x.astype(dtype), train=True), layer.backward(dy.astype(dtype))

    expected_dx, dweight, dbias = reference.heads_backward(dy, x, weight)
    size_x, size_w, size_dy = (np.abs(a).max() for a in (x, weight, dy))
    scale = size_x * size_w + np.abs(bias).max()
    assert_close(y, reference.heads(x, weight, bias), K=D + 1, scale=scale)
    assert_close(dx, expected_dx, K=C, scale=size_dy * size_w)
    assert_close(layer.grads["weight"], dweight, K=N, scale=size_dy * size_x)
    assert_close(layer.grads["bias"], dbias, K=N, scale=size_dy)


@given(rows, sizes, st.integers(0, 2), st.integers(1, 9), st.integers(1, 20), seeds, dtypes)
def test_piecewise_linear_embedding(N, n_numbers, n_plain, n_bins, width, seed, dtype):
    rng = np.random.default_rng(seed)
    layer = layers.PiecewiseLinearEmbedding(n_numbers + n_plain, n_numbers, n_bins, width)
    x = filled((N, n_numbers + n_plain), "normal", seed)
    dy = filled((N, n_numbers * width + n_plain), "normal", seed + 1)
    weight = layer.weight = filled(layer.weight.shape, "normal", seed + 2)
    # whole quarters, and values of x between them: no two roundings may disagree about a bin
    edges = [np.sort(rng.permutation(40)[: rng.integers(1, n_bins + 2)] / 4 - 5) for _ in weight]
    layer.edges = np.stack([np.pad(e, (0, n_bins + 1 - len(e)), mode="edge") for e in edges])

    y, dx = layer.forward(x.astype(dtype), train=True), layer.backward(dy.astype(dtype))

    expected_dx, dweight = reference.piecewise_backward(dy, x, weight, edges, width)
    size_x, size_w, size_dy = (1 + np.abs(a).max() for a in (x, weight, dy))
    share = 4 * (size_x + 5)  # of the first or last bin
    assert_close(y, reference.piecewise(x, weight, edges, width), K=n_bins, scale=size_w * share)
    assert_close(dx, expected_dx, K=width * n_bins, scale=4 * size_dy * size_w)
    assert_close(layer.grads["weight"], dweight, K=N, scale=size_dy * share)


def test_a_piecewise_linear_embedding_bends_at_its_edges():
    layer = layers.PiecewiseLinearEmbedding(1, 1, n_bins=3, width=1)
    layer.edges = [[0.0, 1.0, 3.0, 3.0]]  # two bins: the third is empty
    layer.weight = [[0.0, 10.0, 5.0, -2.0, 99.0]]  # w0, b0, W

    y = layer.forward(np.array([[-1.0], [0.5], [1.0], [2.0], [5.0]]))

    np.testing.assert_allclose(y[:, 0], [5.0, 12.5, 15.0, 14.0, 11.0])


def test_without_edges_a_piecewise_linear_embedding_is_linear():
    layer = layers.PiecewiseLinearEmbedding(1, 1, n_bins=4, width=2)
    layer.weight = np.arange(12.0)[None]

    np.testing.assert_allclose(layer.forward(np.array([[2.0]])), [[2.0, 5.0]])


@given(rows, sizes, st.integers(1, 5), seeds, dtypes)
def test_the_loss_of_members_is_the_mean_of_their_losses(N, k, C, seed, dtype):
    rng = np.random.default_rng(seed)
    z, y = filled((N, k * C), "normal", seed), rng.integers(0, C, N)
    weights = rng.integers(1, 9, N) / 4.0
    loss = losses.MemberCrossEntropy(k)

    value, gradient = loss.value_and_gradient(z.astype(dtype), y, weights)

    expected, expected_gradient = reference.loss("member_cross_entropy", z, y, weights, k)
    size = 2 * np.abs(z).max() + np.log(C) + 1
    assert_close(value, expected, dtype=dtype, K=N * k * C, scale=size)
    assert_close(gradient, expected_gradient, K=C, scale=2.0)


@given(rows, sizes, st.integers(1, 5), seeds)
def test_members_are_right_if_their_mean_probability_is(N, k, C, seed):
    z, y = filled((N, k * C), "normal", seed), np.random.default_rng(seed).integers(0, C, N)

    _, n_correct = losses.MemberCrossEntropy(k).compute(z, y)

    mean = sum(reference.softmax(part) for part in np.split(z, k, axis=1)) / k
    assert n_correct == (mean.argmax(axis=1) == y).sum()


def ensemble(*last, dtype="float64", n_outputs=3):
    embedding = layers.PiecewiseLinearEmbedding(7, 4, n_bins=6, width=3)
    embedding.edges = np.sort(np.random.default_rng(3).standard_normal((4, 7)))
    return fastmlp.Sequential(
        embedding,
        layers.Members(15, 5),
        layers.SharedLinear(16, 32, 5),
        ReLU(),
        Dropout(0.2),
        layers.SharedLinear(32, 16, 5),
        ReLU(),
        layers.MemberHeads(16, n_outputs, 5),
        *last,
        dtype=dtype,
        seed=3,
    )


def fit(model, **options):
    X, y = blobs(90, 7, 3)
    options = {"loss": losses.MemberCrossEntropy(5), "epochs": 3, "batch_size": 32} | options
    return model.fit(X, options.pop("y", y), verbose=False, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_both_engines_agree(dtype, clip_norm):
    compiled, layerwise = ensemble(dtype=dtype), ensemble(Identity(), dtype=dtype)
    for model in (compiled, layerwise):
        fit(model, optimizer=fastmlp.AdamW(clip_norm=clip_norm))

    X, _ = blobs(50, 7, 3)
    assert compiled.has_plan
    assert_close(compiled.theta, layerwise.theta, K=5000, scale=1.0)
    assert_close(compiled.predict(X), layerwise.predict(X), K=5000, scale=10.0)


def test_members_learn_numbers_too():
    X, _ = blobs(90, 7, 3)
    y = np.repeat(X[:, :1] ** 2, 5, axis=1)
    model = ensemble(n_outputs=1)

    history = fit(model, y=y, loss="mse", epochs=60)

    assert history.loss[-1] < 0.3 * history.loss[0]


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("fastmlp.engine.lowering._FLOPS_WORTH_A_THREAD", 1)
    one, three = ensemble(dtype="float32"), ensemble(dtype="float32")

    fit(one, n_threads=1), fit(three, n_threads=3)

    np.testing.assert_array_equal(one.theta, three.theta)


def test_shared_layers_may_stand_anywhere():
    stacks = [
        [layers.SharedLinear(16, 16, 2), layers.LayerNorm(32), layers.SharedLinear(16, 16, 2)],
        [layers.LayerNorm(32), layers.SharedLinear(16, 48, 2), layers.BatchNorm(96)],
    ]
    X, y = blobs(70, 32, 3)
    for number in range(2):
        thetas = []
        for last in ([], [Identity()]):
            stack = [
                fastmlp.layers.__dict__[type(s).__name__](**s.config()) for s in stacks[number]
            ]
            width = stack[-1].output_width(stack[-1].input_width)
            model = fastmlp.Sequential(*stack, layers.Linear(width, 3), *last, dtype="float64")
            model.fit(X, y, epochs=2, batch_size=32, verbose=False)
            thetas.append(model.theta)
        assert_close(thetas[0], thetas[1], K=5000, scale=1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_from_its_file(dtype, tmp_path):
    model = ensemble(dtype=dtype)
    fit(model)
    X, _ = blobs(20, 7, 3)

    model.save(tmp_path / "model.safetensors")
    again = fastmlp.load(tmp_path / "model.safetensors")

    assert repr(again) == repr(model)
    assert again.loss.n_members == 5
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.SharedLinear(20, 16), "in_features must be a multiple of 16"),
        (lambda: layers.SharedLinear(16, 5), "out_features must be a multiple of 16"),
        (lambda: layers.Members(0), "n_features"),
        (lambda: layers.PiecewiseLinearEmbedding(3, 4), "n_numbers"),
        (lambda: losses.MemberCrossEntropy(0), "n_members"),
    ],
)
def test_wrong_arguments_are_refused(make, said):
    with refused((TypeError, ValueError), said):
        make()


@pytest.mark.parametrize("edges", [[[1.0, 0.0]], [[0.0, np.inf]], [[np.nan, 1.0]], [[0.0]]])
def test_wrong_edges_are_refused(edges):
    layer = layers.PiecewiseLinearEmbedding(1, 1, n_bins=1)

    with refused(ValueError, "edges"):
        layer.edges = edges


def test_outputs_that_cannot_be_divided_among_members_are_refused():
    with refused(ValueError, "n_members=4"):
        fit(ensemble(), loss=losses.MemberCrossEntropy(4))
