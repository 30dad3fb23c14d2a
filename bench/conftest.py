"""What every entry of the pytest-benchmark suite shares.

Run ``pytest bench --benchmark-enable``; choose with ``-k``. Without the flag each case runs once.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from bench import limits, machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let peers warn: the tests of fastmlp turn warnings into errors, but these are not ours."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., None]:
    """Return ``timed(function, *arguments, **facts)``, which benchmarks a call.

    The facts go to ``extra_info`` beside processor, threads and versions. The fact ``flops`` or
    ``traffic`` (of one call) becomes GFLOP/s or GB/s there, by the median call.
    """

    def run(function: Callable, *arguments: Any, **facts: Any) -> None:
        benchmark.extra_info |= described() | facts
        function(*arguments)
        benchmark(function, *arguments)
        if benchmark.stats is None:  # benchmarks are disabled: the case has run once
            return
        seconds = benchmark.stats.stats.median
        for fact, unit in (("flops", "GFLOP/s"), ("traffic", "GB/s")):
            if fact in facts:
                benchmark.extra_info[unit] = facts[fact] / seconds / 1e9
        if "steps" in facts:
            benchmark.extra_info["microseconds a step"] = seconds / facts["steps"] * 1e6

    return run


@pytest.fixture(scope="session")
def peaks() -> limits.Limits:
    """Return the machine's limits, measured in this session."""
    return limits.measure()


@cache
def described() -> dict:
    """Return the facts about the machine, the same for every case."""
    return machine.describe()
