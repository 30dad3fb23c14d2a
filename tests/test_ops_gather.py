"""Gathering a minibatch, converted and standardised on the way, against the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, dtypes, filled, seeds
from tolerance import assert_close

from fastmlp.kernels.gather import gather_rows
from fastmlp.kernels.plan import op

sources = st.sampled_from(["uint8", "float32", "float64"])


def gather(X, rows, mean, std, out):
    """Call the kernel as a plan does: out = (X[rows] - mean) / std, or X[rows] without a mean."""
    how = op.AS_THEY_ARE if mean is None else op.IN_REAL
    shift, scale, nothing = np.zeros(1, out.dtype), np.ones(1, out.dtype), np.zeros(1)
    if mean is not None:
        shift, scale = np.asarray(mean, out.dtype), (1 / np.asarray(std)).astype(out.dtype)
    raw, code = X.reshape(-1).view(np.uint8), op.RAW_CODES[X.dtype.name]
    gather_rows(raw, code, rows, 0, shift, scale, nothing, nothing, how, out, 0, *out.shape)


def data(N, D, source, seed):
    if source == "uint8":
        return np.random.default_rng(seed).integers(0, 256, (N, D), dtype=np.uint8)
    return filled((N, D), "mixed", seed).astype(source)


@given(st.integers(1, 40), st.integers(1, 50), columns, sources, dtypes, seeds)
def test_rows_are_converted(n, N, D, source, dtype, seed):
    X = data(N, D, source, seed)
    chosen = np.random.default_rng(seed + 1).integers(0, N, n)
    out = np.full((n, D), np.nan, dtype)

    gather(X, chosen, None, None, out)

    np.testing.assert_array_equal(out, X[chosen].astype(dtype))


@given(st.integers(1, 40), st.integers(1, 50), columns, sources, dtypes, seeds)
def test_rows_are_standardised(n, N, D, source, dtype, seed):
    X = data(N, D, source, seed)
    rng = np.random.default_rng(seed + 1)
    chosen = rng.integers(0, N, n)
    mean, std = filled((D,), "normal", seed + 2) * 100, rng.uniform(0.5, 50.0, D).astype("float32")
    out = np.full((n, D), np.nan, dtype)

    gather(X, chosen, mean.astype(dtype), std.astype(dtype), out)

    # Converting float64 data to float32 first costs one more rounding of X, which scale includes.
    expected = (X[chosen].astype(np.float64) - mean.astype(dtype)) / std
    assert_close(out, expected, scale=(np.abs(X[chosen].astype(np.float64)) + np.abs(mean)) / std)


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_come_through(source, dtype):
    X = np.ones((4, 21), source)
    X[1, 20], X[3, 0] = np.nan, np.inf
    out = np.empty((4, 21), dtype)

    gather(X, np.arange(4), np.zeros(21, dtype), np.ones(21, dtype), out)

    np.testing.assert_array_equal(out, X.astype(dtype))
