"""Whole runs in compiled code give the bits of the same epochs with Python in between."""

import copy
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import blobs, targets

import fastmlp
from fastmlp import layers, optimizers, schedules
from fastmlp.engine.whole import WholeRunner
from fastmlp.kernels.engine import order, sums
from fastmlp.kernels.machine import clock
from fastmlp.kernels.machine.jit import kernel
from fastmlp.training import epoch_order

D = 6


@kernel(name="tests.shuffled")
def shuffled(rows, seed, epoch):
    order.shuffle(rows, seed, epoch)


@kernel(name="tests.total")
def total(values):
    return sums.total_of(values)


@kernel(name="tests.seconds")
def seconds():
    return clock.seconds()


class Looks(fastmlp.Callback):
    """A callback that wants to look between epochs, and so keeps a run from being whole."""

    def on_epoch_end(self, epoch, record, model):
        return None


@pytest.fixture
def runs(monkeypatch):
    """Return the list of calls of `WholeRunner.train_run`, which grows."""
    calls, real = [], WholeRunner.train_run

    def train_run(runner, n_epochs, *rest, **more):
        calls.append(n_epochs)
        return real(runner, n_epochs, *rest, **more)

    monkeypatch.setattr(WholeRunner, "train_run", train_run)
    return calls


def both_ways(model, X, y, **options):
    """Train a model in whole runs, and a copy epoch by epoch; return each with its history."""
    other, callbacks = copy.deepcopy(model), options.pop("callbacks", [])
    rule = options.pop("optimizer", "adam")
    own = [copy.deepcopy(rule) for _ in range(2)]
    one = model.fit(X, y, optimizer=own[0], callbacks=callbacks, **options)
    two = other.fit(X, y, optimizer=own[1], callbacks=[*callbacks, Looks()], **options)
    return (model, one, own[0]), (other, two, own[1])


def same(one, other):
    """Assert that two trainings ended alike: parameters, state, optimizer and history."""
    (model, history, rule), (other_model, other_history, other_rule) = one, other
    np.testing.assert_array_equal(model.theta, other_model.theta)
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, other_model.state[name])
    if not isinstance(rule, str):
        assert (rule.t, rule.epoch) == (other_rule.t, other_rule.epoch)
        for name, array in rule.state.items():
            np.testing.assert_array_equal(array, other_rule.state[name])
    np.testing.assert_array_equal(history.steps, other_history.steps)
    assert (history.stopped, history.best_epoch) == (
        other_history.stopped,
        other_history.best_epoch,
    )
    for record, other_record in zip(history.epochs, other_history.epochs, strict=True):
        assert record.keys() == other_record.keys()
        assert {**record, "seconds": 0} == {**other_record, "seconds": 0}


def network(draw_norm=True, drop=0.0, C=3, **options):
    norm = [layers.BatchNorm(9)] if draw_norm else []
    return fastmlp.Sequential(
        layers.Linear(D, 9), *norm, layers.ReLU(), layers.Dropout(drop), layers.Linear(9, C),
        **options,
    )  # fmt: skip


RATES = [
    0.01,
    schedules.Cosine(0.02),
    schedules.WarmUp(9, schedules.Step(0.05, every=2)),
    schedules.OneCycle(0.03),
]
LOSSES = ["cross_entropy", "hinge", "mse", "binary_cross_entropy", "huber"]


@settings(max_examples=60)
@given(st.data())
def test_a_whole_run_has_the_bits_of_its_epochs(data):
    draw = data.draw
    N, n_validation = draw(st.integers(1, 90), "N"), draw(st.sampled_from([0, 1, 7, 300]), "rows")
    loss, dtype = draw(st.sampled_from(LOSSES)), draw(st.sampled_from(["float32", "float64"]))
    X, _ = blobs(N, D, 3)
    weigh = st.none() | st.just(np.random.default_rng(0))
    weights = draw(weigh, "weights")
    options = {
        "loss": loss,
        "epochs": draw(st.integers(1, 7), "epochs"),
        "batch_size": draw(st.sampled_from([1, 4, 8, 32, 100]), "batch"),
        "shuffle": draw(st.booleans(), "shuffle"),
        "seed": draw(st.integers(0, 3), "seed"),
        "n_threads": draw(st.integers(1, 3), "threads"),
        "l2": draw(st.sampled_from([0.0, 1e-2]), "l2"),
        "restore_best": draw(st.booleans(), "restore"),
        "sample_weight": None if weights is None else weights.random(N) + 0.1,
        "optimizer": draw(
            st.sampled_from(
                [
                    optimizers.SGD(draw(st.sampled_from(RATES)), momentum=0.9),
                    optimizers.Adam(draw(st.sampled_from(RATES)), max_norm=1.0),
                    optimizers.RMSprop(draw(st.sampled_from(RATES)), clip_norm=0.5),
                ]
            )
        ),
    }
    columns = ["loss"] + ["accuracy"] * (loss in ("cross_entropy", "hinge"))
    if n_validation:
        own = (blobs(n_validation, D, 3, seed=1)[0], targets(loss, n_validation, 3, seed=1))
        if draw(st.booleans(), "weigh validation"):
            own = (*own, np.random.default_rng(2).random(n_validation) + 0.1)
        options["validation_data"] = own
        columns += ["val_" + column for column in columns]
    if draw(st.booleans(), "stop early"):
        monitor, delta = draw(st.sampled_from(columns)), draw(st.sampled_from([0.0, 0.05]))
        patience = draw(st.integers(1, 3))
        options["early_stopping"] = fastmlp.EarlyStopping(patience, monitor, delta)
    model = network(draw(st.booleans()), draw(st.sampled_from([0.0, 0.4])), dtype=dtype)

    same(*both_ways(model, X, targets(loss, N, 3), **options))


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_threads_and_precisions_change_nothing_about_it(n_threads, precision):
    X, y = blobs(260, 300, 4)
    model = fastmlp.Sequential(
        layers.Normalize(X.mean(axis=0), X.std(axis=0) + 1), layers.Linear(300, 260),
        layers.BatchNorm(260), layers.GELU(), layers.Linear(260, 4),
    )  # fmt: skip

    same(
        *both_ways(
            model, X, y, epochs=3, batch_size=128, n_threads=n_threads, restore_best=True,
            matmul_precision=precision, validation_data=(X[:70], y[:70]),
            early_stopping=fastmlp.EarlyStopping(2, "val_accuracy"),
        )
    )  # fmt: skip


