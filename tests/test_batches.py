"""How rows are divided into minibatches, and how BatchNorm treats a minibatch of one row."""

import numpy as np
import pytest
from networks import Identity, blobs
from strategies import filled
from tolerance import assert_close

import fastmlp
from fastmlp import TiedAutoencoder, optimizers
from fastmlp.layers import BatchNorm, Linear, ReLU


def normalised(*first, **options):
    return fastmlp.Sequential(
        *first, Linear(6, 16), BatchNorm(16), ReLU(), Linear(16, 3), **options
    )


def line(N, seed=0):
    """Return rows of six numbers, and targets that depend linearly on them."""
    X = 3 * filled((N, 6), "normal", seed)
    return X, X @ np.array([1.0, -2.0, 0.5, 0.0, 0.0, 1.0])


def regression(X, y, **options):
    model = fastmlp.Sequential(Linear(6, 32), BatchNorm(32), ReLU(), Linear(32, 1))
    model.fit(X, y, loss="mse", optimizer=optimizers.Adam(lr=1e-2), verbose=False, **options)
    return model


@pytest.mark.parametrize("N", [1, 2, 50, 127])
def test_by_default_a_batch_is_at_most_all_rows(N):
    X, y = blobs(N, 6, 3)
    models = [fastmlp.Sequential(Linear(6, 3)) for _ in range(3)]

    histories = [
        models[0].fit(X, y, epochs=2, verbose=False),
        models[1].fit(X, y, epochs=2, batch_size=N, verbose=False),
        models[2].fit(X, y, epochs=2, batch_size=10**12, verbose=False),
    ]

    assert [len(history.steps) for history in histories] == [2, 2, 2]
    for model in models[1:]:
        np.testing.assert_array_equal(model.theta, models[0].theta)


def test_an_autoencoder_takes_fewer_rows_than_a_batch_too():
    X = filled((20, 5), "normal", 0)

    history = TiedAutoencoder(5, 2).fit(X, epochs=3, batch_size=64, verbose=False).history

    assert len(history.steps) == 3


@pytest.mark.parametrize("first", [[], [Identity()]], ids=["compiled", "layer by layer"])
@pytest.mark.parametrize(
    ("N", "batch_size", "n_steps"), [(17, 8, 2), (9, 8, 1), (65, 32, 2), (3, 2, 1), (18, 8, 3)]
)
def test_one_last_row_joins_the_batch_before_it(N, batch_size, n_steps, first):
    X, y = blobs(N, 6, 3)

    history = normalised(*first).fit(X, y, epochs=1, batch_size=batch_size, verbose=False)

    assert len(history.steps) == n_steps


