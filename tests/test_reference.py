"""The reference itself: derivatives by central differences, losses by values worked by hand."""

import numpy as np
import pytest
import reference
from strategies import ACTIVATIONS, LABELS, LOSSES, filled
from tolerance import assert_close, assert_gradient_close


def targets_for(kind, rng, N, C):
    if kind in LABELS:
        return rng.integers(0, C, N)
    if kind == "poisson":
        return rng.poisson(2.0, (N, C)).astype(float)
    return rng.random((N, C))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activation_derivative_is_its_central_difference(kind):
    alpha = ACTIVATIONS[kind]
    x = np.random.default_rng(0).standard_normal((5, 7)) * 2

    numerical = reference.numerical_gradient(
        lambda x: reference.activation(kind, x, alpha).sum(), x
    )

    assert_gradient_close(reference.activation_derivative(kind, x, alpha), numerical)


@pytest.mark.parametrize("kind", LOSSES)
def test_loss_gradient_is_its_central_difference(kind):
    rng = np.random.default_rng(1)
    z, weights = rng.standard_normal((6, 4)), rng.random(6)
    t = targets_for(kind, rng, 6, 4)

    _, gradient = reference.loss(kind, z, t, weights, LOSSES[kind])
    numerical = reference.numerical_gradient(
        lambda z: reference.loss(kind, z, t, weights, LOSSES[kind])[0], z
    )

    assert_gradient_close(gradient, numerical)


@pytest.mark.parametrize("kind", reference.NORMALIZATIONS)
def test_normalisation_backward_is_its_central_difference(kind):
    rng = np.random.default_rng(2)
    x, dy, gamma = (rng.standard_normal(s) for s in [(6, 5), (6, 5), 5])
    forward, backward = reference.NORMALIZATIONS[kind]

    dx, *gradients = backward(dy, x, gamma)

    vectors = [gamma, rng.standard_normal(5)][: len(gradients)]  # without beta where there is none
    for i, (start, gradient) in enumerate(zip([x, *vectors], [dx, *gradients], strict=True)):

        def value(a, i=i):
            arguments = [x, *vectors]
            arguments[i] = a
            return (dy * forward(*arguments)).sum()

        assert_gradient_close(gradient, reference.numerical_gradient(value, start))


def test_whole_network_gradient_is_its_central_difference():
    rng = np.random.default_rng(3)
    network = [
        ("normalize", (rng.standard_normal(4), 1 + rng.random(4))),
        ("linear", None),
        ("batchnorm", None),
        ("gelu", 0.0),
        ("linear", None),
        ("layernorm", None),
        ("tanh", 0.0),
        ("linear", None),
    ]
    shapes = {"1.weight": (4, 5), "1.bias": 5, "2.gamma": 5, "2.beta": 5, "4.weight": (5, 6)}
    shapes |= {"4.bias": 6, "5.gamma": 6, "5.beta": 6, "7.weight": (6, 3), "7.bias": 3}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    x, t = rng.standard_normal((8, 4)), rng.integers(0, 3, 8)

    def value(params):
        return reference.loss_and_grads(network, params, x, t, "cross_entropy", l2=0.1)[0]

    _, grads = reference.loss_and_grads(network, params, x, t, "cross_entropy", l2=0.1)
    for name in params:
        numerical = reference.numerical_gradient(
            lambda a, name=name: value(params | {name: a}), params[name]
        )
        assert_gradient_close(grads[name], numerical)


def test_losses_worked_by_hand():
    z = np.array([[1.0, 3.0, 2.0]])

    assert_close(reference.loss("cross_entropy", z, [0])[0], np.log(1 + np.e**2 + np.e))
    assert_close(reference.loss("hinge", z, [0])[0], 3.0 + 2.0)
    assert_close(reference.loss("mse", z, np.array([[0.0, 3.0, 4.0]]))[0], (1 + 0 + 4) / 3)
    assert_close(reference.loss("mae", z, np.array([[0.0, 3.0, 4.0]]))[0], (1 + 0 + 2) / 3)
    assert_close(reference.loss("huber", z, np.array([[0.5, 0, 2]]), None, 1.0)[0], 2.625 / 3)
    assert_close(reference.loss("quantile", z, np.array([[0.0, 5, 2]]), None, 0.9)[0], 1.9 / 3)
    assert_close(
        reference.loss("binary_cross_entropy", z, np.array([[1.0, 0, 1]]))[0],
        (np.log1p(np.exp(-1)) + np.log1p(np.exp(3)) + np.log1p(np.exp(-2))) / 3,
    )
    assert_close(
        reference.loss("poisson", z, np.array([[0.0, 1, 2]]))[0],
        (np.e + np.e**3 - 3 + np.e**2 - 4) / 3,
    )


def test_the_rule_rejects_an_error_and_a_swallowed_nan():
    x = filled((3, 4), "normal", 0)
    wrong = x.astype(np.float32)
    wrong[1, 2] *= 1.0 + 1e-4

    with pytest.raises(AssertionError, match="times the allowed"):
        assert_close(wrong, x)
    with pytest.raises(AssertionError):
        assert_close(np.zeros(2), np.array([0.0, np.nan]))
    with pytest.raises(AssertionError):
        assert_close(np.array([0.0, np.nan]), np.zeros(2))
