"""Anything that would be ignored raises an error of one sentence, or a warning."""

import warnings

import numpy as np
import pytest
from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import layers, losses, optimizers, schedules
from fastmlp.callbacks import Callback, Progress, TimeLimit
from fastmlp.layers import Linear

X, Y = blobs(30, 3, 3)


@pytest.mark.parametrize(
    "layer",
    [Linear(3, 2), layers.ReLU(), layers.BatchNorm(3), layers.Dropout(0.5), layers.Normalize(0, 1)],
    ids=lambda layer: type(layer).__name__,
)
def test_an_attribute_that_a_layer_does_not_have_cannot_be_set(layer):
    with refused(AttributeError, "trainable", "trains every layer"):
        layer.trainable = False
    with refused(AttributeError, "lr_scale", type(layer).__name__):
        layer.lr_scale = 0.1

    assert not hasattr(layer, "trainable")


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS.values())
def test_an_attribute_that_an_optimizer_does_not_have_cannot_be_set(kind):
    optimizer = kind()

    with refused(AttributeError, "learning_rate", "lr"):
        optimizer.learning_rate = 0.5
    optimizer.lr = 0.5

    assert optimizer.lr == 0.5


@pytest.mark.parametrize(
    "thing",
    [schedules.Cosine(0.1), schedules.WarmUp(3, 0.1), losses.Huber(2.0), losses.MSE()],
    ids=lambda thing: type(thing).__name__,
)
def test_an_attribute_that_a_schedule_or_loss_does_not_have_cannot_be_set(thing):
    with refused(AttributeError, "gamma", type(thing).__name__):
        thing.gamma = 0.5


@pytest.mark.parametrize(
    ("thing", "name", "wrong", "right"),
    [
        (optimizers.SGD(), "clip_norm", -2.0, 3.0),
        (optimizers.SGD(momentum=0.5), "momentum", 1.0, 0.75),
        (optimizers.Adam(), "beta2", "0.9", 0.99),
        (optimizers.AdamW(), "weight_decay", float("nan"), 0.25),
        (optimizers.RMSprop(), "eps", 0, 1e-3),
        (optimizers.Adagrad(), "lr", -1e-3, schedules.Step(0.1, 2)),
        (schedules.OneCycle(0.1), "max_lr", -0.1, 0.2),
        (schedules.Step(0.1, every=4), "every", 1.5, 2),
        (losses.Huber(1.0), "delta", 0.0, 0.5),
        (losses.Quantile(0.5), "q", 1.5, 0.9),
        (losses.CrossEntropy(), "label_smoothing", -0.1, 0.1),
    ],
)
def test_a_setting_is_checked_again_when_it_is_changed(thing, name, wrong, right):
    before = getattr(thing, name)

    with pytest.raises((ValueError, TypeError), match=name):
        setattr(thing, name, wrong)
    assert getattr(thing, name) == before

    setattr(thing, name, right)
    assert getattr(thing, name) is right or getattr(thing, name) == right


@pytest.mark.parametrize("name", ["trainable", "requires_grad", "frozen"])
def test_a_model_cannot_be_held_fixed_by_an_attribute(name):
    model = fastmlp.Sequential(Linear(3, 2))

    with refused(AttributeError, name, "trains every layer"):
        setattr(model, name, False)
    model.note = "of no effect"


def test_custom_layers_and_optimizers_can_have_any_attribute():
    class Doubled(layers.Layer):
        factor = 2

        def __init__(self):
            self.name = "doubled"

        def forward(self, x, train=False):
            return x * self.factor

    class Mine(optimizers.SGD):
        pass

    layer, optimizer = Doubled(), Mine()
    layer.note, optimizer.note = "a", "b"

    assert (layer.name, layer.note, optimizer.note) == ("doubled", "a", "b")


class Scale:
    """A custom layer that multiplies each feature by its own factor."""

    def __init__(self, **attributes):
        self.weight = np.ones(3)
        vars(self).update(attributes)

    def forward(self, x, train=False):
        self.x = x
        return x * self.weight

    def backward(self, dy):
        if getattr(self, "grads", None):
            self.grads["weight"] = (dy * self.x).sum(axis=0)
        return dy * self.weight


def test_a_layer_with_arrays_but_no_params_causes_a_warning():
    with pytest.warns(UserWarning, match="layer 0, Scale.*the arrays weight but no params"):
        fastmlp.Sequential(Scale(), Linear(3, 3))


def test_empty_params_make_a_layer_fixed_without_a_warning():
    scale = Scale(params={}, trainable=False)
    model = fastmlp.Sequential(scale, Linear(3, 3))

    model.fit(X, Y, epochs=1, verbose=False)

    np.testing.assert_array_equal(scale.weight, np.ones(3))


def test_only_building_a_model_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fastmlp.Sequential(Scale(), Linear(3, 3))

    model.predict(X)
    model.fit(X, Y, epochs=1, verbose=False)


def learning_scale(**attributes):
    weight = np.ones(3)
    return Scale(
        weight=weight, params={"weight": weight}, grads={"weight": np.zeros(3)}, **attributes
    )


def test_a_layer_with_params_learns():
    scale = learning_scale(trainable=True)

    fastmlp.Sequential(scale, Linear(3, 3)).fit(X, Y, epochs=3, verbose=False)

    assert not np.array_equal(scale.weight, np.ones(3))


@pytest.mark.parametrize("name", ["trainable", "requires_grad"])
def test_a_layer_with_params_cannot_be_frozen(name):
    model = fastmlp.Sequential(learning_scale(**{name: False}), Linear(3, 3))

    with refused(ValueError, "layer 0", f"{name}=False"):
        model.fit(X, Y, epochs=1, verbose=False)


@pytest.mark.parametrize(
    "name", ["on_batch_end", "on_epoch_begin", "on_train_start", "epoch_end", "onEpochEnd"]
)
def test_a_hook_that_is_never_called_is_refused(name):
    duck = type("Duck", (), {"on_epoch_end": lambda *_: None, name: lambda *_: None})()
    subclass = type("Sub", (Callback,), {name: lambda *_: None})()

    for callback in (duck, subclass):
        with refused(TypeError, name, "on_train_begin, on_epoch_end, on_train_end, poll"):
            fastmlp.Sequential(Linear(3, 3)).fit(X, Y, callbacks=[callback], verbose=False)


def test_callbacks_can_have_their_own_methods_and_attributes():
    class Mine(Callback):
        def __init__(self):
            self.scores, self.on = [], True

        def score(self, model):
            return model.evaluate(X, Y)[0]

        def on_epoch_end(self, epoch, record, model):
            self.scores.append(self.score(model))

    mine = Mine()

    fastmlp.Sequential(Linear(3, 3)).fit(
        X, Y, epochs=2, callbacks=[mine, TimeLimit(60), Progress()], verbose=False
    )

    assert len(mine.scores) == 2
