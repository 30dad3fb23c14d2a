"""Prior contents of memory do not matter, and each kernel is compiled once per dtype."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import ACTIVATION_LAYERS, OPTIMIZERS, architectures, every_layer, targets
from strategies import LOSSES, dtypes, filled, seeds

import fastmlp
from fastmlp import ops

REAL_ALIGNED_ZEROS = ops.aligned_zeros


def trained_in_memory_of(value, model, optimizer, X, y, **options):
    """Train and predict with workspace and scratch memory filled with value; return all results."""
    optimizer.prepare(model)
    model.grad.fill(0.0)  # create what is kept between steps before

    def filled_with_value(size, dtype):
        memory = REAL_ALIGNED_ZEROS(size, dtype)
        memory.fill(value)
        return memory

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "aligned_zeros", filled_with_value)
        history = model.fit(X, y, optimizer=optimizer, verbose=False, **options)
        outputs = model.predict(X)
    return [model.theta.copy(), history.steps, outputs, *optimizer.state.values()]


def assert_memory_does_not_matter(build, *arguments, **options):
    results = []
    for value in (0.0, np.nan):
        model, optimizer = build()
        results.append(trained_in_memory_of(value, model, optimizer, *arguments, **options))
    for clean, poisoned in zip(*results, strict=True):
        assert np.isfinite(clean).all()
        np.testing.assert_array_equal(clean, poisoned)


@given(
    architectures(),
    st.sampled_from(list(LOSSES)),
    st.sampled_from(list(OPTIMIZERS)),
    st.integers(1, 50),
    st.integers(1, 20),
    dtypes,
    seeds,
)
def test_any_network(architecture, loss, optimizer, N, batch_size, dtype, seed):
    D, C, layers_of = architecture
    X, y = filled((N, D), "normal", seed).astype(dtype), targets(loss, N, C, seed)

    def build():
        model = fastmlp.Sequential(*layers_of(), seed=seed, dtype=dtype)
        return model, OPTIMIZERS[optimizer](clip_norm=1.0 if seed % 2 else None)

    assert_memory_does_not_matter(
        build, X, y, loss=loss, epochs=2, batch_size=min(batch_size, N), l2=0.01
    )


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATION_LAYERS)
def test_shared_among_threads(activation, n_threads):
    X, y = filled((200, 70), "normal", 0).astype("float32"), targets("cross_entropy", 200, 10)

    def build():
        model = every_layer(70, 131, 10, activation=ACTIVATION_LAYERS[activation])
        return model, OPTIMIZERS["adam"]()

    assert_memory_does_not_matter(build, X, y, epochs=2, batch_size=77, n_threads=n_threads)


def test_the_poison_reaches_the_workspace():
    model = every_layer(6, 9, 3)
    made = []

    def noted(size, dtype):
        made.append(size)
        return REAL_ALIGNED_ZEROS(size, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "aligned_zeros", noted)
        model.fit(np.ones((8, 6)), np.zeros(8, int), epochs=1, batch_size=8, verbose=False)

    assert len(made) >= 2


def test_each_kernel_has_one_specialisation_per_dtype():
    from numba.core.dispatcher import Dispatcher

    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (60, 6))
    for dtype in ("float32", "float64"):
        for source in ("uint8", "float32", "float64"):
            for loss in LOSSES:
                model = every_layer(6, 9, 3, dtype=dtype)
                data, y = X.astype(source), targets(loss, 60, 3)
                data.flags.writeable = False
                rule = fastmlp.SGD(lr=1e-4, momentum=0.9, clip_norm=1.0, max_norm=3.0)
                options = {"sample_weight": np.arange(1.0, 61.0), "validation_data": (data, y)}
                model.fit(data, y, loss=loss, optimizer=rule, epochs=2, verbose=False,
                          batch_size=25, **options)  # fmt: skip
                model.predict(np.asfortranarray(data))
                model.loss_and_grads(data, y, loss=loss, l2=0.1, train=True)

    kernels = [
        d
        for d in gc.get_objects()
        if issubclass(type(d), Dispatcher)  # isinstance fails for dead proxies
        and d.py_func.__module__.startswith("fastmlp")
        and not d.targetoptions.get("no_cpython_wrapper")  # only kernels call it, of any shape
    ]

    assert any(d.signatures for d in kernels)
    for kernel in kernels:
        assert len(kernel.signatures) <= 2, f"{kernel}: {kernel.signatures}"
