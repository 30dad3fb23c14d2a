"""What happens in ``fit_many`` before the first step: Ctrl-C then leaves everything as it was."""

import threading

import numpy as np
import pytest

import fastmlp
from fastmlp import layers
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.engine.whole import WholeRunner
from fastmlp.training.pack_queue import PackQueue

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 5)).astype(np.float32), RNG.integers(0, 3, 60)


def models(n):
    return [
        fastmlp.Sequential(layers.Linear(5, 4 + i), layers.Tanh(), layers.Linear(4 + i, 3), seed=i)
        for i in range(n)
    ]


class Halving(fastmlp.schedules.Schedule):
    """A schedule of the user's own: such runs return to Python after every epoch."""

    def rates(self, first_step, n_steps, steps_per_epoch, total_steps):
        return 0.1 * 0.5 ** np.arange(first_step, first_step + n_steps)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"validation_rows": np.arange(40, 60), "rows": np.arange(40)},
        {"optimizers": [fastmlp.SGD(Halving()), fastmlp.Adam(), fastmlp.SGD(Halving())]},
        {"loss": ["cross_entropy", "cross_entropy", "hinge"]},
    ],
)
def test_threads_never_have_to_compile(arguments, monkeypatch):
    needed, real = {True: set(), False: set()}, CompiledRunner._compiled.__func__

    def compiled(cls, calls, operations, dtype, validates, n_threads):
        is_caller = threading.current_thread() is threading.main_thread()
        needed[is_caller].add((cls, calls, dtype, validates))
        return real(cls, calls, operations, dtype, validates, n_threads)

    monkeypatch.setattr(CompiledRunner, "_compiled", classmethod(compiled))
    histories = fastmlp.fit_many(models(3), X, Y, epochs=2, n_threads=2, **arguments)

    assert [len(history) for history in histories] == [2, 2, 2]
    assert needed[False]
    assert needed[False] <= needed[True]


def test_ctrl_c_while_kernels_are_compiled_changes_nothing(monkeypatch):
    def compiled(*_):
        raise KeyboardInterrupt

    several, optimizer = models(3), fastmlp.Adam()
    before = [model.theta.copy() for model in several]
    n_threads = threading.active_count()
    monkeypatch.setattr(CompiledRunner, "_compiled", classmethod(compiled))
    with pytest.raises(KeyboardInterrupt):
        fastmlp.fit_many(several, X, Y, optimizers=[optimizer, "adam", "adam"])

    for model, theta in zip(several, before, strict=True):
        np.testing.assert_array_equal(model.theta, theta)
    assert (optimizer.t, optimizer.state) == (0, {})
    assert threading.active_count() <= n_threads


def test_a_run_that_is_ended_while_it_is_set_up_takes_no_step(monkeypatch):
    real, queues = WholeRunner.prepare, []
    monkeypatch.setattr(PackQueue, "_n_drivers", lambda queue: queues.append(queue) or 2)

    def prepare(runner, *arguments):
        real(runner, *arguments)
        queues[0]._abort()

    monkeypatch.setattr(WholeRunner, "prepare", prepare)
    several = models(3)
    before = [model.theta.copy() for model in several]
    histories = fastmlp.fit_many(several, X, Y, n_threads=2)

    assert [(len(history), history.stopped) for history in histories] == [(0, "interrupted")] * 3
    for model, theta in zip(several, before, strict=True):
        np.testing.assert_array_equal(model.theta, theta)
