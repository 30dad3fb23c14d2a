"""Fixtures of the pytest-benchmark suite.

Run ``pytest bench --benchmark-enable``, and select cases with ``-k``. Without the flag, each case
runs once.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from bench import limits, machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow warnings: fastmlp's tests turn them into errors, but these come from peers."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., None]:
    """Return ``timed(function, *arguments, **facts)``, which benchmarks a call.

    The facts go to ``extra_info``, with processor, threads and versions. There, the facts ``flops``
    and ``traffic`` of one call become GFLOP/s and GB/s, computed from the median time.
    """

    def run(function: Callable, *arguments: Any, **facts: Any) -> None:
        benchmark.extra_info |= described() | facts
        function(*arguments)
        benchmark(function, *arguments)
        if benchmark.stats is None:  # benchmarks are disabled, so the case just ran once
            return
        seconds = benchmark.stats.stats.median
        for fact, unit in (("flops", "GFLOP/s"), ("traffic", "GB/s")):
            if fact in facts:
                benchmark.extra_info[unit] = facts[fact] / seconds / 1e9
        if "steps" in facts:
            benchmark.extra_info["microseconds per step"] = seconds / facts["steps"] * 1e6

    return run


@pytest.fixture(scope="session")
def peaks() -> limits.Limits:
    """Return the machine's limits, measured once per session."""
    return limits.measure()


@cache
def described() -> dict:
    """Return facts about the machine, which are the same for every case."""
    return machine.describe()
