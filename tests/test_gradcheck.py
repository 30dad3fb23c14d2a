"""The public gradient checker accepts right gradients and detects wrong ones."""

import numpy as np
import pytest
from networks import ACTIVATION_LAYERS, blobs, targets
from strategies import LOSSES, filled

import fastmlp
from fastmlp import gradcheck
from fastmlp.layers import BatchNorm, LayerNorm, Linear, Tanh

X, Y = blobs(12, 5, 3, dtype="float64")


def test_numerical_gradient_of_a_known_function():
    x = filled((3, 4), "normal", 0)

    gradient = gradcheck.numerical_gradient(lambda x: float((x**3).sum()), x)

    assert gradcheck.relative_error(gradient, 3 * x**2) < 1e-7


def test_the_array_is_left_as_it_was():
    x = filled((3, 4), "normal", 0)
    before = x.copy()

    gradcheck.numerical_gradient(lambda x: float(x.sum()), x)

    np.testing.assert_array_equal(x, before)


def test_relative_error():
    assert gradcheck.relative_error(np.ones(3), np.ones(3)) == 0.0
    assert gradcheck.relative_error(np.array([1.0]), np.array([3.0])) == 0.5
    assert gradcheck.relative_error(np.array([0.0]), np.array([0.0])) == 0.0
    assert gradcheck.relative_error(np.array([1e-12]), np.array([0.0])) == pytest.approx(1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_whole_networks_pass(loss):
    model = fastmlp.Sequential(
        Linear(5, 6), BatchNorm(6), Tanh(), Linear(6, 4), LayerNorm(4), Linear(4, 3),
        dtype="float64",
    )  # fmt: skip

    errors = gradcheck.check_model(model, X, targets(loss, 12, 3), loss=loss, l2=0.1)

    assert errors.keys() == model.params.keys()
    assert max(errors.values()) < 1e-6


@pytest.mark.parametrize("activation", ACTIVATION_LAYERS.values())
def test_every_activation_passes(activation):
    model = fastmlp.Sequential(Linear(5, 6), activation(), Linear(6, 3), dtype="float64")

    assert max(gradcheck.check_model(model, X, Y).values()) < 1e-6


def test_a_wrong_gradient_is_found():
    class Wrong:
        def forward(self, x, train=False):
            return x * x

        def backward(self, dy):
            return dy

    model = fastmlp.Sequential(Linear(5, 6), Wrong(), Linear(6, 3), dtype="float64")

    errors = gradcheck.check_model(model, X, Y)

    assert errors["0.weight"] > 1e-2
    assert errors["2.weight"] < 1e-6


def test_checking_changes_no_parameter():
    model = fastmlp.Sequential(Linear(5, 6), Tanh(), Linear(6, 3), dtype="float64")
    before = model.theta.copy()

    gradcheck.check_model(model, X, Y)

    np.testing.assert_array_equal(model.theta, before)
