"""Training at each matmul_precision: errors, identical bits, and fallbacks to highest."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import OPTIMIZERS, architectures, blobs, every_layer, targets
from precision_rule import RELATIVE, assert_within_bound, factors, scalings
from sentences import refused
from strategies import LOSSES, columns, filled, rows, seeds
from test_determinism import assert_same_bits, trained
from test_workspace import assert_memory_does_not_matter

import fastmlp
from fastmlp import kernels
from fastmlp.engine import lowering
from fastmlp.engine.compiled import bf16_parts
from fastmlp.kernels.machine import isa
from fastmlp.kernels.machine.links import Family
from fastmlp.kernels.plan import calls
from fastmlp.layers import Linear, ReLU, Tanh
from fastmlp.training import PRECISIONS

FLOAT32 = np.dtype(np.float32)
TILES = isa.current().bf16_tiles
PRECISION = pytest.mark.parametrize("precision", PRECISIONS)
LOWER = pytest.mark.parametrize("precision", ["high", "medium"])
NEEDS_TILES = pytest.mark.skipif(not TILES, reason="needs a bfloat16 tile unit (AMX)")


def fit_one_step(model, X, y, precision):
    """Take one step of plain gradient descent at rate 1 on all rows."""
    return model.fit(X, y, loss="mse", optimizer=fastmlp.SGD(lr=1.0), epochs=1, batch_size=len(X),
                     shuffle=False, matmul_precision=precision, verbose=False)  # fmt: skip


@PRECISION
@given(rows, columns, columns, scalings, seeds)
def test_weight_gradient(precision, N, D, H, scaling, seed):
    """Starting from zero weights, the first step at rate 1 is X^T y times 2 / (N H)."""
    transposed, y = factors(D, N, H, scaling, seed)
    model = fastmlp.Sequential(Linear(D, H, "zeros"))

    fit_one_step(model, np.ascontiguousarray(transposed.T), y, precision)

    size = 2.0 / (N * H)
    weight = model.params["0.weight"]
    assert_within_bound(weight, transposed, size * y, bf16_parts(precision, FLOAT32))


@PRECISION
@given(rows, columns, columns, seeds)
def test_input_gradient(precision, N, H, C, seed):
    """With the identity matrix as X, the first layer's step is the gradient at its output."""
    y, transposed = factors(N, C, H, "rows", seed)
    model = fastmlp.Sequential(Linear(N, H, "zeros"), Linear(H, C))
    model.params["1.weight"][...] = transposed.T
    parts = bf16_parts(precision, FLOAT32)

    fit_one_step(model, np.eye(N, dtype=np.float32), y, precision)

    dz = 2.0 / (N * C) * y.astype(np.float64)
    rounded_again = RELATIVE[parts] * np.abs(dz) @ np.abs(transposed)
    assert_within_bound(model.params["0.weight"], dz, transposed, parts, slack=rounded_again)


@PRECISION
@given(rows, columns, scalings, seeds)
def test_forward(precision, N, D, scaling, seed):
    """With single rows and targets of 0, the losses are the sizes of the outputs."""
    X, weight = factors(N, D, 1, scaling, seed)
    model = fastmlp.Sequential(Linear(D, 1))
    model.params["0.weight"][...] = weight
    still = fastmlp.SGD(lr=0.0)

    history = model.fit(X, np.zeros(N), loss="mae", optimizer=still, epochs=1, batch_size=1,
                        shuffle=False, matmul_precision=precision, verbose=False)  # fmt: skip

    sizes = np.abs(X.astype(np.float64) @ weight)
    signs = np.sign(X.astype(np.float64) @ weight)
    outputs = np.asarray(history.steps)[:, None] * signs
    parts = bf16_parts(precision, FLOAT32)
    assert_within_bound(outputs, X, weight, parts, slack=2 * sizes * (outputs * signs < 0))


@LOWER
def test_training_stays_close_to_highest(precision):
    """Relative to the distance moved, weights differ from highest's by a product's error."""
    X, y = blobs(600, 50, 6)

    def weights(precision, epochs):
        model = fastmlp.Sequential(Linear(50, 64), Tanh(), Linear(64, 40), Tanh(), Linear(40, 6))
        start = model.theta.copy()
        model.fit(X, y, optimizer=fastmlp.SGD(lr=0.05), epochs=epochs, batch_size=50,
                  matmul_precision=precision, verbose=False)  # fmt: skip
        return start, model.theta.copy()

    start, highest = weights("highest", 5)
    _, lower = weights(precision, 5)

    off = np.linalg.norm(lower - highest) / np.linalg.norm(highest - start)
    assert off <= RELATIVE[bf16_parts(precision, FLOAT32)]
    assert (off > 0) == TILES


