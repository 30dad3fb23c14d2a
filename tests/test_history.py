"""The record of a training run."""

import numpy as np
import pytest
from networks import blobs

import fastmlp
from fastmlp.history import History
from fastmlp.layers import Linear, ReLU

X, Y = blobs(50, 6, 3)


@pytest.fixture
def history():
    model = fastmlp.Sequential(Linear(6, 5), ReLU(), Linear(5, 3))
    return model.fit(X, Y, epochs=3, batch_size=16, validation_data=(X, Y), verbose=False)


def test_every_step_and_every_epoch_are_there(history):
    assert len(history) == len(history.epochs) == 3
    assert history.steps.shape == (3 * 4,)
    assert history.steps.dtype == np.float64
    assert [record["epoch"] for record in history.epochs] == [0, 1, 2]


@pytest.mark.parametrize(
    "column", ["loss", "accuracy", "val_loss", "val_accuracy", "seconds", "learning_rate"]
)
def test_columns_are_read_by_name(history, column):
    values = history[column]

    assert values == getattr(history, column)
    assert values == [record[column] for record in history.epochs]
    assert all(isinstance(v, float) and np.isfinite(v) for v in values)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(history):
    sizes = np.array([16, 16, 16, 2])

    expected = [(steps * sizes).sum() / 50 for steps in history.steps.reshape(3, 4)]

    np.testing.assert_allclose(history["loss"], expected, rtol=1e-6)


def test_an_unknown_column_names_the_nearest(history):
    with pytest.raises(KeyError, match="val_loss"):
        history["val_los"]
    with pytest.raises(AttributeError, match="val_los"):
        _ = history.val_los


def test_a_completed_training_was_not_stopped(history):
    assert history.stopped is None
    assert "3 epochs" in repr(history)


def test_without_validation_its_columns_are_empty():
    model = fastmlp.Sequential(Linear(6, 3))

    history = model.fit(X, Y, epochs=2, batch_size=16, verbose=False)

    assert history["val_loss"] == [None, None]


def test_steps_of_a_history_are_a_copy_of_what_was_added():
    history, losses = History(), np.ones(3)

    history.add_steps(losses)
    losses[:] = 2.0

    np.testing.assert_array_equal(history.steps, np.ones(3))


def test_a_history_can_be_pickled(history):
    import pickle

    again = pickle.loads(pickle.dumps(history))

    assert again.epochs == history.epochs
    np.testing.assert_array_equal(again.steps, history.steps)


@pytest.mark.parametrize(("n_epochs", "told"), [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs")])
def test_a_history_shows_how_many_epochs_it_has(n_epochs, told):
    history = History()
    history.epochs += [{"epoch": epoch, "loss": 0.5} for epoch in range(n_epochs)]

    assert repr(history).startswith(f"History({told}")
