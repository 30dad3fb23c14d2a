"""Activations and their derivatives against the reference."""

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import ACTIVATIONS, dtypes, filled, matrices, seeds
from tolerance import assert_close, assert_gradient_close

from fastmlp import ops
from fastmlp.kernels import activations
from fastmlp.kernels.machine.links import Block


@pytest.mark.parametrize("kind", ACTIVATIONS)
@given(matrices(), dtypes)
def test_forward(kind, x, dtype):
    alpha = ACTIVATIONS[kind]

    y = ops.activation(kind, x.astype(dtype), alpha)

    assert y.dtype == dtype
    assert_close(y, reference.activation(kind, x, alpha), scale=np.maximum(1.0, np.abs(x)))


@pytest.mark.parametrize("kind", ACTIVATIONS)
@given(matrices(), seeds, dtypes)
def test_backward(kind, x, seed, dtype):
    alpha = ACTIVATIONS[kind]
    dy = filled(x.shape, "mixed", seed)
    x_ = x.astype(dtype)
    y = ops.activation(kind, x_, alpha)

    dx = ops.activation_backward(kind, dy.astype(dtype), x_, y, alpha)

    assert dx.dtype == dtype
    expected = dy * reference.activation_derivative(kind, x, alpha)
    # ELU's and SELU's derivative may be taken from y: f' = y + alpha where x < 0.
    steepest = max(2.0, alpha)
    assert_close(dx, expected, scale=steepest * np.abs(dy))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_backward_is_the_central_difference(kind):
    alpha = ACTIVATIONS[kind]
    x, dy = filled((9, 11), "normal", 3) * 3, filled((9, 11), "normal", 4)

    dx = ops.activation_backward(kind, dy, x, ops.activation(kind, x, alpha), alpha)
    numerical = reference.numerical_gradient(
        lambda x: float((dy * ops.activation(kind, x, alpha)).sum()), x
    )

    assert_gradient_close(dx, numerical, scale=100.0)  # the size of the sums in the difference


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_nan_and_infinity_come_through(kind, dtype):
    x = np.zeros((3, 21), dtype)
    x[0, 1], x[1, 20], x[2, 3] = np.nan, np.nan, np.inf

    y = ops.activation(kind, x, ACTIVATIONS[kind])

    assert np.isnan(y[0, 1])
    assert np.isnan(y[1, 20])
    saturates = kind in ("sigmoid", "tanh")
    assert y[2, 3] == (1.0 if saturates else np.inf)
    assert np.isnan(y).sum() == 2


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_the_largest_numbers_come_through(kind):
    x = np.array([[1e25, 1e30, 3e38, -1e25, -1e30, -3e38]], np.float32)

    y = ops.activation(kind, x, ACTIVATIONS[kind])
    slope = ops.activation_backward(kind, np.ones_like(x), x, y, ACTIVATIONS[kind])

    saturates = kind in ("sigmoid", "tanh")
    np.testing.assert_allclose(y[0, :3], np.ones(3) if saturates else x[0, :3], rtol=0.1)
    np.testing.assert_allclose(slope[0, :3], 0.0 if saturates else 1.0, atol=0.1)
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_a_nan_gradient_comes_through(kind, dtype):
    x = np.ones((2, 17), dtype)
    dy = np.ones((2, 17), dtype)
    dy[1, 16] = np.nan

    dx = ops.activation_backward(kind, dy, x, ops.activation(kind, x, 0.5), 0.5)

    assert np.isnan(dx[1, 16])
    assert np.isnan(dx).sum() == 1


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_float32_is_accurate_over_the_whole_range(kind):
    x = np.linspace(-120.0, 120.0, 40_001).astype(np.float32).reshape(1, -1)

    y = ops.activation(kind, x, 1.0)

    expected = reference.activation(kind, x.astype(np.float64), 1.0)
    assert_close(y, expected, scale=np.maximum(1.0, np.abs(x)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", activations.TABLE, ids=lambda row: row.name)
def test_the_bits_do_not_depend_on_a_numbers_position(row, dtype):
    """Threads take parts of different lengths, and the last numbers may not fill a vector."""
    z = filled((1, 1013), "normal", 0).astype(dtype) * 3
    alpha, one, whole = np.dtype(dtype).type(0.3), np.dtype(dtype).type(1), Block(0, 1, 0, 1013)

    together, gradient = z.copy(), z.copy()
    row.forward(alpha, together, whole)
    row.backward(alpha, one, gradient, together, whole)
    alone, gradient_alone = z.reshape(-1, 1).copy(), z.reshape(-1, 1).copy()
    for i in range(1013):
        row.forward(alpha, alone, Block(i, i + 1, 0, 1))
        row.backward(alpha, one, gradient_alone, alone, Block(i, i + 1, 0, 1))

    np.testing.assert_array_equal(alone.reshape(1, -1), together)
    np.testing.assert_array_equal(gradient_alone.reshape(1, -1), gradient)
