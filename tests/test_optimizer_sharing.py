"""An optimizer can be used by only one call of fit at a time."""

import copy
import pickle

import numpy as np
import pytest
from networks import Identity, blobs
from sentences import refused

import fastmlp
from fastmlp import optimizers
from fastmlp.callbacks import Callback
from fastmlp.layers import Linear


class DuringTraining(Callback):
    """Calls a function after the first epoch, while fit runs."""

    def __init__(self, action):
        self.action = action

    def on_epoch_end(self, epoch, record, model):
        if epoch == 0:
            self.result = self.action()


def train_with(optimizer, action, *first):
    X, y = blobs(40, 6, 3)
    callback = DuringTraining(action)
    model = fastmlp.Sequential(*first, Linear(6, 3))
    model.fit(X, y, optimizer=optimizer, epochs=2, callbacks=[callback], verbose=False)
    return model, callback.result


@pytest.mark.parametrize("first", [[], [Identity()]], ids=["compiled", "layer by layer"])
@pytest.mark.parametrize("make", [optimizers.Adam, optimizers.SGD, optimizers.RMSprop])
def test_a_second_fit_with_a_busy_optimizer_is_refused(make, first):
    X, y = blobs(500, 6, 3)
    optimizer, other = make(), fastmlp.Sequential(Linear(6, 3))
    start = other.theta.copy()

    def second_fit():
        with refused(RuntimeError, "this optimizer is already training a model"):
            other.fit(X, y, optimizer=optimizer, epochs=1, verbose=False)

    shared, _ = train_with(optimizer, second_fit, *first)
    alone, _ = train_with(make(), lambda: None, *first)

    np.testing.assert_array_equal(other.theta, start)
    np.testing.assert_array_equal(shared.theta, alone.theta)


def test_an_optimizer_is_free_again_after_fit_and_after_an_error():
    X, y = blobs(40, 6, 3)
    optimizer, model = optimizers.Adam(), fastmlp.Sequential(Linear(6, 3))

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_with(optimizer, fail)

    assert model.fit(X, y, optimizer=optimizer, epochs=1, verbose=False).stopped is None


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_busy_optimizer_is_free(duplicate):
    X, y = blobs(40, 6, 3)
    optimizer, model = optimizers.Adam(), fastmlp.Sequential(Linear(6, 3))

    _, other = train_with(optimizer, lambda: duplicate(optimizer))

    assert model.fit(X, y, optimizer=other, epochs=1, verbose=False).stopped is None


@pytest.mark.parametrize(
    "state", [np.zeros(3, "float32"), np.zeros(48, "float64")], ids=["too short", "float64"]
)
def test_a_state_that_does_not_match_the_model_is_refused(state):
    X, y = blobs(40, 6, 3)
    optimizer, model = optimizers.Adam(), fastmlp.Sequential(Linear(6, 3))
    model.fit(X, y, optimizer=optimizer, epochs=1, verbose=False)
    optimizer.state1 = state

    with refused(ValueError, "the optimizer's m must be laid out like model.theta"):
        model.fit(X, y, optimizer=optimizer, epochs=1, verbose=False)


def test_a_run_does_not_start_without_the_state_that_it_will_write_to():
    X, y = blobs(40, 6, 3)
    model = fastmlp.Sequential(Linear(6, 3))
    unprepared = optimizers.Adam()
    loss = fastmlp.losses.CrossEntropy()

    with refused(RuntimeError, "lost its state"):
        fastmlp.engine.compiled.CompiledRunner(
            model, loss, unprepared, X, y, None, 8, None, "highest", 0.0, 0
        )
