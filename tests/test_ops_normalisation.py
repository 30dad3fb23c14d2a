"""BatchNorm, LayerNorm and RMSNorm against the reference."""

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import dtypes, filled, matrices, seeds
from tolerance import assert_close, assert_gradient_close

from fastmlp import ops

EPS = 1e-5


def parameters(D, seed):
    return filled((D,), "normal", seed), filled((D,), "normal", seed + 1)


def difficulty(x, axis):
    """Return how much x - mean amplifies rounding errors; 1 for nearly standardised data."""
    inv_std = 1.0 / np.sqrt(x.var(axis=axis, keepdims=True) + EPS)
    x_hat = np.abs(x - x.mean(axis=axis, keepdims=True)) * inv_std
    largest = np.abs(x).max(axis=axis, keepdims=True)
    return (1.0 + largest * inv_std) * (1.0 + x_hat.max(axis=axis, keepdims=True)), inv_std, x_hat


@given(matrices(), seeds, dtypes)
def test_batchnorm_forward_in_training(x, seed, dtype):
    N, D = x.shape
    gamma, beta = parameters(D, seed)
    old_mean, old_var = filled((D,), "normal", seed + 2), np.abs(filled((D,), "normal", seed + 3))
    running_mean, running_var = old_mean.astype(dtype), old_var.astype(dtype)
    x_, gamma_, beta_ = x.astype(dtype), gamma.astype(dtype), beta.astype(dtype)

    y, _, _ = ops.batchnorm(x_, gamma_, beta_, running_mean, running_var, 0.9, EPS, True)

    hard, _, _ = difficulty(x, 0)
    scale = np.abs(gamma) * hard + np.abs(beta)
    assert y.dtype == dtype
    assert_close(y, reference.batchnorm(x, gamma, beta), K=N, scale=scale)
    largest = np.abs(x).max(axis=0) + np.abs(old_mean)
    assert_close(running_mean, reference.running(old_mean, x.mean(axis=0)), K=N, scale=largest)
    assert_close(
        running_var, reference.running(old_var, x.var(axis=0)), K=N, scale=largest**2 + old_var
    )


@given(matrices(), seeds, dtypes)
def test_batchnorm_forward_in_inference(x, seed, dtype):
    D = x.shape[1]
    gamma, beta = parameters(D, seed)
    mean, var = filled((D,), "normal", seed + 2), np.abs(filled((D,), "normal", seed + 3))
    running_mean, running_var = mean.astype(dtype), var.astype(dtype)

    y, _, _ = ops.batchnorm(
        x.astype(dtype),
        gamma.astype(dtype),
        beta.astype(dtype),
        running_mean,
        running_var,
        0.9,
        EPS,
        False,
    )

    scale = np.abs(gamma) * (np.abs(x) + np.abs(mean)) / np.sqrt(var + EPS) + np.abs(beta)
    assert_close(y, gamma * reference.normalise(x, mean, var, EPS) + beta, scale=scale)
    np.testing.assert_array_equal(running_mean, mean.astype(dtype))
    np.testing.assert_array_equal(running_var, var.astype(dtype))


@given(matrices(), seeds, dtypes)
def test_batchnorm_backward(x, seed, dtype):
    N, D = x.shape
    gamma, beta = parameters(D, seed)
    dy = filled(x.shape, "normal", seed + 2)
    x_, gamma_ = x.astype(dtype), gamma.astype(dtype)
    _, mean, inv_std = ops.batchnorm(
        x_, gamma_, beta.astype(dtype), np.zeros(D, dtype), np.ones(D, dtype), 0.9, EPS, True
    )
    dgamma, dbeta = np.full(D, np.nan, dtype), np.full(D, np.nan, dtype)

    dx = ops.batchnorm_backward(dy.astype(dtype), x_, gamma_, mean, inv_std, dgamma, dbeta)

    expected_dx, expected_dgamma, expected_dbeta = reference.batchnorm_backward(dy, x, gamma)
    hard, exact_inv_std, x_hat = difficulty(x, 0)
    steep = np.abs(dy).max(axis=0) * (1.0 + x_hat.max(axis=0))
    assert_close(dx, expected_dx, K=N, scale=np.abs(gamma) * exact_inv_std * steep * hard)
    assert_close(dgamma, expected_dgamma, K=N, scale=(steep * hard)[0] * np.sqrt(N))
    assert_close(dbeta, expected_dbeta, K=N, scale=np.abs(dy).max(axis=0))


@given(matrices(), seeds, dtypes)
def test_layernorm_forward(x, seed, dtype):
    D = x.shape[1]
    gamma, beta = parameters(D, seed)

    y, _, _ = ops.layernorm(x.astype(dtype), gamma.astype(dtype), beta.astype(dtype), EPS)

    hard, _, _ = difficulty(x, 1)
    assert y.dtype == dtype
    assert_close(
        y,
        reference.layernorm(x, gamma, beta),
        K=D,
        scale=np.abs(gamma) * hard + np.abs(beta),
    )


