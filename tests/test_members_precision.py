"""Layers that members share at each matmul_precision: errors, and bits on any number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from precision_rule import RELATIVE, assert_within_bound, factors, scalings
from strategies import filled, rows, seeds

import fastmlp
from fastmlp.engine import lowering
from fastmlp.engine.compiled import bf16_parts
from fastmlp.kernels.machine import isa
from fastmlp.layers import Dropout, MemberHeads, Members, SharedLinear, Tanh
from fastmlp.training import PRECISIONS

FLOAT32 = np.dtype(np.float32)
PRECISION = pytest.mark.parametrize("precision", PRECISIONS)
LOWER = pytest.mark.parametrize("precision", ["high", "medium"])
widths, members = st.sampled_from([16, 48]), st.sampled_from([1, 3, 4, 10])


@PRECISION
@given(rows, widths, widths, members, scalings, seeds)
def test_weight_gradient(precision, N, D, H, k, scaling, seed):
    """Starting from zero weights, the first step at rate 1 is X^T y times 2 / (N k H)."""
    transposed, y = factors(D, N * k, H, scaling, seed)
    model = fastmlp.Sequential(SharedLinear(D, H, k))
    model.theta[...] = 0.0

    model.fit(np.ascontiguousarray(transposed.T).reshape(N, k * D), y.reshape(N, k * H),
              loss="mse", optimizer=fastmlp.SGD(lr=1.0), epochs=1, batch_size=N, shuffle=False,
              matmul_precision=precision, verbose=False)  # fmt: skip

    size = np.float32(2.0 / (N * k * H))
    parts = bf16_parts(precision, FLOAT32)
    assert_within_bound(model.params["0.weight"], transposed, size * y, parts)


def network(k):
    return fastmlp.Sequential(
        Members(20, k), SharedLinear(Members(20, k).width, 48, k), Tanh(), Dropout(0.2),
        SharedLinear(48, 32, k), Tanh(), MemberHeads(32, 1, k),
    )  # fmt: skip


def trained(k, precision, n_threads=1, epochs=3):
    X = filled((150, 20), "normal", 0).astype(np.float32)
    y = np.repeat(X[:, :1] * X[:, 1:2], k, axis=1)
    model = network(k)
    start = model.theta.copy()
    model.fit(X, y, loss="mse", optimizer=fastmlp.SGD(lr=0.05), epochs=epochs, batch_size=64,
              matmul_precision=precision, n_threads=n_threads, verbose=False)  # fmt: skip
    return start, model.theta.copy()


@LOWER
@pytest.mark.parametrize("k", [3, 32])
def test_training_stays_close_to_highest(k, precision):
    """Relative to the distance moved, weights differ from highest's by a product's error."""
    start, highest = trained(k, "highest")
    _, lower = trained(k, precision)

    off = np.linalg.norm(lower - highest) / np.linalg.norm(highest - start)
    assert off <= RELATIVE[bf16_parts(precision, FLOAT32)]
    assert (off > 0) == isa.current().bf16_tiles


@PRECISION
@pytest.mark.parametrize("k", [5, 8])
def test_any_number_of_threads_gives_the_same_bits(k, precision, monkeypatch):
    monkeypatch.setattr(lowering, "_FLOPS_WORTH_A_THREAD", 1)
    _, alone = trained(k, precision, n_threads=1, epochs=1)
    for n_threads in (2, 3):
        _, together = trained(k, precision, n_threads=n_threads, epochs=1)
        np.testing.assert_array_equal(together, alone)