@PRECISION
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_ends_the_training(precision, value):
    X, y = blobs(64, 40, 3)
    model = fastmlp.Sequential(Linear(40, 33), Tanh(), Linear(33, 3))
    model.params["2.weight"][17, 1] = value

    history = model.fit(X, y, epochs=1, batch_size=16, matmul_precision=precision, verbose=False)

    assert history.stopped.startswith("diverged at step")
    assert len(history.steps) == 1
    assert not np.isfinite(history.steps[0])


@PRECISION
def test_too_large_steps_are_detected_as_divergence(precision):
    X, y = blobs(64, 40, 3)
    model = fastmlp.Sequential(Linear(40, 33), ReLU(), Linear(33, 3))
    options = {"epochs": 50, "batch_size": 16, "matmul_precision": precision, "verbose": False}

    history = model.fit(X, y, optimizer=fastmlp.SGD(lr=1e20), **options)

    assert history.stopped.startswith("diverged at step")


@PRECISION
def test_an_infinite_output_is_an_infinite_loss(precision):
    X = np.full((1, 5), 2.0, np.float32)
    model = fastmlp.Sequential(Linear(5, 1))
    model.params["0.weight"][...] = 1e38

    history = model.fit(X, [0.0], loss="mae", epochs=1, batch_size=1,
                        matmul_precision=precision, verbose=False)  # fmt: skip

    np.testing.assert_array_equal(history.steps, [np.inf])


@PRECISION
def test_denormal_data_do_no_harm(precision):
    X, y = blobs(64, 40, 3)
    X *= np.float32(1e-41)
    model = fastmlp.Sequential(Linear(40, 33), ReLU(), Linear(33, 3))

    history = model.fit(X, y, epochs=2, batch_size=16, verbose=False, matmul_precision=precision)

    assert history.stopped is None
    np.testing.assert_allclose(history.steps[0], np.log(3), rtol=1e-6)
    assert np.isfinite(model.theta).all()


def wide_network():
    """Return a network whose large weights are divided among threads by columns."""
    return fastmlp.Sequential(Linear(1030, 1025), ReLU(), Linear(1025, 10))


@PRECISION
@pytest.mark.parametrize("optimizer", ["adam", "nesterov"])
def test_threads_do_not_change_bits(precision, optimizer):
    options = {"matmul_precision": precision, "optimizer": optimizer}
    one = trained(n_threads=1, **options)

    assert_same_bits(trained(n_threads=1, **options), one)
    for n_threads in (2, 3, 8):
        assert_same_bits(trained(n_threads=n_threads, **options), one)


@PRECISION
def test_threads_do_not_change_bits_of_wide_layers(precision):
    X, y = blobs(90, 1030, 10)

    def weights(n_threads):
        model = wide_network()
        model.fit(X, y, epochs=2, batch_size=40, n_threads=n_threads, matmul_precision=precision,
                  verbose=False)  # fmt: skip
        return model.theta

    one = weights(1)

    for n_threads in (2, 3, 8):
        np.testing.assert_array_equal(weights(n_threads), one)


@LOWER
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 33, 77])
def test_prior_contents_of_memory_do_not_matter(precision, n_threads, batch_size):
    X, y = blobs(155, 70, 10)

    def build():
        return every_layer(70, 131, 10), OPTIMIZERS["adam"]()

    assert_memory_does_not_matter(
        build,
        X,
        y,
        epochs=1,
        batch_size=batch_size,
        n_threads=n_threads,
        matmul_precision=precision,
    )


@LOWER
def test_float64_runs_as_highest(precision):
    highest = trained(dtype="float64", epochs=1)

    assert_same_bits(trained(dtype="float64", epochs=1, matmul_precision=precision), highest)


@LOWER
def test_without_tiles_it_runs_as_highest(precision, monkeypatch):
    highest = trained(epochs=1)
    without = dataclasses.replace(isa.current(), bf16_tiles=False)
    monkeypatch.setattr(isa, "current", lambda: without)

    assert_same_bits(trained(epochs=1, matmul_precision=precision), highest)


