"""A training run with everything that a checkpoint keeps, for tests that stop and resume it."""

import numpy as np
import pytest
from networks import blobs

import fastmlp
from fastmlp import Adam, Checkpoint, EarlyStopping
from fastmlp.layers import BatchNorm, Dropout, Linear, Normalize, ReLU
from fastmlp.schedules import OneCycle

X, Y = blobs(330, 12, 3)
X_VAL, Y_VAL = blobs(50, 12, 3, seed=1)


class StoppedError(Exception):
    pass


class StopAfter(fastmlp.Callback):
    """Raises an error after an epoch, as if the program had ended there."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, epoch, record, model):
        if epoch == self.epoch:
            raise StoppedError


def network():
    return fastmlp.Sequential(
        Normalize(X.mean(0), X.std(0)), Linear(12, 24), BatchNorm(24), ReLU(), Dropout(0.3),
        Linear(24, 16), ReLU(), Dropout(0.2), Linear(16, 3), seed=4,
    )  # fmt: skip


def train(
    folder=None,
    *,
    inputs=X,
    callbacks=(),
    model=None,
    every="1 epoch",
    resume=True,
    keep=2,
    **options,
):
    """Train; return the model, the optimizer and the history."""
    model, optimizer = model or network(), Adam(OneCycle(0.01), clip_norm=2.0)
    checkpoint = [] if folder is None else [Checkpoint(folder, every, keep, resume=resume)]
    options = {
        "epochs": 7,
        "batch_size": 32,
        "seed": 5,
        "early_stopping": EarlyStopping(6),
        "restore_best": True,
        "validation_data": (X_VAL, Y_VAL),
        "sample_weight": np.linspace(0.5, 2.0, len(X)),
        "verbose": False,
    } | options
    history = model.fit(
        inputs, Y, optimizer=optimizer, callbacks=[*callbacks, *checkpoint], **options
    )
    return model, optimizer, history


def records(history):
    """Return the history without the times."""
    return [{n: v for n, v in record.items() if n != "seconds"} for record in history.epochs]


def assert_same(run, other):
    """Check that two runs ended with the same bits."""
    (model, optimizer, history), (model2, optimizer2, history2) = run, other
    np.testing.assert_array_equal(model.theta, model2.theta)
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, model2.state[name])
    for name, array in optimizer.state.items():
        np.testing.assert_array_equal(array, optimizer2.state[name])
    assert (optimizer.t, optimizer.epoch) == (optimizer2.t, optimizer2.epoch)
    assert records(history) == records(history2)
    assert (history.stopped, history.best_epoch) == (history2.stopped, history2.best_epoch)
    np.testing.assert_array_equal(history.steps, history2.steps)


def stopped_after(epoch, folder, **options):
    """Train and stop as a crash would, after that epoch."""
    with pytest.raises(StoppedError):
        train(folder, callbacks=[StopAfter(epoch)], **options)
