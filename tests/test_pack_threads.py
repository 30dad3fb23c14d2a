"""``fit_many``: what its threads do, and what memory they share."""

import copy
import gc
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from networks import blobs
from pack_support import Listener, nets

import fastmlp
from fastmlp.engine import lowering, threads
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.engine.whole import WholeRunner


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_threads_without_a_model_of_their_own_help_the_last_ones(n_threads, monkeypatch):
    monkeypatch.setattr(lowering, "_FLOPS_WORTH_A_THREAD", 1)  # any step is worth any threads
    used, real = [], WholeRunner.train_run

    def train_run(runner, *arguments, **more):
        used.append(runner.n_threads)
        return real(runner, *arguments, **more)

    monkeypatch.setattr(WholeRunner, "train_run", train_run)
    X, y = blobs(64, 6, 3)
    models = nets([3, 40])
    alone = copy.deepcopy(models[1])
    options = {
        "batch_size": 8,
        "validation_data": blobs(33, 6, 3, seed=1),
        "early_stopping": fastmlp.EarlyStopping(10**9, min_delta=0.01),
    }

    class Waits:
        def on_run_end(self, index, history, model):
            began = time.monotonic()
            while max(used) < n_threads and time.monotonic() < began + 60:
                time.sleep(0.01)
            return "enough"

    _, history = fastmlp.fit_many(
        models, X, y, epochs=[1, 10**6], n_threads=n_threads, callbacks=[Waits()], **options
    )

    assert max(used) == n_threads
    assert history.stopped == "enough"
    expected = alone.fit(X, y, epochs=len(history), n_threads=1, **options)
    assert history.val_loss[:-1] == expected.val_loss[:-1]  # the last one may be incomplete
    np.testing.assert_array_equal(history.steps[: len(expected.steps)], expected.steps)


@pytest.fixture
def threads_that_start(monkeypatch):
    """Let no new thread start in this test."""
    monkeypatch.setattr(threads, "_idle_workers", [])
    monkeypatch.setattr(threads, "_told", False)

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


def test_without_other_threads_the_caller_trains_all(threads_that_start):
    X, y = blobs(30, 6, 3)
    models, listener = nets([3, 4]), Listener()

    with pytest.warns(RuntimeWarning, match="no new thread can be started"):
        histories = fastmlp.fit_many(models, X, y, epochs=2, n_threads=2, callbacks=[listener])

    assert [len(history) for history in histories] == [2, 2]
    assert [told[0] for told in listener.told] == [0, 1]


def test_the_memory_of_a_run_ends_with_it():
    X, y = blobs(30, 6, 3)
    models = nets([3] * 4)

    def n_runners():
        return sum(issubclass(type(thing), CompiledRunner) for thing in gc.get_objects())

    gc.collect()
    before = n_runners()
    gc.disable()
    try:
        fastmlp.fit_many(models, X, y, epochs=2)
        left = n_runners() - before
    finally:
        gc.enable()

    assert left == 0


def test_models_that_are_trained_at_once_share_one_copy_of_the_data():
    code = """
        import resource, numpy as np, fastmlp
        from fastmlp import Linear, ReLU, Sequential
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        X = np.zeros((100_000, 100), np.float32)  # 40 MB
        X[:] = np.random.default_rng(0).random(100, np.float32)
        y = np.arange(100_000) % 3
        models = [Sequential(Linear(100, 4), ReLU(), Linear(4, 3)) for _ in range(256)]
        rows = [np.arange(9_000) + k for k in range(256)]
        held_out = [np.arange(1000) + k for k in range(256)]
        few = {"epochs": 1, "batch_size": 1_000, "n_threads": 2}
        fastmlp.fit_many(models[:2], X[:200], y[:200], **few)
        before = peak()
        fastmlp.fit_many(models, X, y, rows=rows, validation_rows=held_out, **few)
        print((peak() - before) / X[rows[0]].nbytes)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip

    assert float(done.stdout) < 5  # not the rows of 256 models
