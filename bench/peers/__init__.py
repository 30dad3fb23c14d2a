"""Alternatives to fastmlp for training: one small module per peer, all with the same interface.

A peer's module has ``NAME`` (in tables), ``PRECISION`` (of its matrix products), ``available()``
(returns None, or why it cannot run here) and ``prepare(workload) -> Run``. Libraries are imported
inside these functions, so that a peer that is not installed is just skipped.
"""

import importlib
import importlib.util
import os
import time
from collections.abc import Callable
from statistics import median
from types import ModuleType
from typing import Protocol

from bench.workloads import Parameters

__all__ = ["OURS", "PEERS", "Run", "missing", "peer", "thread_counts", "trial_seconds"]

OURS = ("fastmlp", "fastmlp-high", "fastmlp-medium")
"""fastmlp's own names, for its three precisions."""

PEERS = {
    "fastmlp": "fastmlp_peer",
    "fastmlp-high": "fastmlp_high",
    "fastmlp-medium": "fastmlp_medium",
    "torch": "torch_eager",
    "torch-medium": "torch_medium",
    "torch-compile": "torch_compile",
    "jax": "jax_scan",
    "jax-bf16": "jax_bf16",
    "sklearn": "sklearn_mlp",
    "sklearn-f64": "sklearn_float64",
    "numpy": "numpy_plain",
}
"""The name of each peer and of its module in this package."""


class Run(Protocol):
    """A peer's network, ready to train: compiled, warmed up, with its initial parameters.

    Attributes
    ----------
    compile_seconds : float
        Time spent on compiling before the first step; 0 if nothing is compiled.
    n_threads : int or None
        Number of threads that it uses; None if the library decides.

    """

    compile_seconds: float
    n_threads: int | None

    def reset(self) -> None:
        """Restore the initial parameters and create a new optimizer."""
        ...

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        ...

    def parameters(self) -> Parameters:
        """Return the current parameters as float32 numpy arrays."""
        ...


def peer(name: str) -> ModuleType:
    """Return the module of the peer called `name`."""
    if name not in PEERS:
        raise ValueError(f"unknown peer {name!r}: use one of {', '.join(PEERS)}")
    return importlib.import_module(f"bench.peers.{PEERS[name]}")


def missing(module: str) -> str | None:
    """Return why `module` cannot be imported, or None if it can be found."""
    if importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    return None


def thread_counts() -> list[int]:
    """Return the numbers of threads to try: one, and all that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted({1, len(os.sched_getaffinity(0))})
    return sorted({1, os.cpu_count() or 1})


def trial_seconds(function: Callable[[], object], seconds: float = 0.25) -> float:
    """Return the median time of the calls that fit into `seconds`, at least two."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)
