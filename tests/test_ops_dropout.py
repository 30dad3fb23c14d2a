"""Dropout: the right rate, no pattern, and a mask that depends only on its key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, dtypes, matrices, rows
from tolerance import assert_close

from fastmlp import ops

SIGMAS = 5.0  # exceeded by one draw in 1.7 million; the keys are fixed


def mask(shape, p, key, dtype="float32"):
    """Return the mask: 1.0 for kept elements, 0.0 for dropped ones."""
    return (ops.dropout(np.ones(shape, dtype), p, key) != 0).astype(np.float64)


def assert_uncorrelated(a, b, p):
    n = a.size
    correlation = ((a - (1 - p)) * (b - (1 - p))).sum() / (n * p * (1 - p))
    assert abs(correlation) < SIGMAS / np.sqrt(n)


@given(matrices(), st.floats(0.01, 0.99), st.integers(0, 2**40), dtypes)
def test_values_are_dropped_or_scaled(x, p, step, dtype):
    key = ops.dropout_key(3, step, 1)
    kept = mask(x.shape, p, key, dtype)

    y = ops.dropout(x.astype(dtype), p, key)

    assert y.dtype == dtype
    assert_close(y, x * kept / (1 - p), scale=np.abs(x) / (1 - p))


@given(matrices(), st.floats(0.01, 0.99), st.integers(0, 2**40), dtypes)
def test_backward_uses_the_mask_of_forward(dy, p, step, dtype):
    key = ops.dropout_key(3, step, 1)

    dx = ops.dropout_backward(dy.astype(dtype), p, key)

    kept = mask(dy.shape, p, key, dtype)
    assert_close(dx, dy * kept / (1 - p), scale=np.abs(dy) / (1 - p))


@given(rows, columns, dtypes)
def test_no_dropout_is_the_identity(N, D, dtype):
    x = np.random.default_rng(N * D).standard_normal((N, D)).astype(dtype)
    key = ops.dropout_key(0, 0, 0)

    np.testing.assert_array_equal(ops.dropout(x, 0.0, key), x)
    np.testing.assert_array_equal(ops.dropout_backward(x, 0.0, key), x)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.9])
def test_mean_rate(p):
    n = 400 * 333

    kept = mask((400, 333), p, ops.dropout_key(0, 0, 0))

    sigma = np.sqrt(p * (1 - p) / n)
    assert abs(kept.mean() - (1 - p)) < SIGMAS * sigma
    assert np.abs(kept.mean(axis=0) - (1 - p)).max() < SIGMAS * sigma * np.sqrt(333)
    assert np.abs(kept.mean(axis=1) - (1 - p)).max() < SIGMAS * sigma * np.sqrt(400)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_no_pattern_across_rows_columns_steps_layers_and_seeds(p):
    shape = (300, 256)
    kept = mask(shape, p, ops.dropout_key(7, 100, 2))

    for lag in (1, 2, 4, 8, 16, 64):
        assert_uncorrelated(kept[lag:], kept[:-lag], p)
        assert_uncorrelated(kept[:, lag:], kept[:, :-lag], p)
    for key in [(7, 101, 2), (7, 100, 3), (8, 100, 2), (7, 99, 2), (7, 2, 100), (2, 100, 7)]:
        assert_uncorrelated(kept, mask(shape, p, ops.dropout_key(*key)), p)


def test_every_key_has_its_own_mask():
    keys = {ops.dropout_key(s, t, i) for s in range(6) for t in range(200) for i in range(6)}

    assert len(keys) == 6 * 200 * 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_key_draws_the_same_mask(dtype):
    key = ops.dropout_key(1, 2, 3)

    first, again = mask((30, 41), 0.4, key, dtype), mask((30, 41), 0.4, key, dtype)

    np.testing.assert_array_equal(first, again)


def test_nan_is_not_hidden_by_dropout():
    x = np.full((40, 40), np.nan, np.float32)

    y = ops.dropout(x, 0.5, ops.dropout_key(0, 0, 0))

    assert np.isnan(y).any()