@given(matrices(), seeds, dtypes)
def test_layernorm_backward(x, seed, dtype):
    N, D = x.shape
    gamma, beta = parameters(D, seed)
    dy = filled(x.shape, "normal", seed + 2)
    x_, gamma_ = x.astype(dtype), gamma.astype(dtype)
    _, mean, inv_std = ops.layernorm(x_, gamma_, beta.astype(dtype), EPS)
    dgamma, dbeta = np.full(D, np.nan, dtype), np.full(D, np.nan, dtype)

    dx = ops.layernorm_backward(dy.astype(dtype), x_, gamma_, mean, inv_std, dgamma, dbeta)

    expected_dx, expected_dgamma, expected_dbeta = reference.layernorm_backward(dy, x, gamma)
    hard, exact_inv_std, x_hat = difficulty(x, 1)
    steep = np.abs(dy * gamma).max(axis=1, keepdims=True) * (1 + x_hat.max(axis=1, keepdims=True))
    assert_close(dx, expected_dx, K=D, scale=exact_inv_std * steep * hard)
    terms = np.abs(dy) * hard
    assert_close(dgamma, expected_dgamma, K=N * D, scale=terms.max(axis=0) * np.sqrt(N))
    assert_close(dbeta, expected_dbeta, K=N, scale=np.abs(dy).max(axis=0))


@given(matrices(), seeds, dtypes)
def test_rmsnorm_forward(x, seed, dtype):
    D = x.shape[1]
    gamma, _ = parameters(D, seed)

    y, inv_rms = ops.rmsnorm(x.astype(dtype), gamma.astype(dtype), EPS)

    expected = reference.rmsnorm(x, gamma)
    assert y.dtype == inv_rms.dtype == dtype
    assert_close(y, expected, K=D, scale=np.abs(expected))
    expected = 1 / np.sqrt((x**2).mean(axis=1) + EPS)
    assert_close(inv_rms, expected, K=D, scale=expected)


@given(matrices(), seeds, dtypes)
def test_rmsnorm_backward(x, seed, dtype):
    N, D = x.shape
    gamma, _ = parameters(D, seed)
    dy = filled(x.shape, "normal", seed + 2)
    x_, gamma_ = x.astype(dtype), gamma.astype(dtype)
    _, inv_rms = ops.rmsnorm(x_, gamma_, EPS)
    dgamma = np.full(D, np.nan, dtype)

    dx = ops.rmsnorm_backward(dy.astype(dtype), x_, gamma_, inv_rms, dgamma)

    expected_dx, expected_dgamma = reference.rmsnorm_backward(dy, x, gamma)
    exact = 1.0 / np.sqrt((x**2).mean(axis=1, keepdims=True) + EPS)
    x_hat = np.abs(x) * exact
    steep = np.abs(dy * gamma).max(axis=1, keepdims=True)
    along = (np.abs(dy * gamma) * x_hat).mean(axis=1, keepdims=True)
    assert_close(dx, expected_dx, K=D, scale=exact * (steep + x_hat * along))
    assert_close(dgamma, expected_dgamma, K=N * D, scale=(np.abs(dy) * x_hat).max(axis=0))


def test_rmsnorm_backward_is_the_central_difference():
    x, dy = filled((7, 6), "normal", 8), filled((7, 6), "normal", 9)
    gamma, _ = parameters(6, 10)
    dgamma = np.empty(6)

    dx = ops.rmsnorm_backward(dy, x, gamma, ops.rmsnorm(x, gamma, EPS)[1], dgamma)

    def value(x, gamma):
        return float((dy * ops.rmsnorm(x, gamma, EPS)[0]).sum())

    numerical = reference.numerical_gradient
    assert_gradient_close(dx, numerical(lambda a: value(a, gamma), x), scale=10.0)
    assert_gradient_close(dgamma, numerical(lambda a: value(x, a), gamma), scale=10.0)


@pytest.mark.parametrize("kind", ["batchnorm", "layernorm"])
def test_backward_is_the_central_difference(kind):
    x, dy = filled((7, 6), "normal", 8), filled((7, 6), "normal", 9)
    gamma, beta = parameters(6, 10)
    dgamma, dbeta = np.empty(6), np.empty(6)

    def forward(x, gamma, beta):
        if kind == "layernorm":
            return ops.layernorm(x, gamma, beta, EPS)
        return ops.batchnorm(x, gamma, beta, np.zeros(6), np.ones(6), 0.9, EPS, True)

    def value(x, gamma, beta):
        return float((dy * forward(x, gamma, beta)[0]).sum())

    _, mean, inv_std = forward(x, gamma, beta)
    backward = getattr(ops, kind + "_backward")
    dx = backward(dy, x, gamma, mean, inv_std, dgamma, dbeta)

    numerical = reference.numerical_gradient
    assert_gradient_close(dx, numerical(lambda a: value(a, gamma, beta), x), scale=10.0)
    assert_gradient_close(dgamma, numerical(lambda a: value(x, a, beta), gamma), scale=10.0)
    assert_gradient_close(dbeta, numerical(lambda a: value(x, gamma, a), beta), scale=10.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_stays_visible_and_in_its_column_or_row(dtype):
    x = filled((19, 21), "normal", 0).astype(dtype)
    x[18, 20] = np.nan
    ones, zeros = np.ones(21, dtype), np.zeros(21, dtype)
    running_mean, running_var = zeros.copy(), ones.copy()

    by_column, _, _ = ops.batchnorm(x, ones, zeros, running_mean, running_var, 0.9, EPS, True)
    by_row, _, _ = ops.layernorm(x, ones, zeros, EPS)
    by_size, _ = ops.rmsnorm(x, ones, EPS)

    assert np.isnan(by_column[:, 20]).all()
    assert np.isfinite(by_column[:, :20]).all()
    assert np.isnan(running_mean[20])
    assert np.isnan(by_row[18]).all()
    assert np.isfinite(by_row[:18]).all()
    assert np.isnan(by_size[18]).all()
    assert np.isfinite(by_size[:18]).all()
