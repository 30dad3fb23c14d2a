"""Affine products against the reference, on every edge of a tile."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, dtypes, filled, matrices, seeds
from tolerance import assert_close, assert_gradient_close

from fastmlp import ops


def cast(dtype, *arrays):
    return [np.ascontiguousarray(a, dtype=dtype) for a in arrays]


@given(matrices(), columns, st.booleans(), seeds, dtypes)
def test_forward(x, H, has_bias, seed, dtype):
    D = x.shape[1]
    weight, bias = filled((D, H), "normal", seed), filled((H,), "normal", seed + 1) * has_bias
    x_, weight_, bias_ = cast(dtype, x, weight, bias)

    y = ops.affine(x_, weight_, bias_ if has_bias else None)

    assert y.dtype == dtype
    expected = reference.affine(x, weight, bias)
    terms = np.abs(x).max() * np.abs(weight).max() + np.abs(bias).max()
    assert_close(y, expected, K=D + 1, scale=terms)


@given(matrices(), columns, st.booleans(), st.booleans(), seeds, dtypes)
def test_backward(x, H, has_bias, need_dx, seed, dtype):
    N, D = x.shape
    weight, dy = filled((D, H), "normal", seed), filled((N, H), "mixed", seed + 1)
    x_, weight_, dy_ = cast(dtype, x, weight, dy)
    dweight = np.full((D, H), np.nan, dtype)
    dbias = np.full(H, np.nan, dtype)

    dx = ops.affine_backward(dy_, x_, weight_, dweight, dbias if has_bias else None, need_dx)

    expected_dx, expected_dweight, expected_dbias = reference.affine_backward(dy, x, weight)
    if need_dx:
        assert_close(dx, expected_dx, K=H, scale=np.abs(dy).max() * np.abs(weight).max())
    else:
        assert dx is None
    assert_close(dweight, expected_dweight, K=N, scale=np.abs(dy).max() * np.abs(x).max())
    if has_bias:
        assert_close(dbias, expected_dbias, K=N, scale=np.abs(dy).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("N", "D", "H"),
    [(128, 784, 128), (3, 3072, 10), (257, 33, 97), (37, 129, 2), (1, 64, 4), (65, 300, 1)],
)
def test_forward_and_backward_of_training_sizes(N, D, H, dtype):
    x, weight, dy = (filled(s, "normal", 7) for s in [(N, D), (D, H), (N, H)])
    x_, weight_, dy_ = cast(dtype, x, weight, dy)
    dweight, dbias = np.empty((D, H), dtype), np.empty(H, dtype)

    y = ops.affine(x_, weight_, np.ones(H, dtype))
    dx = ops.affine_backward(dy_, x_, weight_, dweight, dbias)

    expected_dx, expected_dweight, expected_dbias = reference.affine_backward(dy, x, weight)
    large_x, large_w, large_dy = (np.abs(a).max() for a in (x, weight, dy))
    assert_close(y, reference.affine(x, weight, np.ones(H)), K=D + 1, scale=large_x * large_w)
    assert_close(dx, expected_dx, K=H, scale=large_dy * large_w)
    assert_close(dweight, expected_dweight, K=N, scale=large_x * large_dy)
    assert_close(dbias, expected_dbias, K=N, scale=large_dy)


def test_backward_is_the_central_difference():
    x, weight, bias, dy = (filled(s, "normal", 5) for s in [(6, 5), (5, 7), (7,), (6, 7)])
    dweight, dbias = np.empty_like(weight), np.empty_like(bias)

    dx = ops.affine_backward(dy, x, weight, dweight, dbias)

    def value(x, weight, bias):
        return float((dy * ops.affine(x, weight, bias)).sum())

    numerical = reference.numerical_gradient
    assert_gradient_close(dx, numerical(lambda a: value(a, weight, bias), x))
    assert_gradient_close(dweight, numerical(lambda a: value(x, a, bias), weight))
    assert_gradient_close(dbias, numerical(lambda a: value(x, weight, a), bias))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_non_finite_numbers_stay_in_their_row(dtype, poison):
    x = np.ones((19, 21), dtype)
    x[17, 20] = poison
    weight = np.ones((21, 37), dtype)

    y = ops.affine(x, weight, np.zeros(37, dtype))

    assert not np.isfinite(y[17]).any()
    assert np.isfinite(np.delete(y, 17, axis=0)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_has_the_same_bits_in_any_batch(dtype):
    x, weight = cast(dtype, filled((33, 50), "normal", 1), filled((50, 20), "normal", 2))
    bias = np.zeros(20, dtype)

    whole = ops.affine(x, weight, bias)

    for n in (1, 2, 7, 32):
        np.testing.assert_array_equal(ops.affine(x[:n], weight, bias), whole[:n])
