"""Optimizers, step by step: against the reference, and with their options."""

import numpy as np
import pytest
import reference
from networks import OPTIMIZERS, blobs, for_reference
from sentences import refused
from tolerance import assert_close

import fastmlp
from fastmlp import optimizers, schedules
from fastmlp.layers import BatchNorm, Linear, ReLU

X, Y = blobs(30, 6, 3, dtype="float64")


def network(**options):
    return fastmlp.Sequential(
        Linear(6, 9, bias=False),  # the gradient of a bias before BatchNorm would be rounding
        BatchNorm(9), ReLU(), Linear(9, 3), **({"dtype": "float64"} | options),
    )  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("limits", [{}, {"weight_decay": 0.1, "clip_norm": 0.5, "max_norm": 1.0}])
def test_steps_by_hand_follow_the_reference(name, limits):
    model, optimizer = network(), OPTIMIZERS[name](**limits)
    plan, params = for_reference(model)
    state, rule = {}, (name, reference.RULES[name])
    if name in reference.DECOUPLED:
        limits = {"weight_decay": 0.1} | limits

    for _ in range(4):
        model.loss_and_grads(X, Y, train=True, l2=0.01)
        optimizer.step(model)
        _, params = reference.train_step(
            plan, params, state, X, Y, "cross_entropy", rule, l2=0.01, **limits
        )

    assert optimizer.t == 4
    for key, expected in params.items():
        assert_close(model.params[key], expected, K=4 * 30 * 54, scale=1.0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_flat_like_theta_and_made_on_first_use(name):
    model, optimizer = network(dtype="float32"), OPTIMIZERS[name]()
    assert dict(optimizer.state) == {}

    model.loss_and_grads(X, Y)
    optimizer.step(model)

    assert len(optimizer.state) == len(reference.STATES[name])
    for array in optimizer.state.values():
        assert array.shape == model.theta.shape
        assert array.dtype == model.theta.dtype
        assert array.ctypes.data % 64 == 0
        assert np.any(array)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_spares_biases_and_scales(name):
    model = network()
    model.grads  # noqa: B018 - made on first use
    for array in model.params.values():
        array[...] = 1.0
    for array in model.grads.values():
        array[...] = 0.0

    OPTIMIZERS[name](weight_decay=0.5).step(model)

    for key, array in model.params.items():
        if key.endswith("weight"):
            assert (array < 1.0).all()
        else:
            np.testing.assert_array_equal(array, 1.0)


def test_the_padding_between_tensors_stays_zero():
    model = network()
    padding = np.ones(model.theta.size, bool)
    for array in model.params.values():
        start = (array.ctypes.data - model.theta.ctypes.data) // array.itemsize
        padding[start : start + array.size] = False

    model.fit(X, Y, optimizer=OPTIMIZERS["adamw"](), epochs=3, batch_size=7, verbose=False)

    assert padding.any()
    np.testing.assert_array_equal(model.theta[padding], 0.0)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_a_name_stands_for_the_optimizer_with_its_defaults(name):
    optimizer = optimizers.get(name)

    assert repr(optimizer) == repr(optimizers.OPTIMIZERS[name]())
    assert optimizers.get(optimizer) is optimizer


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("sgd", optimizers.SGD(0.01)),
        ("momentum", optimizers.SGD(0.01, momentum=0.9)),
        ("nesterov", optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
    ],
)
def test_descent_with_and_without_momentum_goes_by_name(name, optimizer):
    X, y = blobs(40, 6, 3)
    models = [fastmlp.Sequential(Linear(6, 3)) for _ in range(2)]

    for model, given in zip(models, (name, optimizer), strict=True):
        model.fit(X, y, optimizer=given, epochs=2, batch_size=8, verbose=False)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_defaults_are_the_published_ones():
    adam = optimizers.Adam()

    assert (adam.lr, adam.beta1, adam.beta2, adam.eps) == (1e-3, 0.9, 0.999, 1e-8)
    assert optimizers.AdamW().weight_decay == 1e-2
    assert optimizers.RMSprop(lr=0.1).decay == 0.9


def test_step_with_a_schedule_needs_the_rate():
    model, optimizer = network(), optimizers.SGD(lr=schedules.Cosine(0.1))
    model.loss_and_grads(X, Y)

    with refused(ValueError, "lr"):
        optimizer.step(model)
    optimizer.step(model, lr=0.1)

    assert optimizer.t == 1


def test_changing_the_rate_between_fits_takes_effect():
    model, optimizer = network(), optimizers.SGD(lr=0.1)
    model.fit(X, Y, optimizer=optimizer, epochs=1, batch_size=10, verbose=False)
    before = model.theta.copy()

    optimizer.lr = 0.0
    model.fit(X, Y, optimizer=optimizer, epochs=1, batch_size=10, verbose=False)

    np.testing.assert_array_equal(model.theta, before)


def test_repr_of_an_optimizer_shows_its_arguments():
    assert repr(optimizers.SGD(lr=0.1, momentum=0.9)).startswith("SGD(lr=0.1")


def test_a_read_only_state_is_copied():
    model = fastmlp.Sequential(Linear(3, 2))
    optimizer = optimizers.Adam()
    optimizer.prepare(model)
    optimizer.state1.flags.writeable = False

    optimizer.prepare(model)

    assert optimizer.state1.flags.writeable
