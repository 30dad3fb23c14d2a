"""Anything that does not fit into memory is refused in one sentence, before it is allocated."""

import itertools

import numpy as np
import pytest
from sentences import refused

from fastmlp import Adam, Linear, ReLU, Sequential
from fastmlp.common import capacity

GB = 10**9


@pytest.fixture
def small_machine(monkeypatch):
    """Simulate a machine with 2 GB of free memory."""
    monkeypatch.setattr(capacity, "available_bytes", lambda: 2 * GB)


@pytest.mark.parametrize("sizes", [(1_000_000, 1_000_000), (50, 30_000, 30_000), (3, 10**9)])
def test_an_oversized_network_reports_the_memory_it_needs(sizes, small_machine):
    with refused(MemoryError, "parameters", "2 GB", "smaller layers"):
        Sequential(*(Linear(a, b) for a, b in itertools.pairwise(sizes)))


def test_the_error_is_a_value_error_too(small_machine):
    with pytest.raises(ValueError, match="about 800 GB"):
        _ = Linear(10**5, 10**6).params


def test_training_counts_the_optimizer_s_states_and_the_copies(monkeypatch):
    model = Sequential(Linear(4000, 4000), ReLU(), Linear(4000, 2))  # 64 MB
    X, y = np.zeros((4, 4000), np.float32), np.zeros(4, int)
    before = model.theta.copy()

    monkeypatch.setattr(capacity, "available_bytes", lambda: 200 * 10**6)
    with refused(MemoryError, "training", "Adam", "200 MB"):
        model.fit(X, y, optimizer=Adam(), epochs=1, batch_size=4, verbose=False)

    np.testing.assert_array_equal(model.theta, before)


def test_small_allocations_are_not_checked(monkeypatch):
    monkeypatch.setattr(capacity, "available_bytes", lambda: 0)

    assert Sequential(Linear(100, 100)).n_parameters == 10_100


def test_nothing_is_refused_if_free_memory_is_unknown(monkeypatch):
    monkeypatch.setattr(capacity, "available_bytes", lambda: None)

    capacity.require(10**18, "it", "do without")


def test_this_machine_has_some_memory_left():
    free = capacity.available_bytes()

    assert free is None or free > 1 << 20


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (512, "512 bytes"),
        (64_000_000, "64 MB"),
        (4.0e12, "4 TB"),
        (999_700, "1 MB"),
        (2e18, "2,000 PB"),
    ],
)
def test_sizes_in_words(n_bytes, text):
    assert capacity.bytes_text(n_bytes) == text
