"""An optimizer saved with its model continues training as if there had been no file."""

import copy

import numpy as np
import pytest
from networks import blobs, every_layer
from sentences import refused

import fastmlp
from fastmlp.optimizers import OPTIMIZERS, SGD, Adam
from fastmlp.schedules import SCHEDULES, Cosine, WarmUp

X, Y = blobs(90, 12, 3)


def train(model, optimizer, epochs=2):
    return model.fit(X, Y, optimizer=optimizer, epochs=epochs, batch_size=20, seed=3, verbose=False)


def after_saving(model, optimizer, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path, optimizer=optimizer)
    return fastmlp.load(path, with_optimizer=True)


def assert_continues_alike(model, optimizer, tmp_path):
    again, same = after_saving(model, optimizer, tmp_path)

    histories = [train(model, optimizer), train(again, same)]

    np.testing.assert_array_equal(again.theta, model.theta)
    np.testing.assert_array_equal(histories[0].steps, histories[1].steps)
    assert repr(same) == repr(optimizer)
    assert (same.t, same.epoch) == (optimizer.t, optimizer.epoch)
    for name, array in optimizer.state.items():
        np.testing.assert_array_equal(same.state[name], array)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_continues_with_the_same_bits(name, tmp_path):
    model, optimizer = every_layer(12, 9, 3), OPTIMIZERS[name](clip_norm=3.0)
    train(model, optimizer)

    assert_continues_alike(model, optimizer, tmp_path)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_comes_back(name, tmp_path):
    model, optimizer = every_layer(12, 9, 3), Adam(SCHEDULES[name].for_training(1e-3, 4, 5))
    train(model, optimizer)

    assert_continues_alike(model, optimizer, tmp_path)


def test_a_schedule_within_another_comes_back(tmp_path):
    model, optimizer = every_layer(12, 9, 3), SGD(WarmUp(7, Cosine(0.05, epochs=9)), momentum=0.8)
    train(model, optimizer)

    assert_continues_alike(model, optimizer, tmp_path)


def test_an_optimizer_that_has_not_begun_can_be_saved(tmp_path):
    assert_continues_alike(every_layer(12, 9, 3), Adam(3e-3, beta2=0.97), tmp_path)


def test_an_optimizer_known_by_name_is_known_by_it_after_loading(tmp_path):
    model = every_layer(12, 9, 3)
    train(model, "nesterov")

    again, _ = after_saving(model, "nesterov", tmp_path)
    histories = [train(model, "nesterov"), train(again, "nesterov")]

    np.testing.assert_array_equal(histories[0].steps, histories[1].steps)
    np.testing.assert_array_equal(again.theta, model.theta)


def test_the_optimizer_is_read_only_if_wanted(tmp_path):
    model, optimizer = every_layer(12, 9, 3), Adam()
    train(model, optimizer)
    model.save(tmp_path / "model", optimizer=optimizer)

    loaded = fastmlp.load(tmp_path / "model")

    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_file_without_an_optimizer_says_so(tmp_path):
    every_layer(12, 9, 3).save(tmp_path / "model")

    with refused(ValueError, "no optimizer", "model.save"):
        fastmlp.load(tmp_path / "model", with_optimizer=True)


def test_the_optimizer_of_another_model_is_not_saved_with_this_one(tmp_path):
    model, other, optimizer = every_layer(12, 9, 3), every_layer(12, 9, 3), Adam()
    train(other, optimizer)

    with refused(ValueError, "another model"):
        model.save(tmp_path / "model", optimizer=optimizer)
    with refused(ValueError, "'adam'"):
        model.save(tmp_path / "model", optimizer="adam")


def test_a_copy_of_the_model_may_be_saved_with_its_optimizer(tmp_path):
    model, optimizer = every_layer(12, 9, 3), Adam()
    train(model, optimizer)

    assert_continues_alike(copy.deepcopy(model), copy.deepcopy(optimizer), tmp_path)


def test_an_optimizer_or_schedule_of_ones_own_is_refused_by_name(tmp_path):
    class Mine(Adam):
        pass

    class Falling(Cosine):
        pass

    model = every_layer(12, 9, 3)
    for optimizer in (Mine(), Adam(Falling(0.1))):
        with refused(TypeError, type(optimizer).__name__ if type(optimizer) is Mine else "Falling"):
            model.save(tmp_path / "model", optimizer=optimizer)
    assert not list(tmp_path.iterdir())
