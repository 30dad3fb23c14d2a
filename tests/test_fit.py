"""What fit does around its steps: row order, weights, stopping, callbacks, and its final state."""

import functools
import itertools

import numpy as np
import pytest
import reference
from networks import blobs, for_reference
from strategies import filled
from tolerance import assert_close

import fastmlp
from fastmlp import optimizers, schedules
from fastmlp.callbacks import Callback
from fastmlp.layers import BatchNorm, Dropout, Linear, ReLU

FAST = functools.partial(optimizers.Adam, lr=0.02)


def small(**options):
    return fastmlp.Sequential(Linear(6, 16), ReLU(), Linear(16, 3), **options)


def test_it_learns():
    X, y = blobs(300, 6, 3)
    model = small()

    history = model.fit(X, y, optimizer=FAST(), epochs=20, batch_size=32, verbose=False)

    assert history["accuracy"][-1] > 0.95
    assert history["loss"][-1] < history["loss"][0] / 2
    assert (model.predict(X).argmax(axis=1) == y).mean() > 0.95


def test_a_column_of_targets_can_have_one_axis():
    X, y = blobs(40, 6, 2)
    models = [fastmlp.Sequential(Linear(6, 1)) for _ in range(2)]

    a = models[0].fit(X, y, loss="binary_cross_entropy", epochs=1, batch_size=8, verbose=False)
    b = models[1].fit(
        X, y[:, None], loss="binary_cross_entropy", epochs=1, batch_size=8, verbose=False
    )

    np.testing.assert_array_equal(a.steps, b.steps)


def test_a_row_of_weight_two_counts_as_two_rows():
    X, y = blobs(20, 6, 3)
    weight = np.where(np.arange(20) < 5, 2.0, 1.0)
    twice = np.concatenate([np.arange(20), np.arange(5)])
    weighted, repeated = small(dtype="float64"), small(dtype="float64")
    options = {"optimizer": optimizers.SGD(lr=0.1), "epochs": 3, "verbose": False}

    weighted.fit(X, y, sample_weight=weight, batch_size=20, **options)
    options["optimizer"] = optimizers.SGD(lr=0.1)
    repeated.fit(X[twice], y[twice], batch_size=25, **options)

    assert_close(weighted.theta, repeated.theta.astype(float), K=3 * 25, scale=1.0)


def test_a_row_of_weight_zero_is_not_learned():
    X, y = blobs(20, 6, 3)
    weight = (np.arange(20) >= 5).astype(float)
    wrong = np.where(weight == 0, (y + 1) % 3, y)
    models = [small(), small()]

    for model, labels in zip(models, (y, wrong), strict=True):
        model.fit(X, labels, sample_weight=weight, epochs=3, batch_size=20, verbose=False)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_a_batch_of_weight_zero_is_skipped():
    X, y = blobs(24, 6, 3)
    weight = (np.arange(24) >= 8).astype(float)
    models = [small(), small()]
    options = {"batch_size": 8, "shuffle": False, "epochs": 1, "verbose": False}
    options["optimizer"] = "sgd"

    whole = models[0].fit(X, y, sample_weight=weight, **options)
    rest = models[1].fit(X[8:], y[8:], **options)

    assert whole.stopped is None
    np.testing.assert_array_equal(whole.steps[1:], rest.steps)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_class_weight_is_a_weight_for_each_row_of_the_class():
    X, y = blobs(40, 6, 3)
    models = [small(), small()]
    options = {"epochs": 2, "batch_size": 16, "verbose": False}

    models[0].fit(X, y, class_weight={0: 2.0, 2: 0.5}, **options)
    models[1].fit(X, y, sample_weight=np.array([2.0, 1.0, 0.5])[y], **options)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_label_smoothing_follows_the_reference():
    X, y = blobs(16, 6, 3)
    model = small(dtype="float64")
    network, params = for_reference(model)
    z, _ = reference.forward(network, params, X.astype(float))

    history = model.fit(X, y, label_smoothing=0.2, epochs=1, batch_size=16, verbose=False)

    expected, _ = reference.loss("cross_entropy", z, y, None, 0.2)
    assert_close(history.steps, [expected], K=16)


class Watcher:
    """A custom layer that records the first column of all rows that it sees in training."""

    def __init__(self):
        self.seen = []

    def forward(self, x, train=False):
        if train:
            self.seen.append(x[:, 0].astype(int).tolist())
        return x

    def backward(self, dy):
        return dy


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def rows_seen(**options):
    X = np.arange(20, dtype="float32")[:, None]
    watcher = Watcher()
    model = fastmlp.Sequential(watcher, Linear(1, 2))
    defaults = {"epochs": 2, "batch_size": 8, "optimizer": optimizers.SGD(lr=1e-6)}
    model.fit(X, np.zeros(20, int), verbose=False, **(defaults | options))
    return watcher.seen


