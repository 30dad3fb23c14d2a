"""A user's first steps, and the forms that a custom layer can take."""

import copy
import pickle
import signal

import numpy as np
import pytest
from networks import blobs

import fastmlp
from fastmlp import Adam, EarlyStopping, Linear, ReLU, Sequential
from fastmlp.callbacks import Callback

X, Y = blobs(200, 6, 3)


class OwnLinear:
    """Has its arrays as attributes too, assigns its gradients, and takes no ``train``."""

    def __init__(self, n_in, n_out):
        self.W = np.random.default_rng(0).standard_normal((n_in, n_out)) * 0.3
        self.params = {"W": self.W}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.grads = {"W": self.x.T @ dy}
        return dy @ self.W.T


def small(*extra, **options):
    return Sequential(Linear(6, 16), ReLU(), Linear(16, 3), *extra, **options)


def test_a_custom_layer_with_arrays_as_attributes_trains_like_linear():
    own = Sequential(OwnLinear(6, 3), dtype="float64")
    ours = Sequential(Linear(6, 3, bias=False), dtype="float64")
    ours.layers[0].weight = own.params["0.W"]

    for model in (own, ours):
        model.fit(X, Y, optimizer=Adam(0.01), epochs=2, batch_size=32, verbose=False)

    np.testing.assert_allclose(own.theta, ours.theta, rtol=1e-9, atol=1e-12)
    assert np.shares_memory(own.layers[0].W, own.theta)


def test_arrays_assigned_in_a_custom_layer_are_used():
    model = Sequential(OwnLinear(6, 3), dtype="float64")

    model.layers[0].params = {"W": np.zeros((6, 3))}

    assert not model.predict(X).any()
    assert not model.theta.any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_independent_and_can_be_trained_further(copied):
    model, optimizer = small(), Adam()
    model.fit(X, Y, optimizer=optimizer, epochs=1, batch_size=32, verbose=False)

    twin, twin_optimizer = copied((model, optimizer))
    for m, o in ((model, optimizer), (twin, twin_optimizer)):
        m.fit(X, Y, optimizer=o, epochs=1, batch_size=32, verbose=False)
    np.testing.assert_array_equal(twin.theta, model.theta)
    twin.layers[0].weight[...] = 0

    assert model.layers[0].weight.any()
    assert np.shares_memory(twin.layers[0].weight, twin.theta)


class PressCtrlC(Callback):
    """Sends this process the signal of Ctrl-C."""

    def on_epoch_end(self, epoch, record, model):
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)


class PressingLayer:
    """Sends it in the middle of a step."""

    def __init__(self):
        self.calls = 0

    def forward(self, x, train=False):
        self.calls += train
        if self.calls == 3:
            signal.raise_signal(signal.SIGINT)
        return x

    def backward(self, dy):
        return dy


def test_ctrl_c_between_epochs_keeps_what_was_learned(capsys):
    model = small()

    history = model.fit(X, Y, epochs=9, batch_size=32, callbacks=[PressCtrlC()], verbose=False)

    assert history.stopped == "interrupted"
    assert len(history) == 2
    assert "interrupted" in capsys.readouterr().err


def test_ctrl_c_in_a_step_completes_the_step():
    model, optimizer = small(PressingLayer()), Adam()

    history = model.fit(X, Y, optimizer=optimizer, epochs=9, batch_size=32, verbose=False)

    assert history.stopped == "interrupted"
    assert optimizer.t == len(history.steps) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_best_parameters_come_back():
    model, optimizer = small(), Adam(0.05)
    best = EarlyStopping(patience=2, monitor="val_accuracy")

    history = model.fit(
        X,
        Y,
        optimizer=optimizer,
        epochs=50,
        batch_size=32,
        validation_data=(X[:50], Y[:50]),
        early_stopping=best,
        restore_best=True,
        verbose=False,
    )

    assert history.stopped == "early stopping"
    assert len(history) == history.best_epoch + 3
    assert model.evaluate(X[:50], Y[:50])[1] == max(history.val_accuracy)


def test_an_optimizer_given_by_name_is_kept_between_fits():
    whole, parts = small(), small()

    whole.fit(X, Y, epochs=2, batch_size=32, verbose=False)
    for _ in range(2):
        parts.fit(X, Y, epochs=1, batch_size=32, verbose=False)

    np.testing.assert_array_equal(parts.theta, whole.theta)


def test_an_optimizer_starts_from_scratch_with_another_model():
    optimizer = Adam()
    small().fit(X, Y, optimizer=optimizer, epochs=2, batch_size=32, verbose=False)
    one, other = small(), small()

    one.fit(X, Y, optimizer=optimizer, epochs=1, batch_size=32, verbose=False)
    other.fit(X, Y, optimizer=Adam(), epochs=1, batch_size=32, verbose=False)

    np.testing.assert_array_equal(one.theta, other.theta)


@pytest.mark.parametrize("strange", ["read-only", "big-endian", "fortran", "strided"])
def test_data_of_any_layout_trains_the_same(strange):
    as_it_is = {
        "read-only": lambda: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
        "big-endian": lambda: X.astype(">f4"),
        "fortran": lambda: np.asfortranarray(X),
        "strided": lambda: np.repeat(X, 2, axis=1)[:, ::2],
    }[strange]()
    usual, other = small(), small()

    usual.fit(X, Y, epochs=1, batch_size=32, verbose=False)
    other.fit(as_it_is, Y, epochs=1, batch_size=32, verbose=False)

    np.testing.assert_array_equal(other.theta, usual.theta)
    np.testing.assert_array_equal(other.predict(as_it_is), usual.predict(X))


def test_a_layer_belongs_to_one_model():
    layer = Linear(6, 3)
    Sequential(layer)

    with pytest.raises(ValueError, match="deepcopy"):
        Sequential(layer)


def test_a_layer_with_values_keeps_them():
    layer = Linear(6, 3)
    layer.weight = np.full((6, 3), 0.25)

    model = fastmlp.Sequential(layer)

    assert (model.params["0.weight"] == 0.25).all()
