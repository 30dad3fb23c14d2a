"""A model remembers the loss of its last fit, which evaluate uses by default."""

import copy
import pickle

import numpy as np
import pytest
from networks import blobs, targets
from sentences import refused

import fastmlp
from fastmlp import losses
from fastmlp.layers import Linear
from fastmlp.storage import checked_file

X, Y = blobs(40, 4, 3)


def fitted(loss, y, **options):
    model = fastmlp.Sequential(Linear(4, 3))
    history = model.fit(X, y, loss=loss, epochs=2, validation_data=(X, y), verbose=False, **options)
    return model, history


@pytest.mark.parametrize("name", [name for name in losses.LOSSES if name != "cross_entropy"])
def test_evaluate_and_gradients_take_the_loss_of_the_last_fit(name):
    y = targets(name, 40, 3)

    model, _ = fitted(name, y)

    assert model.evaluate(X, y) == model.evaluate(X, y, loss=name)
    assert model.loss_and_grads(X, y)[0] == model.loss_and_grads(X, y, loss=name)[0]


@pytest.mark.parametrize("loss", [losses.Huber(0.3), losses.Quantile(0.9)])
def test_its_parameter_is_remembered_too(loss):
    y = targets("mse", 40, 3)

    model, history = fitted(loss, y)

    assert model.evaluate(X, y)[0] == history.val_loss[-1]


def test_label_smoothing_is_remembered_too():
    model, history = fitted("cross_entropy", Y, label_smoothing=0.2)

    assert model.evaluate(X, Y)[0] == history.val_loss[-1]
    assert model.evaluate(X, Y)[0] != model.evaluate(X, Y, loss="cross_entropy")[0]


def test_before_the_first_fit_it_is_the_cross_entropy():
    model = fastmlp.Sequential(Linear(4, 3))

    assert model.loss is None
    assert model.evaluate(X, Y) == model.evaluate(X, Y, loss="cross_entropy")


def test_a_refused_fit_changes_nothing():
    model, _ = fitted("mse", targets("mse", 40, 3))

    with pytest.raises(ValueError, match="rows"):
        model.fit(X, Y[:3], loss="hinge")

    assert type(model.loss) is losses.MSE


def through_a_file(model, path):
    model.save(path)
    return fastmlp.load(path)


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda m, path: copy.deepcopy(m),
        lambda m, path: pickle.loads(pickle.dumps(m)),
        through_a_file,
    ],
    ids=["deepcopy", "pickle", "file"],
)
@pytest.mark.parametrize("loss", ["mse", losses.Huber(0.3), losses.CrossEntropy(0.1)])
def test_copies_and_files_keep_it(loss, duplicate, tmp_path):
    y = Y if isinstance(loss, losses.CrossEntropy) else targets("mse", 40, 3)
    model, _ = fitted(loss, y)

    other = duplicate(model, tmp_path / "m.safetensors")

    assert other.evaluate(X, y) == model.evaluate(X, y)


def test_a_custom_loss_is_remembered_but_not_copied(tmp_path):
    class Squares:
        def value_and_gradient(self, outputs, targets, sample_weight=None):
            return float((outputs**2).mean()), 2 * outputs / outputs.size

    model, _ = fitted(Squares(), Y)

    assert model.evaluate(X, Y)[0] == pytest.approx(np.square(model.predict(X)).mean())
    for other in (copy.deepcopy(model), through_a_file(model, tmp_path / "m.safetensors")):
        assert other.loss is None


@pytest.mark.parametrize(
    ("before", "after", "word"), [("0.3", "0.0", "delta"), ('"huber', '"hubrr', "huber")]
)
def test_a_file_with_an_invalid_loss_is_refused(before, after, word, tmp_path):
    model, path = fitted(losses.Huber(0.3), targets("mse", 40, 3))[0], tmp_path / "m.safetensors"
    model.save(path)
    texts, arrays = checked_file.read(path)
    texts["architecture"] = texts["architecture"].replace(before, after)
    checked_file.write(path, texts, arrays)

    with refused(ValueError, "cannot be loaded as a model", word):
        fastmlp.load(path)