def test_each_epoch_sees_each_row_once_in_a_fresh_order():
    seen = rows_seen()

    assert [len(batch) for batch in seen] == [8, 8, 4, 8, 8, 4]
    first, second = flat(seen[:3]), flat(seen[3:])
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(range(20)) != first != second


def test_without_shuffling_rows_keep_their_order():
    seen = rows_seen(shuffle=False)

    assert flat(seen) == [*range(20), *range(20)]


def test_the_seed_decides_the_order():
    assert rows_seen(seed=1) == rows_seen(seed=1) != rows_seen(seed=2)


class OwnScale:
    """A custom layer with a parameter: y = scale x."""

    def __init__(self, n):
        self.params = {"scale": np.full(n, 2.0)}
        self.grads = {"scale": np.zeros(n)}

    def forward(self, x, train=False):
        self.x = x
        return x * self.params["scale"]

    def backward(self, dy):
        self.grads["scale"][:] = (dy * self.x).sum(axis=0)
        return dy * self.params["scale"]


def test_a_custom_layer_trains():
    X, y = blobs(200, 6, 3)
    own = OwnScale(16)
    model = fastmlp.Sequential(Linear(6, 16), ReLU(), own, Linear(16, 3))

    history = model.fit(X, y, optimizer=FAST(), epochs=10, batch_size=32, verbose=False)

    assert history["accuracy"][-1] > 0.9
    assert "2.scale" in model.params
    assert np.shares_memory(own.params["scale"], model.theta)
    assert not np.array_equal(own.params["scale"], np.full(16, 2.0))


def test_the_inputs_are_not_changed():
    X, y = blobs(40, 6, 3)
    X_before, y_before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False

    small().fit(X, y, epochs=1, batch_size=8, validation_data=(X, y), verbose=False)

    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda X: X[::-1][::-1], lambda X: X >> 0])
def test_memory_layout_does_not_matter(change):
    X = np.random.default_rng(0).integers(0, 256, (40, 6), dtype=np.uint8)
    y = np.arange(40) % 3
    models = [small(), small()]

    for model, data in zip(models, (X, change(X)), strict=True):
        model.fit(data, y, epochs=1, batch_size=8, verbose=False)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_big_endian_and_integer_data_are_converted():
    X, y = blobs(40, 6, 3)
    X = np.round(X * 10)
    models = [small() for _ in range(4)]

    for model, dtype in zip(models, ("float32", ">f4", "int16", "float64"), strict=True):
        model.fit(X.astype(dtype), y.astype(">i4"), epochs=1, batch_size=8, verbose=False)

    for model in models[1:]:
        np.testing.assert_array_equal(model.theta, models[0].theta)


@pytest.mark.parametrize("own_layer", [False, True], ids=["compiled", "layerwise"])
def test_a_diverging_loss_stops_and_keeps_the_last_good_parameters(own_layer):
    X, y = filled((64, 6), "normal", 0), filled((64, 3), "normal", 1)
    extra = [Watcher()] if own_layer else []
    model = fastmlp.Sequential(*extra, Linear(6, 16), Linear(16, 3))

    history = model.fit(
        X, y, loss="mse", optimizer=optimizers.SGD(lr=1e4), epochs=50, batch_size=16, verbose=False
    )

    assert history.stopped.startswith("diverged at step")
    step = int(history.stopped.split()[-1])
    assert np.isfinite(model.theta).all()
    assert np.isfinite(model.predict(X)).all()
    assert len(history.steps) <= step <= 50 * 4
    assert np.isfinite(history.steps[: step - 1]).all()


def test_divergence_restores_a_copy_of_an_earlier_step(capsys):
    X, y = blobs(256, 6, 3)
    model, optimizer = small(), optimizers.Adam(lr=rising_at(70, 1e30))
    model.fit(X, y, optimizer=optimizer, epochs=16, batch_size=64, verbose=False)
    at_64 = model.theta.copy(), {name: a.copy() for name, a in optimizer.state.items()}

    history = model.fit(X, y, optimizer=optimizer, epochs=4, batch_size=64, verbose=False)

    assert history.stopped.startswith("diverged at step")
    assert optimizer.t == 64
    np.testing.assert_array_equal(model.theta, at_64[0])
    for name, array in at_64[1].items():
        np.testing.assert_array_equal(optimizer.state[name], array)
    assert "the model is back at step 64" in capsys.readouterr().err


