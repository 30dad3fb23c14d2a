"""``fit_many``: many models at once, each with the bits that its own ``fit`` gives."""

import copy
import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from networks import Identity, blobs

import fastmlp
from fastmlp import Linear, ReLU, optimizers
from fastmlp.engine import lowering, threads
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.engine.whole import WholeRunner
from fastmlp.layers import BatchNorm, Dropout


def nets(widths, D=6, C=3, **options):
    """Return a model for each width."""
    return [
        fastmlp.Sequential(Linear(D, h), ReLU(), Linear(h, C), seed=i, **options)
        for i, h in enumerate(widths)
    ]


def same(one, other):
    """Assert that two models and the histories of their training are equal, times apart."""
    (model, history), (other_model, other_history) = one, other
    np.testing.assert_array_equal(model.theta, other_model.theta)
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, other_model.state[name])
    np.testing.assert_array_equal(history.steps, other_history.steps)
    for record, other_record in zip(history.epochs, other_history.epochs, strict=True):
        assert record | {"seconds": 0} == other_record | {"seconds": 0}
    assert (history.stopped, history.best_epoch) == (
        other_history.stopped,
        other_history.best_epoch,
    )


@pytest.mark.parametrize("n_threads", [1, 2, 3, 9])
def test_each_model_ends_as_its_own_fit_would_end(n_threads):
    X, y = blobs(90, 6, 3)
    models, seeds, epochs = nets([5, 17, 8, 33, 2]), [3, 1, 4, 1, 5], [2, 3, 1, 4, 2]
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=epochs, batch_size=16, seeds=seeds, n_threads=n_threads
    )

    for i, model in enumerate(alone):
        history = model.fit(X, y, epochs=epochs[i], batch_size=16, seed=seeds[i])
        same((models[i], histories[i]), (model, history))


def test_rows_and_validation_rows_stand_for_copies_of_these_rows():
    X, y = blobs(80, 6, 3)
    folds = [np.arange(80) % 4 != k for k in range(4)]
    bootstrap = np.random.default_rng(0).integers(0, 80, 120)
    rows = [*map(np.flatnonzero, folds[:3]), folds[3], bootstrap]
    held_out = [*(~fold for fold in folds), np.arange(7)]
    models = nets([9] * 5)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=3, batch_size=25, rows=rows, validation_rows=held_out
    )

    for i, model in enumerate(alone):
        own = {"validation_data": (X[held_out[i]], y[held_out[i]])}
        history = model.fit(X[rows[i]], y[rows[i]], epochs=3, batch_size=25, **own)
        same((models[i], histories[i]), (model, history))


def test_weights_belong_to_the_rows_of_the_shared_data():
    X, y = blobs(60, 6, 3)
    weight = np.random.default_rng(1).random(60) * 1e20
    rows = [np.arange(0, 60, 2), None, np.array([5, 5, 7, 9])]
    models = nets([9] * 3)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=2, rows=rows, sample_weight=weight, class_weight="balanced"
    )

    for i, model in enumerate(alone):
        r = np.arange(60) if rows[i] is None else rows[i]
        history = model.fit(X[r], y[r], epochs=2, sample_weight=weight[r], class_weight="balanced")
        same((models[i], histories[i]), (model, history))


def test_models_may_differ_in_everything():
    X, y = blobs(50, 6, 3)
    models = [
        *nets([7], dtype="float64"),
        fastmlp.Sequential(Linear(6, 8), BatchNorm(8), ReLU(), Dropout(0.3), Linear(8, 3)),
        fastmlp.Sequential(Identity(), Linear(6, 3)),
        *nets([12]),
    ]
    alone = copy.deepcopy(models)
    settings = {
        "loss": ["hinge", "cross_entropy", "cross_entropy", fastmlp.losses.CrossEntropy(0.1)],
        "batch_size": [8, 7, 50, 64],
        "l2": [0.0, 1e-3, 0.0, 0.1],
        "shuffle": [True, False, True, True],
        "early_stopping": [None, 1, None, fastmlp.EarlyStopping(1, monitor="loss")],
        "restore_best": [False, True, False, True],
    }
    rules = ["sgd", "adam", "momentum", "rmsprop"]

    histories = fastmlp.fit_many(models, X, y, epochs=5, optimizers=rules, **settings)

    for i, model in enumerate(alone):
        own = {name: values[i] for name, values in settings.items()}
        history = model.fit(X, y, epochs=5, optimizer=rules[i], **own)
        same((models[i], histories[i]), (model, history))


def test_each_model_has_its_own_validation_data():
    X, y = blobs(50, 6, 3)
    others = [blobs(20, 6, 3), None, (*blobs(9, 6, 3), np.arange(1.0, 10.0))]
    models = nets([5] * 3)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(models, X, y, epochs=2, validation_data=others)

    for i, model in enumerate(alone):
        same(
            (models[i], histories[i]), (model, model.fit(X, y, epochs=2, validation_data=others[i]))
        )


