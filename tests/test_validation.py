"""Every invalid input raises an error of one sentence, and changes nothing."""

import numpy as np
import pytest
from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import layers, losses, optimizers, schedules
from fastmlp.layers import Linear, ReLU

X, Y = blobs(40, 6, 3)
DENSE = np.zeros((40, 3), "float32")


def spoiled(value, array=X):
    copy = array.astype(np.result_type(array, np.float32))
    copy.flat[7] = value
    return copy


BAD_FITS = {
    "columns": ({"X": X[:, :5]}, ["5", "6"]),
    "one axis": ({"X": X[0]}, []),
    "three axes": ({"X": X.reshape(40, 3, 2, 1)[:, :, :1]}, []),
    "text": ({"X": X.astype(str)}, ["dtype"]),
    "objects": ({"X": np.where(X[2, 3] == X, "red", X.astype(object))}, ["red", "[2, 3]"]),
    "objects missing": ({"X": np.where(X[2, 3] == X, None, X.astype(object))}, ["missing"]),
    "complex numbers": ({"X": X.astype(complex)}, ["complex"]),
    "none": ({"X": None}, []),
    "a NaN": ({"X": spoiled(np.nan)}, ["NaN"]),
    "an infinity": ({"X": spoiled(np.inf)}, ["inf"]),
    "too large for float32": ({"X": spoiled(1e300, X.astype(float))}, []),
    "no rows": ({"X": X[:0], "y": Y[:0]}, ["empty"]),
    "no columns": ({"X": X[:, :0]}, []),
    "lengths": ({"y": Y[:39]}, ["39", "40"]),
    "label too large": ({"y": np.where(Y == 2, 3, Y)}, ["3"]),
    "label negative": ({"y": Y - 1}, ["-1"]),
    "label not whole": ({"y": Y + 0.5}, ["whole"]),
    "label NaN": ({"y": spoiled(np.nan, Y)}, []),
    "labels as text": ({"y": np.where(Y == 1, "a", "b")}, []),
    "labels in two axes": ({"y": np.stack([Y, Y], axis=1)}, []),
    "targets of another width": ({"y": DENSE[:, :2], "loss": "mse"}, ["2", "3"]),
    "targets NaN": ({"y": spoiled(np.nan, DENSE), "loss": "mse"}, ["NaN"]),
    "targets out of [0, 1]": ({"y": DENSE + 2, "loss": "binary_cross_entropy"}, []),
    "counts below zero": ({"y": DENSE - 2, "loss": "poisson"}, []),
    "batch of none": ({"batch_size": 0}, ["batch_size"]),
    "batch not whole": ({"batch_size": 2.5}, ["batch_size"]),
    "batch in words": ({"batch_size": "many"}, ["batch_size"]),
    "epochs none": ({"epochs": 0}, ["epochs"]),
    "epochs negative": ({"epochs": -1}, ["epochs"]),
    "epochs not whole": ({"epochs": 1.5}, ["epochs"]),
    "unknown loss": ({"loss": "cross_entrpy"}, ["cross_entropy"]),
    "unknown optimizer": ({"optimizer": "admw"}, ["adamw"]),
    "not an optimizer": ({"optimizer": 3}, ["optimizer"]),
    "unknown precision": ({"matmul_precision": "hihg"}, ["high"]),
    "l2 negative": ({"l2": -0.1}, ["l2"]),
    "l2 NaN": ({"l2": np.nan}, ["l2"]),
    "smoothing 1": ({"label_smoothing": 1.0}, ["label_smoothing"]),
    "smoothing negative": ({"label_smoothing": -0.1}, ["label_smoothing"]),
    "smoothing of targets": ({"label_smoothing": 0.1, "loss": "mse", "y": DENSE}, ["smoothing"]),
    "weights too few": ({"sample_weight": np.ones(39)}, ["39", "40"]),
    "weights negative": ({"sample_weight": -np.ones(40)}, ["sample_weight"]),
    "weights NaN": ({"sample_weight": np.full(40, np.nan)}, ["sample_weight"]),
    "weights all zero": ({"sample_weight": np.zeros(40)}, ["sample_weight"]),
    "class weight of no class": ({"class_weight": {7: 2.0}}, ["7"]),
    "class weight negative": ({"class_weight": {1: -2.0}}, ["class_weight"]),
    "class weight of targets": ({"class_weight": {1: 2.0}, "loss": "mse", "y": DENSE}, ["class"]),
    "threads none": ({"n_threads": 0}, ["n_threads"]),
    "threads not whole": ({"n_threads": 1.5}, ["n_threads"]),
    "validation columns": ({"validation_data": (X[:, :5], Y)}, ["5", "6"]),
    "validation lengths": ({"validation_data": (X, Y[:39])}, ["39", "40"]),
    "validation labels": ({"validation_data": (X, Y + 9)}, []),
    "validation NaN": ({"validation_data": (spoiled(np.nan), Y)}, ["NaN"]),
    "validation not a pair": ({"validation_data": X}, ["validation_data"]),
    "seed negative": ({"seed": -1}, ["seed"]),
    "stopping after none": ({"early_stopping": 0, "validation_data": (X, Y)}, ["early_stopping"]),
    "callback": ({"callbacks": [3]}, ["callback"]),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_fit_refuses_and_changes_nothing(name):
    changes, words = BAD_FITS[name]
    model = fastmlp.Sequential(Linear(6, 5), ReLU(), Linear(5, 3))
    before = model.theta.copy()
    optimizer = optimizers.Adam()
    options = {"X": X, "y": Y, "epochs": 1, "batch_size": 8, "optimizer": optimizer} | changes
    given_x, given_y = options.pop("X"), options.pop("y")

    with refused((ValueError, TypeError), *words):
        model.fit(given_x, given_y, verbose=False, **options)

    np.testing.assert_array_equal(model.theta, before)
    assert optimizer.t == 0


BAD_THINGS = {
    "Linear without inputs": (lambda: Linear(0, 3), ["in_features"]),
    "Linear negative": (lambda: Linear(3, -1), ["out_features"]),
    "Linear not whole": (lambda: Linear(3, 2.5), ["out_features"]),
    "Linear init": (lambda: Linear(3, 2, init="hee"), ["he"]),
    "Dropout 1": (lambda: layers.Dropout(1.0), ["p"]),
    "Dropout negative": (lambda: layers.Dropout(-0.1), ["p"]),
    "Dropout NaN": (lambda: layers.Dropout(float("nan")), ["p"]),
    "Dropout word": (lambda: layers.Dropout("half"), ["p"]),
    "BatchNorm": (lambda: layers.BatchNorm(0), ["n_features"]),
    "LayerNorm": (lambda: layers.LayerNorm(-2), ["n_features"]),
    "LeakyReLU": (lambda: layers.LeakyReLU(float("nan")), ["negative_slope"]),
    "ELU": (lambda: layers.ELU("a"), ["alpha"]),
    "Normalize lengths": (lambda: layers.Normalize(np.zeros(3), np.ones(4)), ["3", "4"]),
    "Normalize zero": (lambda: layers.Normalize(np.zeros(3), np.zeros(3)), ["std"]),
    "Normalize NaN": (lambda: layers.Normalize(np.full(3, np.nan), np.ones(3)), ["mean"]),
    "no layers": (lambda: fastmlp.Sequential(), ["layer"]),
    "widths": (lambda: fastmlp.Sequential(Linear(4, 5), Linear(6, 2)), ["5", "6"]),
    "widths past a ReLU": (lambda: fastmlp.Sequential(Linear(4, 5), ReLU(), Linear(6, 2)), ["5"]),
    "norm width": (lambda: fastmlp.Sequential(Linear(4, 5), layers.BatchNorm(4)), ["5", "4"]),
    "not a layer": (lambda: fastmlp.Sequential(Linear(4, 5), 3), ["forward"]),
    "a class": (lambda: fastmlp.Sequential(Linear(4, 5), ReLU), ["ReLU"]),
    "a list": (lambda: fastmlp.Sequential([Linear(4, 5)]), ["Sequential(*layers)"]),
    "model dtype": (lambda: fastmlp.Sequential(Linear(4, 5), dtype="float16"), ["float16"]),
    "model seed": (lambda: fastmlp.Sequential(Linear(4, 5), seed=-1), ["seed"]),
    "SGD lr": (lambda: optimizers.SGD(lr=-0.1), ["lr"]),
    "SGD lr NaN": (lambda: optimizers.SGD(lr=float("nan")), ["lr"]),
    "SGD lr word": (lambda: optimizers.SGD(lr="fast"), ["lr"]),
    "SGD momentum": (lambda: optimizers.SGD(lr=0.1, momentum=1.5), ["momentum"]),
    "SGD nesterov": (lambda: optimizers.SGD(lr=0.1, nesterov=True), ["momentum"]),
    "RMSprop decay": (lambda: optimizers.RMSprop(lr=0.1, decay=1.5), ["decay"]),
    "Adam beta1": (lambda: optimizers.Adam(beta1=1.0), ["beta1"]),
    "Adam beta2": (lambda: optimizers.Adam(beta2=-0.5), ["beta2"]),
    "Adam eps": (lambda: optimizers.Adam(eps=-1e-8), ["eps"]),
    "weight decay": (lambda: optimizers.AdamW(weight_decay=-1.0), ["weight_decay"]),
    "clip_norm": (lambda: optimizers.Adam(clip_norm=0.0), ["clip_norm"]),
    "max_norm": (lambda: optimizers.Adam(max_norm=-1.0), ["max_norm"]),
    "Step every": (lambda: schedules.Step(0.1, 0, 0.5), ["every"]),
    "Step factor": (lambda: schedules.Step(0.1, 2, -0.5), ["factor"]),
    "Exponential": (lambda: schedules.Exponential(0.1, -1.0), ["decay"]),
    "Cosine": (lambda: schedules.Cosine(-0.1), ["lr"]),
    "OneCycle": (lambda: schedules.OneCycle(float("inf")), ["max_lr"]),
    "WarmUp": (lambda: schedules.WarmUp(-5, schedules.Constant(0.1)), ["steps"]),
    "Huber": (lambda: losses.Huber(delta=0.0), ["delta"]),
    "Quantile": (lambda: losses.Quantile(q=1.0), ["q"]),
    "CrossEntropy": (lambda: losses.CrossEntropy(label_smoothing=1.0), ["label_smoothing"]),
}


@pytest.mark.parametrize("name", BAD_THINGS)
def test_invalid_arguments_are_refused(name):
    build, words = BAD_THINGS[name]

    with refused((ValueError, TypeError), *words):
        build()


def test_a_layer_cannot_be_used_twice():
    layer = Linear(4, 4)

    with refused(ValueError, "layer"):
        fastmlp.Sequential(layer, ReLU(), layer)


@pytest.mark.parametrize("method", ["predict", "__call__"])
def test_predict_refuses(method):
    predict = getattr(fastmlp.Sequential(Linear(6, 3)), method)

    for wrong, words in [(X[:, :5], ["5", "6"]), (X[0], []), (X.astype(str), []), (None, [])]:
        with refused((ValueError, TypeError), *words):
            predict(wrong)


def test_predicting_no_rows_is_refused():
    with refused(ValueError, "empty"):
        fastmlp.Sequential(Linear(6, 3)).predict(X[:0])


def test_a_standalone_layer_refuses_another_width():
    with refused(ValueError, "5", "6"):
        Linear(6, 3).forward(X[:, :5])


def test_backward_before_forward_is_refused():
    for layer in (Linear(3, 3), ReLU(), layers.BatchNorm(3), layers.LayerNorm(3), layers.Flatten()):
        with refused((ValueError, RuntimeError), "forward"):
            layer.backward(np.zeros((2, 3)))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_evaluate_and_gradients_refuse(loss):
    model = fastmlp.Sequential(Linear(6, 3))
    y = Y if loss == "cross_entropy" else DENSE

    for wrong in [(X[:, :5], y), (X, y[:39]), (X[:0], y[:0]), (spoiled(np.nan), y)]:
        with refused((ValueError, TypeError)):
            model.evaluate(*wrong, loss=loss)
        with refused((ValueError, TypeError)):
            model.loss_and_grads(*wrong, loss=loss)