def rising_at(step, rate):
    """Return a schedule with the rate 0.01 up to a step, and a far too high one after it."""

    class Rising(schedules.Schedule):
        def rates(self, first_step, n_steps, steps_per_epoch, total_steps):
            steps = np.arange(first_step, first_step + n_steps)
            return np.where(steps >= step, rate, 0.01)

    return Rising()


def test_the_rate_follows_the_schedule():
    X, y = blobs(32, 6, 3)
    optimizer = optimizers.SGD(lr=schedules.Exponential(0.1, 0.5))

    history = small().fit(X, y, optimizer=optimizer, epochs=3, batch_size=8, verbose=False)

    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.05, 0.025])


def test_a_rate_of_zero_changes_nothing():
    X, y = blobs(32, 6, 3)
    model = small()
    before = model.theta.copy()

    model.fit(X, y, optimizer=optimizers.SGD(lr=0.0), epochs=2, batch_size=8, verbose=False)

    np.testing.assert_array_equal(model.theta, before)


def test_validation_is_what_evaluate_says():
    X, y = blobs(60, 6, 3)
    model = fastmlp.Sequential(Linear(6, 16), BatchNorm(16), ReLU(), Dropout(0.5), Linear(16, 3))

    history = model.fit(
        X, y, validation_data=(X[:21], y[:21]), epochs=2, batch_size=16, verbose=False
    )
    loss, accuracy = model.evaluate(X[:21], y[:21])

    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-6)
    assert history["val_accuracy"][-1] == accuracy


def test_early_stopping_waits_that_many_epochs_and_restores_the_best():
    X, y = blobs(60, 6, 3, seed=1)
    wrong = (y + 1) % 3  # the better it learns, the worse its loss on these
    model = small()
    kept = []

    class Keep(Callback):
        def on_epoch_end(self, epoch, record, model):
            kept.append(model.theta.copy())

    history = model.fit(
        X,
        y,
        validation_data=(X, wrong),
        early_stopping=3,
        restore_best=True,
        epochs=100,
        batch_size=16,
        callbacks=[Keep()],
        verbose=False,
    )

    assert history.stopped == "early stopping"
    assert len(history) == history.best_epoch + 1 + 3
    np.testing.assert_array_equal(model.theta, kept[history.best_epoch])


def test_callbacks_are_called_in_order_and_can_stop():
    X, y = blobs(40, 6, 3)
    calls = []

    class Note(Callback):
        def on_train_begin(self, info):
            calls.append(("begin", info.epochs))

        def on_epoch_end(self, epoch, record, model):
            calls.append(("epoch", epoch, record["loss"]))
            return epoch == 1

        def on_train_end(self, history):
            calls.append(("end", len(history)))

    history = small().fit(X, y, epochs=5, batch_size=8, callbacks=[Note()], verbose=False)

    losses = history["loss"]
    assert calls == [("begin", 5), ("epoch", 0, losses[0]), ("epoch", 1, losses[1]), ("end", 2)]
    assert history.stopped


def test_an_error_in_a_callback_reaches_the_caller_and_loses_nothing():
    X, y = blobs(40, 6, 3)
    model, ended = small(), []
    before = model.theta.copy()

    class Broken(Callback):
        def on_epoch_end(self, epoch, record, model):
            raise RuntimeError("mine")

        def on_train_end(self, history):
            ended.append(len(history))

    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, y, epochs=5, batch_size=8, callbacks=[Broken()], verbose=False)

    assert ended == [1]
    assert np.isfinite(model.theta).all()
    assert not np.array_equal(model.theta, before)


def test_ctrl_c_keeps_what_was_learned():
    X, y = blobs(40, 6, 3)
    model = small()
    before = model.theta.copy()

    class Interrupt(Callback):
        def on_epoch_end(self, epoch, record, model):
            if epoch == 1:
                raise KeyboardInterrupt

    history = model.fit(X, y, epochs=50, batch_size=8, callbacks=[Interrupt()], verbose=False)

    assert history.stopped == "interrupted"
    assert len(history) == 2
    assert not np.array_equal(model.theta, before)


def test_an_optimizer_starts_from_scratch_with_another_network():
    X, y = blobs(40, 6, 3)
    used, fresh = optimizers.Adam(), optimizers.Adam()
    small().fit(X, y, optimizer=used, epochs=1, batch_size=8, verbose=False)
    twins = [fastmlp.Sequential(Linear(6, 64), ReLU(), Linear(64, 3)) for _ in range(2)]

    for model, optimizer in zip(twins, (used, fresh), strict=True):
        model.fit(X, y, optimizer=optimizer, epochs=1, batch_size=8, verbose=False)

    np.testing.assert_array_equal(twins[0].theta, twins[1].theta)
    assert used.t == fresh.t == 5
