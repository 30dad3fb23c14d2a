"""Optimizer updates, clipping and the max-norm constraint against the reference."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import UPDATES, dtypes, filled, matrices, seeds, values
from tolerance import assert_close

from fastmlp import ops

HYPER = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-6}


@pytest.mark.parametrize("kind", UPDATES)
@given(st.integers(1, 133), values, seeds, dtypes, st.sampled_from([0.0, 0.1]))
def test_three_steps(kind, n, gradient_values, seed, dtype, weight_decay):
    w = filled((n,), "normal", seed)
    theta = w.astype(dtype)
    states = [np.zeros(n, dtype), np.zeros(n, dtype)]
    l2, names = 0.05, reference.STATES[kind]

    for t in (1, 2, 3):
        # The reference starts each step from what the kernel has, so that one step's rounding is
        # seen.
        w = theta.astype(np.float64)
        state = {"first": np.zeros(n), "second": np.zeros(n)}
        state |= {name: a.astype(np.float64) for name, a in zip(names, states, strict=False)}
        g = filled((n,), gradient_values, seed + t)
        before = {name: a.copy() for name, a in state.items()}
        ops.update(
            kind,
            theta,
            g.astype(dtype),
            *states,
            ops.hyper(**HYPER, weight_decay=weight_decay, l2=l2, t=t),
        )
        coupled = 0.0 if kind in reference.DECOUPLED else weight_decay
        whole = g + (l2 + coupled) * w
        decoupled = weight_decay - coupled
        expected = reference.update(kind, w, whole, state, t=t, decoupled=decoupled, **HYPER)

        pull = np.abs(g) + np.abs(w)
        numbers = {name: value for name, value in HYPER.items() if name != "lr"}
        size = reference.update_size(kind, whole, pull, before, state, t=t, **numbers)
        step = np.abs(expected - w) + HYPER["lr"] * size
        assert theta.dtype == dtype
        assert_close(theta, expected, scale=np.abs(w) + step)
        sizes = {"first": pull + np.abs(before["first"]), "second": pull**2 + before["second"]}
        for name, actual in zip(names, states, strict=False):
            assert_close(actual, state[name], scale=sizes[name])


@pytest.mark.parametrize("kind", UPDATES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_nan_gradient_makes_its_weight_nan_and_no_other(kind, dtype):
    theta, grad = np.ones(37, dtype), np.ones(37, dtype)
    grad[36] = np.nan

    ops.update(kind, theta, grad, np.zeros(37, dtype), np.zeros(37, dtype), ops.hyper(**HYPER, t=1))

    assert np.isnan(theta[36])
    assert np.isfinite(theta[:36]).all()


@given(matrices(n_rows=st.just(1)), st.floats(0.1, 1e5), dtypes)
def test_clip_by_norm(g, limit, dtype):
    g = g[0]
    clipped = g.astype(dtype)

    norm = ops.clip_by_norm(clipped, limit)

    [expected], expected_norm = reference.clip_by_norm([g], limit)
    assert_close(norm, expected_norm, dtype=dtype, K=g.size)
    assert_close(clipped, expected, K=g.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_by_norm_leaves_a_small_gradient_its_bits(dtype):
    g = filled((50,), "normal", 0).astype(dtype)
    before = g.copy()

    ops.clip_by_norm(g, 1e3)

    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_by_norm_shows_a_nan(dtype):
    g = np.ones(40, dtype)
    g[39] = np.nan

    norm = ops.clip_by_norm(g, 1.0)

    assert np.isnan(norm)
    assert np.isnan(g).any()


@given(matrices(), st.floats(0.1, 1e4), dtypes)
def test_max_norm(weight, limit, dtype):
    limited = weight.astype(dtype)

    ops.max_norm(limited, limit)

    D = weight.shape[0]
    assert_close(limited, reference.max_norm(weight, limit), K=D, scale=np.abs(weight))
    assert (np.linalg.norm(limited.astype(np.float64), axis=0) <= limit * (1 + 1e-5)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_max_norm_leaves_short_columns_their_bits_and_shows_a_nan(dtype):
    weight = filled((9, 5), "normal", 0).astype(dtype)
    weight[3, 2] = np.nan
    before = weight.copy()

    ops.max_norm(weight, 100.0)

    np.testing.assert_array_equal(weight, before)