def test_without_batch_norm_one_row_is_a_batch():
    X, y = blobs(17, 6, 3)

    history = fastmlp.Sequential(Linear(6, 3)).fit(X, y, epochs=1, batch_size=8, verbose=False)

    assert len(history.steps) == 3


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_an_epoch_counts_the_row_that_joined(weighted):
    X, y = blobs(17, 6, 3)
    weight = np.arange(1.0, 18.0) if weighted else None
    masses = [weight[:8].sum(), weight[8:].sum()] if weighted else [8, 9]

    history = normalised().fit(
        X, y, sample_weight=weight, epochs=1, batch_size=8, shuffle=False, verbose=False
    )

    assert history.loss[0] == pytest.approx(np.average(history.steps, weights=masses), rel=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_batch_with_the_row_that_joined_is_one_step_on_all_its_rows(n_threads, precision):
    X, y = blobs(65, 200, 3)
    models = [
        fastmlp.Sequential(Linear(200, 300), BatchNorm(300), ReLU(), Linear(300, 3))
        for _ in range(2)
    ]
    options = {"epochs": 2, "matmul_precision": precision, "n_threads": n_threads}

    joined = models[0].fit(X, y, batch_size=64, shuffle=False, verbose=False, **options)
    whole = models[1].fit(X, y, batch_size=65, shuffle=False, verbose=False, **options)

    np.testing.assert_array_equal(joined.steps, whole.steps)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


@pytest.mark.parametrize(
    ("N", "batch_size"), [(129, 128), (97, 32), (129, 1), (60, 1)], ids=lambda n: str(n)
)
def test_a_network_with_batch_norm_learns_with_any_last_batch(N, batch_size):
    X, y = line(N)

    model = regression(X, y, epochs=150, batch_size=batch_size)

    assert model.evaluate(X, y, loss="mse")[0] < 0.02 * y.var()
    assert model.state["1.running_var"].min() > 0.01


def test_a_single_training_row_is_learned():
    X, y = line(1)

    model = regression(X, y, epochs=150)

    assert model.evaluate(X, y, loss="mse")[0] < 0.01
    assert np.isfinite(model.state["1.running_var"]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("place", [0, 1])
def test_both_engines_agree_on_single_rows(batch_size, place, dtype):
    X, y = blobs(25, 6, 3)

    def fitted(*first):
        layers = [Linear(6, 6), ReLU(), Linear(6, 3)]
        layers.insert(place, BatchNorm(6))
        return fastmlp.Sequential(*first, *layers, dtype=dtype)

    compiled, by_layer = fitted(), fitted(Identity())
    by_layer.theta = compiled.theta
    a = compiled.fit(X, y, epochs=2, batch_size=batch_size, optimizer="sgd", verbose=False)
    b = by_layer.fit(X, y, epochs=2, batch_size=batch_size, optimizer="sgd", verbose=False)

    assert_close(a.steps, b.steps, dtype=dtype, K=50 * 36, scale=np.abs(b.steps).max())
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(
            compiled.state[f"{place}.{name}"], by_layer.state[f"{place + 1}.{name}"], rtol=1e-4
        )


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_one_row_is_normalised_as_in_inference_and_moves_the_running_statistics(momentum):
    layer, x = BatchNorm(3, momentum=momentum), np.array([[1.0, -4.0, 0.0]])
    as_in_inference = layer.forward(x)

    y = layer.forward(x, train=True)

    r = (1 - momentum) / 16
    np.testing.assert_allclose(y, as_in_inference, rtol=1e-12)
    np.testing.assert_allclose(layer.state["running_mean"], r * x[0], rtol=1e-12)
    np.testing.assert_allclose(layer.state["running_var"], (1 - r) * (1 + r * x[0] ** 2))


def test_the_gradient_of_one_row_is_that_of_inference():
    layer, x, dy = BatchNorm(4), filled((1, 4), "normal", 1), filled((1, 4), "normal", 2)
    layer.params["gamma"] = [1.0, 2.0, -1.0, 0.5]
    layer.forward(x)
    dx, grads = layer.backward(dy), {n: g.copy() for n, g in layer.grads.items()}

    layer.forward(x, train=True)

    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-12)
    for name, gradient in grads.items():
        np.testing.assert_allclose(layer.grads[name], gradient, rtol=1e-12)


def test_single_rows_keep_running_statistics_close_to_those_of_all_rows():
    X = 5 + 2 * filled((4000, 3), "normal", 3)
    layer = BatchNorm(3)

    for row in X:
        layer.forward(row[None], train=True)

    np.testing.assert_allclose(layer.state["running_mean"], X.mean(axis=0), atol=0.5)
    np.testing.assert_allclose(layer.state["running_var"], X.var(axis=0), rtol=0.35)


@pytest.mark.parametrize("last", [[], [Identity()]], ids=["compiled", "layer by layer"])
@pytest.mark.parametrize(("N", "n_steps"), [(40, 2), (32, 2), (31, 1), (16, 1), (5, 1)])
def test_the_last_batch_may_be_dropped(N, n_steps, last):
    X, y = blobs(N, 6, 3)
    model = fastmlp.Sequential(Linear(6, 3), *last)

    history = model.fit(X, y, batch_size=16, epochs=3, drop_last=True, verbose=False)

    assert len(history.steps) == 3 * n_steps
    assert np.isclose(history.loss[-1], history.steps[-n_steps:].mean())
    assert max(history.accuracy) <= 1.0


def test_dropping_the_last_batch_leaves_out_other_rows_in_each_epoch():
    X, y = blobs(30, 6, 3)
    model = fastmlp.Sequential(Linear(6, 3))

    history = model.fit(X, y, batch_size=20, epochs=20, drop_last=True, verbose=False)
    same = fastmlp.Sequential(Linear(6, 3))
    same.fit(X[:20], y[:20], batch_size=20, epochs=20, verbose=False)

    assert len(history.steps) == 20
    assert not np.array_equal(model.theta, same.theta)


def test_weights_of_dropped_rows_do_not_count():
    X, y = blobs(30, 6, 3)
    weights = np.r_[np.ones(20), np.full(10, 1e6)]
    model, plain = (fastmlp.Sequential(Linear(6, 3)) for _ in range(2))
    options = {"batch_size": 20, "epochs": 2, "shuffle": False, "verbose": False}

    history = model.fit(X, y, sample_weight=weights, drop_last=True, **options)
    expected = plain.fit(X[:20], y[:20], **options)

    np.testing.assert_array_equal(model.theta, plain.theta)
    assert np.isclose(history.loss[-1], expected.loss[-1])
