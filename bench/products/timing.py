"""The process that calls the products of all contenders in turn."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import evidence
from bench.products import blas, onednn, ours

__all__ = ["Products", "agrees"]

REST_SECONDS = 0.03  # by then, the idle threads of the last contender have stopped spinning
EXACT_SECONDS = 1e-6


class Products:
    """All contenders for one dtype.

    Parameters
    ----------
    dtype : str
        Dtype of the factors and results.
    level : str
        The instruction set that this process is limited to.

    """

    def __init__(self, dtype: str, level: str):
        self.dtype, self.level = dtype, level
        self.contenders: dict[str, Callable[..., Any] | str] = {ours.NAME: ours.OurProduct}
        for name, find in (("openblas", blas.openblas), ("mkl", blas.mkl)):
            found = find()
            if not isinstance(found, str):
                found = partial(blas.BlasProduct, found)
            self.contenders[name] = found
        self.contenders[onednn.NAME] = onednn.available(dtype) or onednn.OnednnProduct
        self.description = {"skipped": None}

    def instructions(self) -> dict:
        """Answer with what the libraries report about their instructions."""
        return {"instructions": evidence.collect(self.level)}

    def measure(
        self, product: str, shape: list[int], n_threads: int, rounds: int, seconds: float
    ) -> dict:
        """Check one product of all contenders, then time it: ours, a peer, ours, the next peer.

        Answer with ``contenders``, ours first. Each has ``skipped`` (None or the reason),
        ``agrees``, the ``seconds`` per call in each round, and their ``ratios`` to ours just
        before.
        """
        factors = drawn(self.dtype, *shape)
        expected, n_terms = exact(product, *factors)
        found: list[dict[str, Any]] = []
        ready: dict[str, tuple[Any, dict, int]] = {}
        for name, make in self.contenders.items():
            row: dict[str, Any] = {"contender": name, "skipped": None}
            found.append(row)
            if isinstance(make, str):
                row["skipped"] = make
                continue
            run = make(product, *factors, n_threads)
            run(1)
            row |= {"agrees": agrees(run.result(), expected, n_terms), "seconds": [], "ratios": []}
            ready[name] = run, row, calibrated(run, seconds, n_threads)
        base, *peers = ready.values()
        for _ in range(rounds):
            if not peers:
                turn(*base, n_threads)
            for peer in peers:
                mine, theirs = turn(*base, n_threads), turn(*peer, n_threads)
                peer[1]["ratios"].append(theirs / mine)
        return {"contenders": found}


def clock(n_threads: int) -> Callable[[], float]:
    """Return what to time with: where one thread does all, its own time, whatever else runs."""
    if n_threads == 1 and time.get_clock_info("thread_time").resolution <= EXACT_SECONDS:
        return time.thread_time
    return time.perf_counter


def turn(run: Callable[[int], None], row: dict, n: int, n_threads: int) -> float:
    """Time `n` calls; record and return the seconds per call."""
    now = clock(n_threads)
    if n_threads > 1:
        time.sleep(REST_SECONDS)
    run(1)  # wakes its threads and brings its arrays back into the caches
    start = now()
    run(n)
    taken = (now() - start) / n
    row["seconds"].append(taken)
    return taken


def calibrated(run: Callable[[int], None], seconds: float, n_threads: int) -> int:
    """Warm `run` up; return how many calls take about `seconds`."""
    n, now = 1, clock(n_threads)
    while True:
        start = now()
        run(n)
        taken = now() - start
        if taken > seconds / 4:
            return max(1, round(n * seconds / taken))
        n *= 4


def drawn(dtype: str, n: int, d: int, h: int) -> list[np.ndarray]:
    """Return x (N, D), weight (D, H), bias (H,) and dz (N, H)."""
    rng = np.random.default_rng(n + d + h)
    return [rng.standard_normal(size).astype(dtype) for size in ((n, d), (d, h), h, (n, h))]


def exact(
    product: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dz: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the product in float64, and the number of terms in each element's sum."""
    x, weight, bias, dz = (array.astype(np.float64) for array in (x, weight, bias, dz))
    if product == "forward":
        return x @ weight + bias, len(weight) + 1
    if product == "backward":
        return dz @ weight.T, len(bias)
    return x.T @ dz, len(x)


def agrees(result: np.ndarray, expected: np.ndarray, n_terms: int) -> bool:
    """Return whether all errors are at most 16 eps sqrt(K) max(abs(expected)), as in the tests."""
    allowed = 16 * np.finfo(result.dtype).eps * np.sqrt(n_terms) * np.abs(expected).max()
    return result.shape == expected.shape and bool((np.abs(result - expected) <= allowed).all())
