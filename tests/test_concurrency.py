"""Training and predicting at once: from threads, in joblib, after a fork, under Ctrl-C."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from networks import Identity, blobs, every_layer

import fastmlp
from fastmlp.callbacks import Callback
from fastmlp.layers import Linear, ReLU
from fastmlp.optimizers import SGD
from fastmlp.schedules import Constant

X, Y = blobs(600, 100, 10)


def train(seed, n_threads=2, epochs=3):
    """Train a network that is wide enough for several threads; return its parameters."""
    model = every_layer(100, 192, 10, seed=seed)
    model.fit(X, Y, epochs=epochs, batch_size=128, seed=seed, n_threads=n_threads, verbose=False)
    return model.theta.copy()


def in_threads(*calls):
    """Run each call in its own thread; return the results, or raise the first error."""
    results, errors = [None] * len(calls), []

    def run(i, call):
        try:
            results[i] = call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def test_two_fits_at_once_are_both_right():
    alone = [train(seed) for seed in (1, 2)]

    together = in_threads(lambda: train(1), lambda: train(2))

    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_many_fits_at_once_are_all_right():
    alone = train(1)

    for theta in in_threads(*[lambda: train(1, n_threads=3) for _ in range(6)]):
        np.testing.assert_array_equal(theta, alone)


def test_predictions_at_once_on_one_model_are_all_right():
    model = every_layer(100, 192, 10)
    expected = model.predict(X)

    def ask():
        return [model.predict(X[i:]) for i in range(20)]

    for answers in in_threads(*[ask for _ in range(4)]):
        for i, answer in enumerate(answers):
            np.testing.assert_array_equal(answer, expected[i:])


def test_predicting_while_another_model_trains():
    model = every_layer(100, 192, 10)
    expected, theta = model.predict(X), train(1)

    trained, *answers = in_threads(
        lambda: train(1), *[lambda: [model.predict(X) for _ in range(10)]] * 2
    )

    np.testing.assert_array_equal(trained, theta)
    for answer in [a for row in answers for a in row]:
        np.testing.assert_array_equal(answer, expected)


def test_fitting_one_model_twice_at_once_is_refused_or_sequential():
    model = every_layer(100, 192, 10)
    outcomes = []

    def fit():
        try:
            model.fit(X, Y, epochs=3, batch_size=128, verbose=False)
            outcomes.append("trained")
        except RuntimeError as error:
            outcomes.append(str(error))

    in_threads(fit, fit)

    assert "trained" in outcomes
    assert not any("\n" in outcome for outcome in outcomes)
    assert np.isfinite(model.theta).all()


def test_more_threads_than_cores_finish():
    np.testing.assert_array_equal(train(1, n_threads=16, epochs=1), train(1, 1, epochs=1))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_inside_joblib(backend):
    joblib = pytest.importorskip("joblib")
    alone = [train(seed) for seed in (1, 2)]

    with joblib.parallel_config(backend, n_jobs=2):
        together = joblib.Parallel()(joblib.delayed(train)(seed) for seed in (1, 2))

    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_after_a_fork():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=os.path.dirname(__file__),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["same", "same"]


FORK = """
import os, sys
from test_concurrency import train
theta = train(1).tobytes()
for _ in range(2):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"same" if train(1).tobytes() == theta else b"other")
        os._exit(0)
    os.waitpid(child, 0)
    print(os.read(read, 10).decode())
