"""The same seed gives the same bits: when repeated, continued, or run on more threads."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from networks import ACTIVATION_LAYERS, OPTIMIZERS, blobs, every_layer, targets
from strategies import LOSSES

import fastmlp
from fastmlp import layers, optimizers, schedules

X, Y = blobs(700, 100, 10)
STATE = ("running_mean", "running_var")


def trained(*, epochs=2, activation=layers.ReLU, optimizer="adam", seed=0, dtype="float32", **fit):
    """Train a network that is wide enough for several threads; return all of its arrays."""
    model = every_layer(100, 192, 10, activation=activation, seed=seed, dtype=dtype)
    options = {"y": Y, "batch_size": 128, "seed": seed, "verbose": False} | fit
    y = options.pop("y")
    rule = OPTIMIZERS[optimizer]()
    history = model.fit(X.astype(dtype), y, epochs=epochs, optimizer=rule, **options)
    return contents(model, rule, history)


def contents(model, optimizer, history):
    """Return every array that training writes, by name."""
    held = {"theta": model.theta, "losses": np.asarray(history.steps)}
    held |= optimizer.state
    held |= {f"{i}.{n}": a for i, la in enumerate(model.layers) for n, a in la.state.items()}
    return {name: np.array(a) for name, a in held.items()}


def assert_same_bits(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_bits_twice(dtype):
    assert_same_bits(trained(dtype=dtype), trained(dtype=dtype))


def test_another_seed_gives_other_bits():
    assert not np.array_equal(trained(seed=0)["theta"], trained(seed=1)["theta"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_threads_do_not_change_bits_for_any_optimizer(optimizer):
    one = trained(optimizer=optimizer, n_threads=1)

    for n_threads in (2, 3, 8):
        assert_same_bits(trained(optimizer=optimizer, n_threads=n_threads), one)


@pytest.mark.parametrize("activation", ACTIVATION_LAYERS.values())
def test_threads_do_not_change_bits_for_any_activation(activation):
    one = trained(activation=activation, n_threads=1)

    for n_threads in (2, 3):
        assert_same_bits(trained(activation=activation, n_threads=n_threads), one)


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_do_not_change_bits_for_any_loss(loss):
    y = targets(loss, 700, 10)
    one = trained(loss=loss, y=y, n_threads=1)

    for n_threads in (2, 3):
        assert_same_bits(trained(loss=loss, y=y, n_threads=n_threads), one)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_do_not_change_bits_with_penalties_clipping_and_weights(n_threads):
    options = {
        "l2": 0.01,
        "sample_weight": np.linspace(0.5, 2.0, 700),
        "class_weight": {0: 2.0, 3: 0.5},
        "label_smoothing": 0.1,
        "validation_data": (X[:50], Y[:50]),
    }

    one = trained(n_threads=1, **options)

    assert_same_bits(trained(n_threads=n_threads, **options), one)


class HugeFrom(schedules.Schedule):
    """A rate of 0.001, and from a step on one that no network survives."""

    def __init__(self, step):
        self.step = step

    def rates(self, first_step, n_steps, steps_per_epoch, total_steps):
        steps = np.arange(first_step, first_step + n_steps)
        return np.where(steps < self.step, 1e-3, 1e30)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_all_threads_together_restore_every_parameter_after_divergence(n_threads):
    kept, diverged = (layers_of_odd_sizes() for _ in range(2))
    rules = [optimizers.Adam(lr=HugeFrom(70)) for _ in range(2)]
    options = {"batch_size": 128, "seed": 0, "verbose": False, "n_threads": n_threads}

    kept.fit(X, Y, epochs=11, optimizer=rules[0], **options)  # 66 steps; the first copy is at 66
    history = diverged.fit(X, Y, epochs=14, optimizer=rules[1], **options)

    assert history.stopped.startswith("diverged")
    assert rules[1].t == 66
    np.testing.assert_array_equal(diverged.theta, kept.theta)
    for name, array in rules[0].state.items():
        np.testing.assert_array_equal(rules[1].state[name], array)


def layers_of_odd_sizes():
    """Return a network whose arrays do not divide evenly among threads."""
    sizes = (100, 195, 201, 10)
    stack = [layers.Linear(a, b) for a, b in pairwise(sizes)]
    return fastmlp.Sequential(stack[0], layers.ReLU(), stack[1], layers.ReLU(), stack[2], seed=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_continues_where_it_stopped(optimizer):
    def build():
        return every_layer(100, 192, 10, seed=3), OPTIMIZERS[optimizer]()

    options = {"batch_size": 128, "seed": 5, "verbose": False}
    model, rule = build()
    whole = model.fit(X, Y, epochs=3, optimizer=rule, **options)
    parts, parts_rule = build()

    first = parts.fit(X, Y, epochs=1, optimizer=parts_rule, **options)
    second = parts.fit(X, Y, epochs=2, optimizer=parts_rule, **options)

    np.testing.assert_array_equal([*first.steps, *second.steps], whole.steps)
    np.testing.assert_array_equal(parts.theta, model.theta)
    assert parts_rule.t == rule.t


@pytest.mark.parametrize("poison", [0.0, np.nan])
def test_predictions_do_not_depend_on_threads_or_batches(poison):
    model = every_layer(100, 192, 10, seed=3)
    rows = X.copy()
    rows[5, 7] = poison

    outputs = model.predict(rows)

    for n in (1, 2, 63, 300):
        np.testing.assert_array_equal(model.predict(rows[:n]), outputs[:n])
    assert np.isnan(outputs[5]).all() == np.isnan(poison)
    assert np.isfinite(np.delete(outputs, 5, axis=0)).all()


OTHER_KERNELS_FIRST = """
import sys
import hashlib
import numpy as np
from fastmlp import layers, losses
from test_determinism import trained
if sys.argv[1] == "after":
    x = np.ones((20, 30), "float32")
    parts = [layers.Linear(30, 30), layers.ReLU(), layers.BatchNorm(30), layers.LayerNorm(30)]
    for layer in [*parts, layers.Dropout(0.3)]:
        layer.backward(layer.forward(x, train=True))
    losses.CrossEntropy().value_and_gradient(x, np.zeros(20, int))
    trained(dtype="float64", epochs=1)
for name, array in sorted(trained().items()):
    print(name, hashlib.sha256(array.tobytes()).hexdigest())
"""


def test_earlier_work_in_the_process_does_not_change_bits():
    """A function that two kernels contain is linked once; it must not matter which copy is used."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", OTHER_KERNELS_FIRST, when],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
            cwd=Path(__file__).parent,
        ).stdout
        for when in ("before", "before", "after")  # the first run may still compile
    ]

    assert "theta" in runs[0]
    assert runs[0] == runs[1] == runs[2]
