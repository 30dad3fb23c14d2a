"""Losses, their gradients and the count of correct rows against the reference."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import LABELS, LOSSES, dtypes, filled, loss_cases
from tolerance import assert_close, assert_gradient_close

from fastmlp import ops


def run(kind, z, targets, weights, parameter, dtype, with_gradient=True):
    """Call the kernel in dtype; return the loss, the count and the gradient."""
    z = z.astype(dtype)
    targets = targets.astype(np.int64 if kind in LABELS else dtype)
    weights = None if weights is None else weights.astype(dtype)
    gradient = np.full(z.shape, np.nan, dtype) if with_gradient else None
    value, n_correct = ops.loss(kind, z, targets, weights, parameter, gradient)
    return value, n_correct, gradient


def sizes(kind, z, targets):
    """Return the size of the terms of the loss and of one row's gradient."""
    if kind in LABELS:
        spread = np.abs(z).max() + 1.0 + np.log(z.shape[1])
        return spread * (z.shape[1] if kind == "hinge" else 1), 2.0
    largest = np.abs(z).max() + np.abs(targets).max() + 1.0
    if kind == "mse":
        return largest**2, 2.0 * largest
    if kind == "poisson":
        return np.exp(z).max() + largest**2, np.exp(z).max() + largest
    if kind == "huber":
        return largest**2, largest
    return largest, 2.0


@pytest.mark.parametrize("kind", LOSSES)
@given(data=st.data(), dtype=dtypes)
def test_value_and_gradient(kind, data, dtype):
    z, targets, weights = data.draw(loss_cases(kind))
    N, C = z.shape

    value, _, gradient = run(kind, z, targets, weights, LOSSES[kind], dtype)

    expected, expected_gradient = reference.loss(kind, z, targets, weights, LOSSES[kind])
    value_size, gradient_size = sizes(kind, z, targets)
    share = (np.ones(N) if weights is None else weights)[:, None]
    share = share / share.sum()
    assert_close(value, expected, dtype=dtype, K=N * C, scale=value_size)
    if kind not in LABELS:
        share = share / C
    if kind == "hinge":
        gradient_size = C
    assert_close(gradient, expected_gradient, K=C, scale=gradient_size * share)


@pytest.mark.parametrize("kind", LOSSES)
@given(data=st.data(), dtype=dtypes)
def test_value_without_a_gradient_is_the_same(kind, data, dtype):
    z, targets, weights = data.draw(loss_cases(kind))

    with_gradient, n_correct, _ = run(kind, z, targets, weights, LOSSES[kind], dtype)
    alone, n_correct_alone, _ = run(kind, z, targets, weights, LOSSES[kind], dtype, False)

    assert alone == with_gradient
    assert n_correct_alone == n_correct


@pytest.mark.parametrize("kind", LABELS)
@given(data=st.data(), dtype=dtypes)
def test_count_of_correct_rows(kind, data, dtype):
    z, targets, _ = data.draw(loss_cases(kind))

    _, n_correct, _ = run(kind, z, targets, None, LOSSES[kind], dtype)

    assert n_correct == (z.argmax(axis=1) == targets).sum()


@given(data=st.data(), dtype=dtypes)
def test_count_of_correct_binary_outputs(data, dtype):
    z, targets, _ = data.draw(loss_cases("binary_cross_entropy"))

    _, n_correct, _ = run("binary_cross_entropy", z, targets, None, 0.0, dtype)

    assert n_correct == ((z > 0) == (targets > 0.5)).sum()


@pytest.mark.parametrize("kind", LOSSES)
def test_gradient_is_the_central_difference(kind):
    rng = np.random.default_rng(11)
    z, weights = rng.standard_normal((5, 6)), rng.random(5)
    targets = rng.integers(0, 6, 5) if kind in LABELS else rng.random((5, 6))

    _, _, gradient = run(kind, z, targets, weights, LOSSES[kind], "float64")
    numerical = reference.numerical_gradient(
        lambda z: run(kind, z, targets, weights, LOSSES[kind], "float64", False)[0], z
    )

    assert_gradient_close(gradient, numerical, scale=10.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("column", [0, 9, 18])
def test_a_nan_output_makes_the_loss_nan(kind, dtype, column):
    z = filled((9, 19), "normal", 0)
    z[8, column] = np.nan
    targets = np.full(9, 9) if kind in LABELS else np.ones((9, 19))

    value, _, gradient = run(kind, z, targets, None, LOSSES[kind], dtype)

    assert np.isnan(value)
    assert np.isfinite(gradient[:8]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", LOSSES)
def test_an_infinite_output_makes_the_loss_visible(kind, dtype):
    z = np.zeros((3, 5))
    z[1, 2] = np.inf
    targets = np.zeros(3, int) if kind in LABELS else np.zeros((3, 5))

    value, _, _ = run(kind, z, targets, None, LOSSES[kind], dtype)

    assert not np.isfinite(value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_class_has_no_loss_and_no_gradient(dtype):
    value, n_correct, gradient = run(
        "cross_entropy", filled((4, 1), "huge", 1), np.zeros(4, int), None, 0.0, dtype
    )

    assert value == 0.0
    assert n_correct == 4
    np.testing.assert_array_equal(gradient, 0.0)
