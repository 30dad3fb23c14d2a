"""Whole training steps against the reference, for every optimizer, loss and activation."""

import itertools

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import ACTIVATION_LAYERS, OPTIMIZERS, architectures, blobs, for_reference, targets
from strategies import LOSSES, dtypes, filled, seeds
from tolerance import assert_close

import fastmlp
from fastmlp.layers import BatchNorm, LayerNorm, Linear, ReLU, Tanh


def has_batch_norm(model):
    return any(isinstance(layer, BatchNorm) for layer in model.layers)


def assert_follows_the_reference(model, X, y, loss, optimizer, *, epochs, batch, l2=0.0, **limits):
    """Train the model and the reference on the same rows in the same order, and compare."""
    network, params = for_reference(model)
    dtype, state, losses = model.theta.dtype, {}, []
    rule = optimizer, reference.RULES[optimizer]
    X64 = X.astype(dtype).astype(np.float64)
    starts = list(range(0, len(X), batch))
    if has_batch_norm(model) and len(X) - starts[-1] == 1 and len(starts) > 1:
        starts.pop()  # the last row joins the batch before it
    for _ in range(epochs):
        for start, end in itertools.pairwise([*starts, len(X)]):
            rows = slice(start, end)
            value, params = reference.train_step(
                network, params, state, X64[rows], y[rows], loss, rule, l2=l2, **limits
            )
            losses.append(value)

    history = model.fit(
        X.astype(dtype),
        y,
        loss=loss,
        optimizer=OPTIMIZERS[optimizer](**limits),
        epochs=epochs,
        batch_size=batch,
        l2=l2,
        shuffle=False,
        verbose=False,
    )

    # Rounding errors add up over all products of all layers in all steps.
    widest = max(p.size for p in params.values())
    K = len(losses) * len(network) * widest
    size = max(1.0, np.max(np.abs(losses)))
    assert_close(history.steps, losses, dtype=dtype, K=K, scale=size)
    for name, expected in params.items():
        scale = np.maximum(size, np.abs(expected))
        assert_close(model.params[name], expected, K=K, scale=scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "limits",
    [{}, {"weight_decay": 0.05, "clip_norm": 0.7, "max_norm": 1.2}],
    ids=["plain", "limited"],
)
def test_every_optimizer_follows_the_reference(optimizer, limits, dtype):
    X, y = blobs(50, 6, 3)
    model = fastmlp.Sequential(
        Linear(6, 17, bias=False),  # the gradient of a bias before BatchNorm would be rounding
        BatchNorm(17), ReLU(), Linear(17, 9), LayerNorm(9), Tanh(), Linear(9, 3), dtype=dtype,
    )  # fmt: skip
    if optimizer in reference.DECOUPLED:
        limits = {"weight_decay": 0.1} | limits

    assert_follows_the_reference(
        model, X, y, "cross_entropy", optimizer, epochs=2, batch=16, l2=0.01, **limits
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss", [name for name in LOSSES if not fastmlp.losses.get(name).parameter]
)
def test_every_loss_follows_the_reference(loss, dtype):
    X, y = filled((40, 6), "normal", 0), targets(loss, 40, 3)
    model = fastmlp.Sequential(Linear(6, 16), ReLU(), Linear(16, 3), dtype=dtype)

    assert_follows_the_reference(model, X, y, loss, "momentum", epochs=2, batch=16)


@pytest.mark.parametrize("activation", ACTIVATION_LAYERS.values())
def test_every_activation_follows_the_reference(activation):
    X, y = blobs(40, 6, 3)
    model = fastmlp.Sequential(Linear(6, 19), activation(), Linear(19, 3))

    assert_follows_the_reference(model, X, y, "cross_entropy", "adam", epochs=2, batch=16)


@settings(max_examples=60)
@given(architectures(dropout=False), st.integers(1, 40), st.integers(1, 17), dtypes, seeds)
def test_any_architecture_follows_the_reference(architecture, N, batch, dtype, seed):
    D, C, build = architecture
    X, y = filled((N, D), "normal", seed), targets("cross_entropy", N, C, seed)
    model = fastmlp.Sequential(*build(), seed=seed, dtype=dtype)
    assume(min(N, batch) > 1 or not has_batch_norm(model))  # otherwise it uses running statistics

    assert_follows_the_reference(model, X, y, "cross_entropy", "sgd", epochs=1, batch=min(batch, N))