def test_training_can_be_continued():
    X, y = blobs(50, 6, 3)
    models = nets([5, 6])
    alone = copy.deepcopy(models)

    for _ in range(3):
        fastmlp.fit_many(models, X, y, epochs=2)

    for model, other in zip(models, alone, strict=True):
        other.fit(X, y, epochs=6)
        np.testing.assert_array_equal(model.theta, other.theta)


def test_of_one_optimizer_each_model_gets_a_fresh_copy():
    X, y = blobs(50, 6, 3)
    models, optimizer = nets([5, 6]), optimizers.SGD(lr=0.1, momentum=0.9)
    alone = copy.deepcopy(models)

    fastmlp.fit_many(models, X, y, epochs=2, optimizers=optimizer)

    assert optimizer.t == 0
    for model, other in zip(models, alone, strict=True):
        other.fit(X, y, epochs=2, optimizer=optimizers.SGD(lr=0.1, momentum=0.9))
        np.testing.assert_array_equal(model.theta, other.theta)


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


class Listener:
    """A callback that keeps what it is told, and then answers."""

    def __init__(self, answer=None):
        self.told, self.answer = [], answer

    def on_run_end(self, index, history, model):
        self.told.append((index, len(history), model))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


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


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": [1, 2, 3]}, ValueError, "epochs must be one value for all 2 models or a list"),
        ({"seeds": range(3)}, ValueError, "got a list of 3"),
        ({"rows": [1, 2]}, TypeError, r"pass np\.array\(rows\)"),
        ({"rows": np.array([0, 30])}, ValueError, "rows must lie between 0 and 29, got 30"),
        ({"rows": np.array([-1])}, ValueError, "between 0 and 29, got -1"),
        ({"rows": np.zeros(30, bool)}, ValueError, "rows is empty"),
        ({"rows": np.ones(29, bool)}, ValueError, "length 30, got 29"),
        ({"rows": np.ones(30)}, TypeError, "row numbers or a mask, got float64"),
        ({"validation_rows": np.ones((2, 2), int)}, TypeError, "validation_rows must be an array"),
        ({"optimizers": [optimizers.SGD()] * 2}, ValueError, "optimizers must all be different"),
        ({"batch_size": [4, 0]}, ValueError, "batch_size must be at least 1"),
        ({"callbacks": [fastmlp.Callback()]}, TypeError, "on_run_end"),
        ({"time_limit": 0}, ValueError, "time_limit must be greater than 0"),
        ({"early_stopping": [None, 0]}, ValueError, "early_stopping must be at least 1"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_wrong_argument_changes_no_model(arguments, error, message):
    X, y = blobs(30, 6, 3)
    models = nets([3, 4])
    before = [model.theta.copy() for model in models]

    with pytest.raises(error, match=message):
        fastmlp.fit_many(models, X, y, **arguments)

    for model, theta in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize("models", [[], None, nets([3])[0], [Linear(2, 2)], nets([3]) * 2])
def test_models_must_be_a_list_of_different_models(models):
    X, y = blobs(30, 6, 3)

    with pytest.raises((TypeError, ValueError), match="model"):
        fastmlp.fit_many(models, X, y)


def test_validation_rows_exclude_validation_data():
    X, y = blobs(30, 6, 3)

    with pytest.raises(ValueError, match="either validation_rows or validation_data"):
        fastmlp.fit_many(nets([3]), X, y, validation_rows=np.arange(3), validation_data=(X, y))


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


def test_progress_is_a_line_for_each_model(capsys):
    X, y = blobs(64, 6, 3)
    rates = [optimizers.SGD(lr=lr) for lr in (0.01, 1e30, 0.01)]

    histories = fastmlp.fit_many(
        nets([3] * 3), X, y, epochs=[4, 5, 6], batch_size=8, optimizers=rates, n_threads=1,
        verbose=True,
    )  # fmt: skip

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"model {i}/3" for i in (1, 2, 3)]
    assert "epoch 4/4" in lines[0]
    assert f"loss {histories[0].loss[-1]:.4f}" in lines[0]
    assert f"stopped: {histories[1].stopped}" in lines[1]


def test_a_pack_is_silent_unless_asked(capsys):
    X, y = blobs(30, 6, 3)

    fastmlp.fit_many(nets([3] * 3), X, y, epochs=2)

    assert capsys.readouterr() == ("", "")


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


def test_the_page_on_packs_shows_code_that_runs():
    page = Path(__file__).parents[1] / "docs" / "how-to" / "packs.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names = {}

    for block in blocks:
        exec(compile(block, page.name, "exec"), names)

    assert len(names["histories"]) == len(names["members"]) == 5
    assert names["score"] > 0.9
    assert max(names["histories"][names["best"]].val_accuracy) > 0.9
