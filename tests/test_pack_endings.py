"""``fit_many``: how the training of one model, and of all, ends."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from networks import blobs
from pack_support import Listener, nets

import fastmlp
from fastmlp import Linear, optimizers
from fastmlp.engine.whole import WholeRunner


def test_a_model_that_diverges_ends_alone():
    X, y = blobs(64, 6, 3)
    models = nets([5, 6, 7])
    rates = [optimizers.SGD(lr=lr) for lr in (0.01, 1e30, 0.01)]

    histories = fastmlp.fit_many(models, X, y, epochs=4, batch_size=8, optimizers=rates)

    assert histories[1].stopped.startswith("diverged at step")
    assert [len(history) for history in histories[::2]] == [4, 4]
    assert all(np.isfinite(model.theta).all() for model in models)


class FailsAt:
    """A custom layer that fails in its step with that number."""

    def __init__(self, step):
        self.steps_left = step

    def forward(self, x, train=False):
        self.steps_left -= train
        if self.steps_left < 0:
            raise OSError("the disk is full")
        return x

    def backward(self, dy):
        return dy


def test_a_model_that_fails_ends_alone():
    X, y = blobs(64, 6, 3)
    models = [*nets([5]), fastmlp.Sequential(FailsAt(3), Linear(6, 3)), *nets([6])]

    histories = fastmlp.fit_many(models, X, y, epochs=2, batch_size=16)

    assert histories[1].stopped == "failed: OSError: the disk is full"
    assert [len(history) for history in histories[::2]] == [2, 2]


def test_callbacks_hear_of_each_finished_model():
    X, y = blobs(30, 6, 3)
    models, listener = nets([3, 4, 5]), Listener()

    fastmlp.fit_many(models, X, y, epochs=2, callbacks=[listener])

    assert sorted(listener.told, key=lambda told: told[0]) == [
        (i, 2, model) for i, model in enumerate(models)
    ]


def test_a_callback_can_end_all_models():
    X, y = blobs(30, 6, 3)
    models = nets([3] * 3)
    endless = [1, 10**9, 10**9]

    histories = fastmlp.fit_many(
        models, X, y, epochs=endless, n_threads=2, callbacks=[Listener("enough")]
    )

    assert [history.stopped for history in histories] == [None, "enough", "enough"]


def test_an_error_in_a_callback_ends_all_models_and_reaches_the_caller():
    X, y = blobs(30, 6, 3)
    models = nets([3] * 3)
    before = models[1].theta.copy()

    with pytest.raises(OSError, match="no space"):
        fastmlp.fit_many(
            models, X, y, epochs=[1, 10**9, 10**9], n_threads=2,
            callbacks=[Listener(OSError("no space"))],
        )  # fmt: skip

    assert (models[1].theta != before).any()


def test_a_time_limit_ends_all_models():
    X, y = blobs(30, 6, 3)

    histories = fastmlp.fit_many(nets([3] * 4), X, y, epochs=10**9, n_threads=2, time_limit=0.05)

    assert {history.stopped for history in histories} == {"time limit"}
    assert len(histories[0]) > 0
    assert len(histories[3]) == 0


def test_ctrl_c_ends_all_models_and_they_keep_what_they_learned(monkeypatch):
    X, y = blobs(30, 6, 3)
    models = nets([3] * 5)
    before = [model.theta.copy() for model in models]
    real, runners, began = WholeRunner.train_run, [], time.monotonic()

    def train_run(runner, *arguments, **more):
        runners.append(runner)
        return real(runner, *arguments, **more)

    def interrupt():  # a signal that came before the training would end the test's process
        while len(runners) < 2 or min(runner.steps_done() for runner in runners) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(WholeRunner, "train_run", train_run)
    thread = threading.Thread(target=interrupt)
    thread.start()
    histories = fastmlp.fit_many(models, X, y, epochs=10**9, n_threads=2)
    thread.join()

    assert time.monotonic() - began < 60
    assert {history.stopped for history in histories} == {"interrupted"}
    changed = [(model.theta != theta).any() for model, theta in zip(models, before, strict=True)]
    assert changed == [True, True, False, False, False]
    assert [len(history) > 0 for history in histories] == changed
    for history in histories[:2]:
        assert len(history.steps) >= len(history)
