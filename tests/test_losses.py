"""Loss objects: against the reference, by name, and on invalid input."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from sentences import refused
from strategies import LABELS, LOSSES, dtypes, loss_cases
from tolerance import assert_close

from fastmlp import losses

WITH_PARAMETER = {
    "cross_entropy": lambda p: losses.CrossEntropy(label_smoothing=p),
    "huber": lambda p: losses.Huber(delta=p),
    "quantile": lambda p: losses.Quantile(q=p),
}


def make(kind):
    return WITH_PARAMETER[kind](LOSSES[kind]) if kind in WITH_PARAMETER else losses.get(kind)


@pytest.mark.parametrize("kind", LOSSES)
@given(data=st.data(), dtype=dtypes)
def test_value_and_gradient(kind, data, dtype):
    z, targets, weights = data.draw(loss_cases(kind))
    loss = make(kind)
    z_ = z.astype(dtype)

    value, gradient = loss.value_and_gradient(z_, targets, weights)

    expected, expected_gradient = reference.loss(kind, z, targets, weights, LOSSES[kind])
    size = np.abs(z).max() + np.abs(targets).max() + 1
    size = {"mse": size**2, "huber": size**2, "hinge": size * z.shape[1]}.get(kind, size)
    size = max(size, np.exp(z).max() * (1 + np.abs(targets).max())) if kind == "poisson" else size
    assert isinstance(value, float)
    assert gradient.dtype == dtype
    assert_close(value, expected, dtype=dtype, K=z.size, scale=size)
    assert_close(gradient, expected_gradient, K=z.shape[1], scale=size)
    assert loss(z_, targets, weights) == value
    np.testing.assert_array_equal(loss.gradient(z_, targets, weights), gradient)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_name_stands_for_the_loss_with_its_defaults(kind):
    loss = losses.get(kind)

    assert loss.kind == kind
    assert type(loss) is type(make(kind))
    assert losses.get(loss) is loss


@pytest.mark.parametrize("kind", LOSSES)
def test_outputs_are_left_alone(kind):
    z, y = np.ones((3, 4)), np.zeros(3, int) if kind in LABELS else 0.5
    y = np.broadcast_to(y, (3,) if np.ndim(y) else (3, 4))

    losses.get(kind).value_and_gradient(z, y)

    np.testing.assert_array_equal(z, 1.0)


@pytest.mark.parametrize(
    ("kind", "targets", "words"),
    [
        ("cross_entropy", np.array([0, 1, 4]), ["4", "3"]),
        ("cross_entropy", np.array([0, -1, 1]), ["-1"]),
        ("cross_entropy", np.array([0.5, 1, 1]), ["whole"]),
        ("hinge", np.array([0, 1]), ["3"]),
        ("mse", np.zeros((3, 3)), ["(3, 4)", "(3, 3)"]),
        ("mse", np.full((3, 4), np.nan), ["finite"]),
        ("binary_cross_entropy", np.full((3, 4), 1.5), ["1.5"]),
        ("poisson", np.full((3, 4), -1.0), ["-1"]),
    ],
)
def test_invalid_targets_are_refused(kind, targets, words):
    with refused((ValueError, TypeError), *words):
        losses.get(kind)(np.zeros((3, 4)), targets)


@pytest.mark.parametrize("weights", [np.ones(2), -np.ones(3), np.zeros(3), np.full(3, np.nan)])
def test_invalid_weights_are_refused(weights):
    with refused(ValueError, "sample_weight"):
        losses.get("mse")(np.zeros((3, 4)), np.zeros((3, 4)), weights)


def test_an_unknown_name_suggests_the_nearest_one():
    with refused(ValueError, "crossentropy", "'cross_entropy'"):
        losses.get("crossentropy")


def test_an_object_that_is_not_a_loss_is_refused():
    for wrong in (3, None, object()):
        with refused(TypeError, "loss"):
            losses.get(wrong)


def test_a_custom_loss_trains():
    import fastmlp
    from fastmlp.layers import Linear

    class Cubed:
        def value_and_gradient(self, outputs, targets, sample_weight=None):
            error = outputs - targets
            return float((np.abs(error) ** 3).mean()), 3 * error * np.abs(error) / error.size

    X = np.random.default_rng(0).standard_normal((60, 4)).astype("float32")
    y = X @ np.ones((4, 2), "float32")

    history = fastmlp.Sequential(Linear(4, 2)).fit(
        X, y, loss=Cubed(), optimizer="adam", epochs=20, batch_size=20, verbose=False
    )

    assert history["loss"][-1] < history["loss"][0]
