"""Compiled training agrees with the layer-by-layer loop that it falls back to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import OPTIMIZERS, SMOOTH, Identity, architectures, targets
from strategies import LOSSES, dtypes, filled, seeds
from tolerance import assert_close

import fastmlp
from fastmlp.layers import (
    BatchNorm,
    Dropout,
    LeakyReLU,
    Linear,
    Mish,
    Normalize,
    ParametricActivation,
    ReLU,
    Tanh,
)

BATCH = 16


def both_ways(build, dtype, seed):
    """Return a network that compiles, and its twin, which does not because of a custom layer."""
    compiled = fastmlp.Sequential(*build(), seed=seed, dtype=dtype)
    layerwise = fastmlp.Sequential(*build(), Identity(), seed=seed, dtype=dtype)
    np.testing.assert_array_equal(compiled.theta, layerwise.theta)
    return compiled, layerwise


def held(model, optimizer):
    """Return what training changed: parameters, statistics, optimizer state, in float64."""
    arrays = {f"state {n}": a for n, a in optimizer.state.items()} | dict(model.params)
    for i, layer in enumerate(model.layers):
        arrays |= {f"{i}.{n}": a for n, a in getattr(layer, "state", {}).items()}
    return {name: np.asarray(a, np.float64) for name, a in arrays.items()}


def assert_agree(ours, other, dtype, *, K, size):
    assert ours.keys() == other.keys()
    for name in ours:
        scale = np.maximum(size, np.abs(other[name]))
        assert_close(ours[name], other[name], dtype=dtype, K=K, scale=scale)


@settings(max_examples=150)
@given(
    architectures(),
    st.sampled_from(list(LOSSES)),
    st.sampled_from(SMOOTH),
    st.integers(1, 3 * BATCH),
    dtypes,
    seeds,
    st.data(),
)
def test_training_agrees(architecture, loss, optimizer, N, dtype, seed, data):
    D, C, build = architecture
    compiled, layerwise = both_ways(build, dtype, seed)
    X, y = filled((N, D), "normal", seed).astype(dtype), targets(loss, N, C, seed)
    limits = {
        "weight_decay": data.draw(st.sampled_from([0.0, 0.02])),
        "clip_norm": data.draw(st.sampled_from([None, 0.5])),
        "max_norm": data.draw(st.sampled_from([None, 1.5])),
    }
    options = {
        "loss": loss,
        "epochs": 2,
        "batch_size": min(BATCH, N),
        "l2": data.draw(st.sampled_from([0.0, 0.01])),
        "sample_weight": np.linspace(1, 2, N) if data.draw(st.booleans()) else None,
        "seed": seed,
        "validation_data": (X, y),
        "verbose": False,
    }
    if loss == "cross_entropy":
        options["label_smoothing"] = data.draw(st.sampled_from([0.0, 0.1]))
    fast, slow = OPTIMIZERS[optimizer](**limits), OPTIMIZERS[optimizer](**limits)

    ours = compiled.fit(X, y, optimizer=fast, **options)
    other = layerwise.fit(X, y, optimizer=slow, **options)

    # Rounding grows along the way: every product of every layer in every step adds its own.
    K = len(other.steps) * len(compiled.layers) * 40 * BATCH
    size = max(1.0, float(np.max(np.abs(other.steps))))
    assert_close(ours.steps, other.steps, dtype=dtype, K=K, scale=size)
    assert_close(ours["val_loss"], other["val_loss"], dtype=dtype, K=K, scale=size)
    assert_agree(held(compiled, fast), held(layerwise, slow), dtype, K=K, size=size)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer_agrees(optimizer, dtype):
    def build():  # no bias before BatchNorm: its gradient is only rounding
        return [
            Linear(6, 17, bias=False),
            BatchNorm(17),
            Tanh(),
            Linear(17, 5),
            Tanh(),
            Linear(5, 3),
        ]

    compiled, layerwise = both_ways(build, dtype, 1)
    X, y = filled((40, 6), "normal", 0).astype(dtype), targets("cross_entropy", 40, 3)
    limits = {"weight_decay": 0.02, "clip_norm": 0.5, "max_norm": 1.5}
    fast, slow = OPTIMIZERS[optimizer](**limits), OPTIMIZERS[optimizer](**limits)
    options = {"epochs": 2, "batch_size": BATCH, "l2": 0.01, "seed": 3, "verbose": False}

    compiled.fit(X, y, optimizer=fast, **options)
    layerwise.fit(X, y, optimizer=slow, **options)

    assert_agree(held(compiled, fast), held(layerwise, slow), dtype, K=6 * 6 * 40 * BATCH, size=1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "activations",
    [
        [ReLU],
        [LeakyReLU],
        [Mish],
        [lambda: ParametricActivation(11, "mish")],
        [lambda: ParametricActivation(11, "selu"), Tanh],  # dropout comes after both
    ],
    ids=["sign", "sign and slope", "slope", "mixed", "mixed and another"],
)
def test_the_mask_of_dropout_reaches_the_gradient(activations, dtype):
    """However it gets there: drawn again, by the sign of the output, or in what was kept."""

    def build():
        made = [make() for make in activations]
        mixed = ParametricActivation(6, "silu")
        return [mixed, Dropout(0.3), Linear(6, 11), *made, Dropout(0.4), Linear(11, 3)]

    compiled, layerwise = both_ways(build, dtype, 1)
    X, y = filled((40, 6), "normal", 0).astype(dtype), targets("mse", 40, 3)
    options = {"loss": "mse", "epochs": 2, "batch_size": BATCH, "seed": 3, "verbose": False}
    rules = fastmlp.SGD(lr=0.1), fastmlp.SGD(lr=0.1)

    for model, rule in zip((compiled, layerwise), rules, strict=True):
        model.fit(X, y, optimizer=rule, **options)

    assert compiled.has_plan
    ours, other = (held(m, r) for m, r in zip((compiled, layerwise), rules, strict=True))
    assert_agree(ours, other, dtype, K=6 * 6 * 40 * BATCH, size=1.0)


@settings(max_examples=60)
@given(architectures(), st.sampled_from(list(LOSSES)), dtypes, seeds, st.booleans())
def test_gradients_agree(architecture, loss, dtype, seed, train):
    D, C, build = architecture
    compiled, layerwise = both_ways(build, dtype, seed)
    X, y = filled((BATCH, D), "normal", seed).astype(dtype), targets(loss, BATCH, C, seed)

    value, grads = compiled.loss_and_grads(X, y, loss=loss, l2=0.01, train=train)
    other_value, other_grads = layerwise.loss_and_grads(X, y, loss=loss, l2=0.01, train=train)

    K = len(compiled.layers) * 40 * BATCH
    size = max(1.0, abs(other_value), *(float(np.abs(g).max()) for g in other_grads.values()))
    assert_close(value, other_value, dtype=dtype, K=K, scale=size)
    assert_agree(grads, other_grads, dtype, K=K, size=size)


@settings(max_examples=60)
@given(architectures(), st.integers(1, 90), dtypes, seeds)
def test_predictions_agree(architecture, N, dtype, seed):
    D, _, build = architecture
    compiled, layerwise = both_ways(build, dtype, seed)
    X = filled((N, D), "normal", seed).astype(dtype)

    ours, other = compiled.predict(X), layerwise.predict(X)

    K = len(compiled.layers) * 40
    assert_close(ours, other, dtype=dtype, K=K, scale=max(1.0, float(np.abs(other).max())))


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
def test_raw_inputs_of_every_type_agree(source):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (64, 30)).astype(source)
    y = rng.integers(0, 4, 64)

    def build():
        return [
            Normalize(np.full(30, 128.0), np.full(30, 70.0)),
            Linear(30, 20),
            ReLU(),
            Linear(20, 4),
        ]

    compiled, layerwise = both_ways(build, "float32", 1)
    options = {"epochs": 2, "batch_size": BATCH, "seed": 1, "verbose": False}

    ours = compiled.fit(X, y, optimizer=OPTIMIZERS["adam"](), **options)
    other = layerwise.fit(X, y, optimizer=OPTIMIZERS["adam"](), **options)

    assert_close(ours.steps, other.steps, dtype="float32", K=8 * 4 * 30 * BATCH, scale=10.0)


def test_built_in_layers_compile_and_others_cause_one_line(capsys):
    X, y = filled((32, 6), "normal", 0).astype("float32"), targets("cross_entropy", 32, 3)

    def build():
        return [fastmlp.Linear(6, 5), fastmlp.ReLU(), fastmlp.Linear(5, 3)]

    compiled, layerwise = both_ways(build, "float32", 0)

    compiled.fit(X, y, epochs=2, batch_size=8, verbose=False)
    quiet = capsys.readouterr()
    layerwise.fit(X, y, epochs=2, batch_size=8, verbose=False)
    said = capsys.readouterr()

    assert (quiet.out, quiet.err) == ("", "")
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "layer by layer" in said.err


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(("D", "H", "N"), [(65, 512, 100), (528, 512, 70), (90, 1000, 300)])
def test_wide_layers_whose_pieces_share_a_packed_gradient(D, H, N, n_threads):
    compiled, layerwise = both_ways(lambda: (Linear(D, H), Tanh(), Linear(H, H)), "float32", 5)
    X, y = filled((N, D), "normal", 1).astype("float32"), targets("mse", N, H, 1)
    fast, slow = OPTIMIZERS["sgd"](), OPTIMIZERS["sgd"]()
    options = {"loss": "mse", "epochs": 2, "batch_size": N, "verbose": False}

    compiled.fit(X, y, optimizer=fast, n_threads=n_threads, **options)
    layerwise.fit(X, y, optimizer=slow, **options)

    ours, other = held(compiled, fast), held(layerwise, slow)
    assert_agree(ours, other, "float32", K=2 * (D + 2 * H + N), size=1.0)
