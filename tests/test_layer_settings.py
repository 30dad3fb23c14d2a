"""Layer settings can be changed at any time, in both engines; sizes cannot."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import Identity, blobs
from sentences import refused

import fastmlp
from fastmlp import Adam
from fastmlp.callbacks import Callback
from fastmlp.layers import ELU, BatchNorm, Dropout, LayerNorm, LeakyReLU, Linear, Sigmoid

X, Y = blobs(70, 6, 3)

INFERENCE = {
    "negative_slope": (LeakyReLU, 0.01, 0.6),
    "alpha": (ELU, 1.0, 0.25),
    "eps of BatchNorm": (lambda eps: BatchNorm(9, eps=eps), 1e-5, 0.5),
    "eps of LayerNorm": (lambda eps: LayerNorm(9, eps=eps), 1e-5, 0.5),
}
TRAINING = INFERENCE | {
    "p": (Dropout, 0.0, 0.4),
    "momentum": (lambda momentum: BatchNorm(9, momentum=momentum), 0.9, 0.2),
}


def network(layer, engine):
    """Return a network that contains the layer and runs in the given engine."""
    own = [Identity()] if engine == "layer by layer" else []
    return fastmlp.Sequential(Linear(6, 9), layer, Sigmoid(), Linear(9, 3), *own, seed=2)


def change(model, name, value):
    setattr(model.layers[1], name.split()[0], value)


def fit(model, optimizer=None, **options):
    model.fit(
        X, Y, optimizer=optimizer or Adam(0.01), batch_size=16, verbose=False,
        **({"epochs": 1} | options),
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["compiled", "layer by layer"])
@pytest.mark.parametrize("name", INFERENCE)
@pytest.mark.parametrize("n_rows", [1, 70])
def test_a_prediction_uses_the_current_settings(name, engine, n_rows):
    make, before, after = INFERENCE[name]
    model = network(make(before), engine)
    old = model.predict(X[:n_rows])

    change(model, name, after)

    expected = network(make(after), engine).predict(X[:n_rows])
    assert not np.array_equal(expected, old)
    np.testing.assert_array_equal(model.predict(X[:n_rows]), expected)
    change(model, name, before)
    np.testing.assert_array_equal(model.predict(X[:n_rows]), old)


def test_evaluate_uses_the_current_settings_too():
    model = network(LeakyReLU(0.01), "compiled")
    model.evaluate(X, Y)

    model.layers[1].negative_slope = 0.7

    assert model.evaluate(X, Y) == network(LeakyReLU(0.7), "compiled").evaluate(X, Y)


def test_another_thread_sees_the_change():
    model = network(ELU(1.0), "compiled")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(model.predict, X).result()
        model.layers[1].alpha = 0.3
        seen = thread.submit(model.predict, X).result()

    np.testing.assert_array_equal(seen, network(ELU(0.3), "compiled").predict(X))


@pytest.mark.parametrize("engine", ["compiled", "layer by layer"])
@pytest.mark.parametrize("name", TRAINING)
def test_training_uses_the_current_settings(name, engine):
    make, before, after = TRAINING[name]
    model, expected = network(make(before), engine), network(make(after), engine)
    model.predict(X)

    change(model, name, after)
    fit(model)
    fit(expected)

    np.testing.assert_array_equal(model.theta, expected.theta)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


class Change(Callback):
    """Changes a setting after the first epoch, as a dropout schedule would."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def on_epoch_end(self, epoch, record, model):
        if epoch == 0:
            change(model, self.name, self.value)


@pytest.mark.parametrize("engine", ["compiled", "layer by layer"])
@pytest.mark.parametrize("name", TRAINING)
def test_a_callback_changes_what_the_next_epoch_does(name, engine):
    make, before, after = TRAINING[name]
    whole, parts, optimizer = network(make(before), engine), network(make(before), engine), Adam()

    fit(whole, Adam(), epochs=2, callbacks=[Change(name, after)])
    fit(parts, optimizer)
    change(parts, name, after)
    fit(parts, optimizer)

    np.testing.assert_array_equal(whole.theta, parts.theta)


def test_dropout_with_p_zero_keeps_its_place_among_the_layers():
    """With p = 0 for now, it must still be the activation's input that is dropped later."""
    model = network(Dropout(0.0), "compiled")
    other = network(Dropout(0.0), "layer by layer")
    for m in (model, other):
        m.layers[1].p = 0.5
        fit(m)

    np.testing.assert_allclose(model.theta, other.theta, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "name", "wrong"),
    [
        (Dropout(0.5), "p", 1.5),
        (Dropout(0.5), "p", "a half"),
        (LeakyReLU(), "negative_slope", -0.1),
        (ELU(), "alpha", float("nan")),
        (BatchNorm(4), "momentum", 1.0),
        (BatchNorm(4), "eps", 0.0),
        (LayerNorm(4), "eps", None),
    ],
)
def test_an_invalid_value_is_refused_and_the_old_one_stays(layer, name, wrong):
    before = getattr(layer, name)

    with refused((TypeError, ValueError), name):
        setattr(layer, name, wrong)

    assert getattr(layer, name) == before


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (Linear(4, 3), "in_features"),
        (Linear(4, 3), "out_features"),
        (Linear(4, 3, bias=False), "has_bias"),
        (BatchNorm(4), "n_features"),
        (LayerNorm(4), "n_features"),
    ],
)
def test_sizes_cannot_be_changed(layer, name):
    with refused(AttributeError, name, "new layer"):
        setattr(layer, name, 7)
