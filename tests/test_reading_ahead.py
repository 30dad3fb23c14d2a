"""The thread that reads ahead has a processor to itself while it reads."""

import itertools

import numpy as np
import pytest
from networks import blobs, every_layer

from fastmlp import Adam
from fastmlp.engine import threads
from fastmlp.engine.compiled import CompiledRunner

X, Y = blobs(1003, 12, 3)


def fit(n_threads, **data):
    """Train three epochs on a stream; return all parameters and running statistics."""
    model = every_layer(12, 9, 3)
    model.fit(
        **data, optimizer=Adam(1e-2), batch_size=32, epochs=3, n_threads=n_threads, seed=4,
        shuffle_buffer=128, verbose=False,
    )  # fmt: skip
    state = [array for layer in model.layers for array in layer.state.values()]
    return np.concatenate([model.theta, *(array.ravel() for array in state)])


@pytest.fixture
def slow_reading(monkeypatch):
    """Let each stretch of rows take a second of the reading thread, by its clock."""
    seconds = itertools.count()
    monkeypatch.setattr("fastmlp.training.stream.time.thread_time", lambda: next(seconds))


@pytest.fixture
def used(monkeypatch):
    """Return a list that grows by the number of threads that train each part."""
    monkeypatch.setattr("fastmlp.engine.lowering._FLOPS_WORTH_A_THREAD", 1)
    monkeypatch.setattr(threads, "available", lambda: 2)
    numbers, run = [], CompiledRunner._run

    def counted(self, *arguments):
        numbers.append(self.n_threads)
        return run(self, *arguments)

    monkeypatch.setattr(CompiledRunner, "_run", counted)
    return numbers


@pytest.mark.parametrize("data", [{"X": X, "y": Y}, {"batches": lambda: [(X, Y)]}])
def test_training_uses_a_thread_less_and_gives_the_same_bits(data, slow_reading, used):
    together = fit(2, **data)

    assert set(used) == {1, 2}  # all of them when there is nothing left to read
    np.testing.assert_array_equal(together, fit(1, **data))


def test_threads_stay_if_there_is_another_processor(slow_reading, used, monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 3)

    fit(2, X=X, y=Y)

    assert set(used) == {2}


def test_threads_stay_if_reading_takes_no_time(used, monkeypatch):
    monkeypatch.setattr("fastmlp.training.stream.time.thread_time", lambda: 0.0)

    fit(2, X=X, y=Y)

    assert set(used) == {2}