assert train(1).tobytes() == theta
"""


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_in_the_middle_of_an_epoch(n_threads):
    model = fastmlp.Sequential(Linear(100, 256), ReLU(), Linear(256, 10))
    X, Y = blobs(50_000, 100, 10)
    before = model.theta.copy()
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])

    class Start(Callback):
        def on_train_begin(self, info):
            timer.start()

    started = time.monotonic()
    history = model.fit(
        X, Y, epochs=10_000, batch_size=32, n_threads=n_threads, callbacks=[Start()], verbose=False
    )

    assert history.stopped == "interrupted"
    assert time.monotonic() - started < 60
    assert np.isfinite(model.theta).all()
    assert not np.array_equal(model.theta, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class SignalAt(Constant):
    """A constant rate; a signal follows a short time after the first call."""

    def __init__(self, lr, number, delay=0.3):
        super().__init__(lr)
        self.timer = threading.Timer(delay, signal.raise_signal, [number])

    def rates(self, *arguments):
        if not self.timer.ident:
            self.timer.start()
        return super().rates(*arguments)


@pytest.mark.parametrize("own_layer", [False, True], ids=["compiled", "layerwise"])
@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.09, 0.13])
def test_ctrl_c_between_short_epochs_is_never_lost_and_leaves_whole_steps(
    delay, watched, own_layer
):
    X, Y = blobs(64, 20, 3)
    extra = [Identity()] if own_layer else []

    def build(lr=1e-3):
        return fastmlp.Sequential(Linear(20, 8), ReLU(), Linear(8, 3), *extra), fastmlp.Adam(lr)

    options = {"batch_size": 64, "verbose": False}
    model, optimizer = build(SignalAt(1e-3, signal.SIGINT, delay))
    callbacks = [Callback()] if watched else []
    history = model.fit(X, Y, optimizer=optimizer, epochs=100_000, callbacks=callbacks, **options)
    again, other = build()
    again.fit(X, Y, optimizer=other, epochs=max(1, optimizer.t), **options)

    assert history.stopped == "interrupted"
    assert len(history.steps) == optimizer.t == optimizer.epoch
    np.testing.assert_array_equal(model.theta, again.theta)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_callback_ends_it_at_once():
    class Endless(Callback):
        def on_epoch_end(self, epoch, record, model):
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("Ctrl-C was held back")

    model = fastmlp.Sequential(Linear(20, 8), ReLU(), Linear(8, 3))
    history = model.fit(*blobs(64, 20, 3), batch_size=64, callbacks=[Endless()], verbose=False)

    assert history.stopped == "interrupted"
    assert len(history) == 1


@pytest.fixture
def handler():
    """Let a test install handlers of SIGINT and SIGTERM; restore the old ones afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield signal.signal
    for number, one in zip(numbers, before, strict=True):
        signal.signal(number, one)


def wide_model(layerwise):
    middle = [Identity()] if layerwise else []
    return fastmlp.Sequential(Linear(100, 64), *middle, ReLU(), Linear(64, 10))


@pytest.mark.parametrize("layerwise", [False, True])
@pytest.mark.parametrize("ignore", [signal.SIG_IGN, lambda *_: None])
def test_a_signal_that_is_ignored_stops_nothing(layerwise, ignore, handler):
    handler(signal.SIGINT, ignore)
    model, rate = wide_model(layerwise), SignalAt(0.01, signal.SIGINT, delay=0.0)

    history = model.fit(X, Y, optimizer=SGD(lr=rate), epochs=20, batch_size=64, verbose=False)

    rate.timer.join()
    assert history.stopped is None
    assert len(history) == 20


@pytest.mark.parametrize("layerwise", [False, True])
@pytest.mark.parametrize("callbacks", [(), (Callback(),)])
def test_an_error_in_a_custom_handler_leaves_whole_steps(layerwise, callbacks, handler):
    def stop(number, frame):
        raise SystemExit(3)

    handler(signal.SIGTERM, stop)
    options = {"batch_size": len(X), "verbose": False}  # a step is an epoch
    model, optimizer = wide_model(layerwise), SGD(lr=SignalAt(0.01, signal.SIGTERM))

    with pytest.raises(SystemExit) as error:
        model.fit(X, Y, optimizer=optimizer, epochs=10**6, callbacks=callbacks, **options)

    assert error.value.code == 3
    again, other = wide_model(layerwise), SGD(lr=0.01)
    again.fit(X, Y, optimizer=other, epochs=optimizer.t, **options)
    np.testing.assert_array_equal(model.theta, again.theta)
    assert signal.getsignal(signal.SIGTERM) is stop


def test_an_error_in_one_thread_ends_all_threads():
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_THREAD],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=os.path.dirname(__file__),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["broken", "trained"]


BROKEN_THREAD = """
import faulthandler
from fastmlp.engine import compiled
from test_concurrency import train
faulthandler.dump_traceback_later(60, exit=True)
real = compiled.CompiledRunner._run_kernel
def run_kernel(self, thread):
    if thread == 1:
        raise MemoryError("broken")
    real(self, thread)
compiled.CompiledRunner._run_kernel = run_kernel
try:
    train(1)
except MemoryError as error:
    print(error)
compiled.CompiledRunner._run_kernel = real
train(1)
print("trained")
"""


def test_threads_do_not_outlive_a_fit():
    train(1)
    before = threading.active_count()

    for _ in range(3):
        train(1, n_threads=3, epochs=1)

    assert threading.active_count() <= before + 3


@pytest.mark.slow
def test_several_first_runs_at_once_share_one_empty_cache(tmp_path):
    environment = os.environ | {"FASTMLP_CACHE_DIR": str(tmp_path)}
    code = "import hashlib; from test_concurrency import train; "
    code += "print(hashlib.sha256(train(1).tobytes()).hexdigest())"

    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=os.path.dirname(__file__),
        )
        for _ in range(4)
    ]
    answers = [run.communicate(timeout=600) for run in runs]

    assert [run.returncode for run in runs] == [0] * 4, answers
    here = hashlib.sha256(train(1).tobytes()).hexdigest()  # computed by code that was cached before
    assert {out.strip() for out, _ in answers} == {here}