@NEEDS_TILES
def test_each_precision_gives_different_bits():
    first, *others = (trained(epochs=1, matmul_precision=name)["theta"] for name in PRECISIONS)

    for other in others:
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["hihg", "bf16", "", None])
def test_an_unknown_precision_is_one_sentence(name):
    model = fastmlp.Sequential(Linear(4, 3))

    with refused((ValueError, TypeError), "matmul_precision", *PRECISIONS):
        model.fit(np.ones((5, 4)), np.zeros(5, int), matmul_precision=name, verbose=False)


def test_each_kernel_is_compiled_once_per_dtype():
    for dtype in ("float32", "float64"):
        for precision in PRECISIONS:
            trained(dtype=dtype, matmul_precision=precision)  # the whole run in one call
            trained(dtype=dtype, matmul_precision=precision, callbacks=[fastmlp.Callback()])

    called = [link.kernel() for link in calls.ALL if not isinstance(link, Family)]
    for family, code in (each for each in calls.everything() if isinstance(each, tuple)):
        called.append(family.kernel(code))
    for kernel in called:
        assert len(kernel.signatures) <= 2, kernel
    assert len(kernels.engine.epoch.train_epoch.signatures) == 2
    rounding = kernels.cores.TABLE[kernels.cores.CODES["affine_bf16"]].take_input
    assert len(rounding.signatures) == (1 if TILES else 0)


@given(st.sampled_from(PRECISIONS))
def test_the_number_of_parts_is_known(precision):
    assert bf16_parts(precision, np.dtype(np.float64)) == 0
    expected = {"highest": 0, "high": 2, "medium": 1}[precision]
    assert bf16_parts(precision, FLOAT32) == (expected if TILES else 0)


def trained_on(n_threads, build, X, y, options):
    """Train on n_threads for steps of any size, with every weight large enough to be divided."""
    model, rule = fastmlp.Sequential(*build(), seed=1), OPTIMIZERS["adam"](max_norm=2.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "_FLOPS_WORTH_A_THREAD", 1)
        if options["shares_columns"]:
            patch.setattr(kernels.cores.affine, "LARGE_WEIGHT", 1)
        history = model.fit(
            X, y, optimizer=rule, epochs=2, n_threads=n_threads, verbose=False, l2=0.01,
            **{name: value for name, value in options.items() if name != "shares_columns"},
        )  # fmt: skip
    return [model.theta, history.steps, *rule.state.values()]


@PRECISION
@given(
    architectures(max_width=150),
    st.sampled_from(list(LOSSES)),
    st.integers(1, 150),
    st.integers(1, 100),
    st.booleans(),
    seeds,
)
def test_threads_do_not_change_bits_of_any_network(
    precision, architecture, loss, N, batch_size, shares_columns, seed
):
    D, C, build = architecture
    X, y = filled((N, D), "normal", seed).astype(np.float32), targets(loss, N, C, seed)
    options = {
        "loss": loss,
        "batch_size": min(batch_size, N),
        "matmul_precision": precision,
        "shares_columns": shares_columns,
    }
    one = trained_on(1, build, X, y, options)

    for n_threads in (2, 3, 8):
        for a, b in zip(trained_on(n_threads, build, X, y, options), one, strict=True):
            np.testing.assert_array_equal(a, b)


@LOWER
@given(
    architectures(max_width=150),
    st.sampled_from(list(LOSSES)),
    st.sampled_from(list(OPTIMIZERS)),
    st.integers(1, 150),
    st.integers(1, 100),
    seeds,
)
def test_prior_contents_of_memory_do_not_matter_to_any_network(
    precision, architecture, loss, optimizer, N, batch_size, seed
):
    D, C, layers_of = architecture
    X, y = filled((N, D), "normal", seed).astype(np.float32), targets(loss, N, C, seed)

    def build():
        model = fastmlp.Sequential(*layers_of(), seed=seed)
        return model, OPTIMIZERS[optimizer](clip_norm=1.0 if seed % 2 else None)

    assert_memory_does_not_matter(
        build, X, y, loss=loss, epochs=1, batch_size=min(batch_size, N), matmul_precision=precision
    )
