"""The copy that a fit can go back to: its memory serves the next fit with the same optimizer."""

import gc
import weakref

import numpy as np
import pytest

from fastmlp import Adam, Linear, ReLU, Sequential
from fastmlp.training import stopping
from fastmlp.training.stopping import Snapshot

X = np.random.default_rng(0).standard_normal((40, 6), dtype=np.float32)
Y = np.arange(40) % 3


@pytest.fixture
def model():
    return Sequential(Linear(6, 5), ReLU(), Linear(5, 3))


@pytest.fixture
def optimizer(model):
    optimizer = Adam()
    optimizer.prepare(model)
    return optimizer


def memory_of(snapshot):
    return {name: array.ctypes.data for name, array in snapshot.copies.items()}


def test_the_next_copy_takes_the_memory_of_a_released_one(model, optimizer):
    first = Snapshot(model, optimizer)
    before = memory_of(first)

    first.release()

    assert memory_of(Snapshot(model, optimizer)) == before


def test_a_copy_in_use_keeps_its_memory(model, optimizer):
    first = Snapshot(model, optimizer)

    assert memory_of(Snapshot(model, optimizer)).items().isdisjoint(memory_of(first).items())


def test_a_copy_of_other_sizes_takes_new_memory(model, optimizer):
    Snapshot(model, optimizer).release()
    wider = Sequential(Linear(6, 9), ReLU(), Linear(9, 3))
    optimizer.prepare(wider)

    copies = Snapshot(wider, optimizer).copies

    assert all(np.array_equal(copies[name], array) for name, array in optimizer.state.items())
    assert np.array_equal(copies["theta"], wider.theta)


def test_the_memory_goes_with_the_optimizer(model):
    optimizer = Adam()
    optimizer.prepare(model)
    snapshot = Snapshot(model, optimizer)
    copy = weakref.ref(snapshot.copies["theta"])
    snapshot.release()
    assert copy() is not None

    del snapshot, optimizer
    gc.collect()

    assert copy() is None


def test_large_copies_are_let_go_at_once(model, optimizer, monkeypatch):
    monkeypatch.setattr(stopping, "_MOST_SPARE", 3 * model.theta.nbytes - 1)
    snapshot = Snapshot(model, optimizer)
    copy = weakref.ref(snapshot.copies["theta"])

    snapshot.release()
    gc.collect()

    assert copy() is None


def test_a_second_fit_that_diverges_goes_back_to_where_the_first_ended(model, capsys):
    optimizer = Adam()
    model.fit(X, Y, optimizer=optimizer, epochs=2, verbose=False)
    theta, states = model.theta.copy(), [state.copy() for state in optimizer.state.values()]
    spoilt = X.copy()
    spoilt[7] = np.float32(3e38)

    history = model.fit(spoilt, Y, optimizer=optimizer, epochs=2, verbose=False)

    assert history.stopped.startswith("diverged")
    assert np.array_equal(model.theta, theta)
    assert all(map(np.array_equal, optimizer.state.values(), states))