def test_uint8_inputs_are_validated_as_they_are():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (70, D), np.uint8), rng.integers(0, 3, 70)
    own = copy.deepcopy(network().layers)
    model = fastmlp.Sequential(layers.Normalize(X.mean(axis=0), X.std(axis=0) + 1), *own)

    same(*both_ways(model, X, y, epochs=3, batch_size=16, validation_data=(X[:30], y[:30])))


def test_a_run_is_one_call(runs):
    X, y = blobs(50, D, 3)

    network().fit(X, y, epochs=20, early_stopping=30, restore_best=True, validation_data=(X, y))

    assert runs == [20]


def test_a_callback_that_looks_is_asked_after_every_epoch(runs):
    X, y = blobs(50, D, 3)

    history = network().fit(X, y, epochs=3, callbacks=[Looks()])

    assert runs == []
    assert len(history) == 3


def test_a_schedule_of_the_users_own_is_asked_before_every_epoch(runs):
    class Halves:
        asked = 0

        def rates(self, first_step, n_steps, steps_per_epoch, total_steps):
            self.asked += 1
            return np.full(n_steps, 0.1 / 2**self.asked)

    X, y = blobs(50, D, 3)

    history = network().fit(X, y, epochs=3, optimizer=optimizers.SGD(Halves()))

    assert runs == []
    assert history.learning_rate == [0.05, 0.025, 0.0125]


def test_a_long_run_is_several_calls_with_the_same_bits(runs, monkeypatch):
    X, y = blobs(50, D, 3)
    monkeypatch.setattr("fastmlp.training.whole._STEPS_AT_ONCE", 14)

    ways = both_ways(
        network(), X, y, epochs=11, batch_size=10,
        optimizer=optimizers.Adam(schedules.Cosine(0.02)),
        validation_data=(X[:9], y[:9]), early_stopping=6, restore_best=True,
    )  # fmt: skip

    same(*ways)
    assert runs[:2] == [2, 2]
    assert sum(runs) >= len(ways[0][1])


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("rate", [1e10, 1e30])
@pytest.mark.parametrize("restore_best", [False, True])
def test_a_run_that_diverges_goes_back_as_epochs_do(rate, restore_best, n_threads):
    X, y = blobs(260, 300, 3)
    model = fastmlp.Sequential(
        layers.Linear(300, 100), layers.BatchNorm(100), layers.Linear(100, 3)
    )
    falls = schedules.WarmUp(40, rate)  # diverges only after a while

    one, other = both_ways(
        model, X, y, epochs=30, batch_size=20,
        optimizer=optimizers.SGD(falls), restore_best=restore_best, n_threads=n_threads,
    )  # fmt: skip

    same(one, other)


def test_a_time_limit_ends_a_run_after_an_epoch():
    X, y = blobs(50, D, 3)

    history = network().fit(X, y, epochs=10**9, time_limit=0.05)

    assert history.stopped == "time limit"
    assert len(history.steps) == len(history) >= 1


def test_progress_shows_every_epoch(capsys, runs):
    X, y = blobs(50, D, 3)

    history = network().fit(X, y, epochs=4, verbose=True)

    lines = capsys.readouterr().out.splitlines()
    assert runs == [4]
    assert [line.split()[1] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert f"loss {history.loss[2]:.4f}" in lines[2]


@pytest.mark.filterwarnings("ignore:overflow")
def test_rates_that_turn_wrong_raise_at_their_epoch():
    X, y = blobs(50, D, 3)
    models = [network(dtype="float64"), network(dtype="float64")]
    grows = schedules.Exponential(1e-300, decay=1e300)

    for model, callbacks in zip(models, ([], [Looks()]), strict=True):
        with pytest.raises(ValueError, match="finite rates"):
            model.fit(X, y, epochs=5, optimizer=optimizers.SGD(grows), callbacks=callbacks)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 3, 2**63 - 1])
@pytest.mark.parametrize("epoch", [0, 1, 77])
def test_orders_drawn_in_compiled_code_are_numpys(seed, epoch):
    for n in [0, 1, 2, 3, 4, 5, 8, 9, 31, 100, 4097, 65535, 65536, 65537, 70_001, 200_003]:
        rows = np.arange(n)

        shuffled(rows, seed, epoch)

        np.testing.assert_array_equal(rows, epoch_order(n, seed, epoch))


@pytest.mark.parametrize(
    "n", [*range(20), 127, 128, 129, 136, 255, 256, 257, 1000, 4099, 100_003, 2_000_001]
)
def test_totals_are_numpys(n):
    values = np.random.default_rng(n).standard_normal(n) * 10.0 ** (np.arange(n) % 17 - 8)

    assert total(values.copy()) == values.sum()


def test_the_clock_runs_at_the_speed_of_time():
    started, before = seconds(), time.perf_counter()
    time.sleep(0.02)
    passed, expected = seconds() - started, time.perf_counter() - before

    assert passed == pytest.approx(expected, abs=0.01)
