"""Extreme weights and settings: only ratios of weights matter, and no setting rounds to 0."""

import numpy as np
import pytest
from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import layers, losses, optimizers, schedules
from fastmlp.layers import Linear

X, Y = blobs(60, 5, 3)
WEIGHT = np.linspace(0.5, 2.0, 60)


def fitted(**options):
    model = fastmlp.Sequential(Linear(5, 3), dtype=options.pop("dtype", "float32"))
    history = model.fit(X, Y, epochs=3, batch_size=16, verbose=False, **options)
    return model, history


@pytest.mark.parametrize("exponent", [-1000, -149, -126, -41, 41, 120, 127, 900])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_any_size_train_alike(dtype, exponent):
    scaled = np.ldexp(WEIGHT, exponent)
    model, history = fitted(sample_weight=WEIGHT, dtype=dtype)

    other, same = fitted(sample_weight=scaled, dtype=dtype)

    np.testing.assert_allclose(other.theta, model.theta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(same.loss, history.loss, rtol=1e-6)
    expected = model.evaluate(X, Y, sample_weight=WEIGHT)
    assert other.evaluate(X, Y, sample_weight=scaled) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weight", [1e36, 3e38, 1e-38, 1e-44])
def test_the_smallest_and_largest_float32_weights_work(weight):
    weights = np.full(60, weight, "float32")

    model, _ = fitted(sample_weight=weights)

    assert model.evaluate(X, Y, sample_weight=weights)[0] == pytest.approx(
        fitted()[0].evaluate(X, Y)[0], rel=1e-5
    )


def test_class_weights_and_sample_weights_can_both_be_extreme():
    sizes = {0: 1e200, 1: 2e200, 2: 1e200}
    model, _ = fitted(class_weight=sizes, sample_weight=WEIGHT * 1e-150)

    expected, _ = fitted(class_weight={0: 1.0, 1: 2.0, 2: 1.0}, sample_weight=WEIGHT)

    np.testing.assert_allclose(model.theta, expected.theta, rtol=1e-4, atol=1e-6)


def test_a_batch_of_one_row_with_a_tiny_weight_does_no_harm():
    weights = np.where(np.arange(60) % 7 == 0, 1e-40, 1.0)

    model, history = fitted(sample_weight=weights.astype("float32"))

    assert history.stopped is None
    assert np.isfinite(model.theta).all()


@pytest.mark.parametrize(
    "loss", [losses.Huber(1e-300), losses.Huber(1e-40), losses.Huber(1e39), losses.Quantile(1e-90)]
)
def test_a_loss_parameter_out_of_the_dtypes_range_is_refused(loss):
    model = fastmlp.Sequential(Linear(5, 1))

    for use in (model.fit, model.evaluate, model.loss_and_grads):
        with refused(ValueError, repr(loss), "float32"):
            use(X, Y.astype(float), loss=loss)
    with refused(ValueError, "float32"):
        loss(np.zeros((2, 1), "float32"), np.zeros(2))
    assert np.isfinite(loss(np.zeros((2, 1)), np.ones(2)))


@pytest.mark.parametrize(
    "layer",
    [layers.BatchNorm(3, eps=1e-60), layers.LayerNorm(3, eps=1e-39), layers.LeakyReLU(1e-100)],
)
def test_a_layer_setting_out_of_the_dtypes_range_is_refused(layer):
    with refused(ValueError, "layer 1", "float32", "too small"):
        fastmlp.Sequential(Linear(5, 3), layer)
    with refused(ValueError, "too large"):
        fastmlp.Sequential(layers.ELU(1e300))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"optimizer": optimizers.Adam(eps=1e-50)}, "eps"),
        ({"optimizer": optimizers.SGD(lr=1e39)}, "lr"),
        ({"optimizer": optimizers.AdamW(weight_decay=1e-45)}, "weight_decay"),
        ({"optimizer": optimizers.SGD(clip_norm=1e300)}, "clip_norm"),
        ({"optimizer": optimizers.Adam(lr=schedules.Cosine(1e-90))}, "lr"),
        ({"optimizer": optimizers.SGD(lr=schedules.OneCycle(1e-41))}, "lr"),
        ({"optimizer": optimizers.RMSprop(lr=schedules.WarmUp(3, schedules.Step(1e40, 2)))}, "lr"),
        ({"l2": 1e-50}, "l2"),
    ],
)
def test_other_numbers_out_of_the_dtypes_range_are_refused(options, word):
    with refused(ValueError, word, "float32"):
        fitted(**options)

    fitted(dtype="float64", **(options if word in ("eps", "weight_decay", "l2") else {}))
