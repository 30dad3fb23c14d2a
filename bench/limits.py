"""Peak rates of this machine, and the lower limit on a training step's time that they imply.

The peaks are those of the instruction set that this process is limited to.

The limit of a step is the larger of its arithmetic divided by the peak product rate and its
unavoidable memory traffic divided by the bandwidth (the roofline model of Williams, Waterman and
Patterson, 2009).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from bench.workloads import Workload
from fastmlp.engine.threads import available as available_threads

__all__ = ["Limits", "StepWork", "measure", "step_limit", "step_work"]

SIZES = tuple(2**20 * m for m in (1, 4, 16, 64, 256))
TRIALS = 10
PRODUCTS = {"float32": 1, "float64": 1, "bf16x3": 3, "bfloat16": 1}


@dataclass(frozen=True)
class Limits:
    """Measured peaks.

    Attributes
    ----------
    n_threads : int
        The number of threads that "all cores" stands for.
    float32_one, float32_all : float
        Multiply-adds on registers in GFLOP/s (two operations each), on one core and on all.
    bfloat16_one, bfloat16_all : float or None
        Tile products in GFLOP/s; None without a tile unit.
    bandwidth : dict of int to float
        Total bytes touched -> GB/s of a streaming triad on all cores.

    """

    n_threads: int
    float32_one: float
    float32_all: float
    bfloat16_one: float | None
    bfloat16_all: float | None
    bandwidth: dict[int, float]

    def as_dict(self) -> dict:
        """Return the content for the JSON file, with readable sizes."""
        bandwidth = {f"{size >> 20} MB": rate for size, rate in self.bandwidth.items()}
        return asdict(self) | {"bandwidth": bandwidth}

    def as_message(self) -> dict:
        """Return a form that can be sent as JSON to another process, for `from_message`."""
        return asdict(self) | {"bandwidth": list(self.bandwidth.items())}

    @classmethod
    def from_message(cls, message: dict) -> "Limits":
        """Return the limits that another process sent."""
        return cls(**{**message, "bandwidth": dict(message["bandwidth"])})

    def at_best(self, other: "Limits") -> "Limits":
        """Return the better of two measurements of the same machine, figure by figure."""
        return Limits(
            self.n_threads,
            max(self.float32_one, other.float32_one),
            max(self.float32_all, other.float32_all),
            max(self.bfloat16_one or 0.0, other.bfloat16_one or 0.0) or None,
            max(self.bfloat16_all or 0.0, other.bfloat16_all or 0.0) or None,
            {size: max(rate, other.bandwidth[size]) for size, rate in self.bandwidth.items()},
        )

    def product_rate(self, precision: str) -> float:
        """Return the peak rate of products at `precision`, in operations per second."""
        if precision in ("bfloat16", "bf16x3") and self.bfloat16_all:
            # Three bfloat16 products replace one of float32, if that is still faster.
            return 1e9 * max(self.float32_all, self.bfloat16_all / PRODUCTS[precision])
        return 1e9 * self.float32_all * (0.5 if precision == "float64" else 1.0)

    def bandwidth_for(self, n_bytes: float) -> float:
        """Return the bandwidth for a working set of `n_bytes`, in bytes per second."""
        sizes = sorted(self.bandwidth)
        rates = [self.bandwidth[size] for size in sizes]
        return 1e9 * float(np.interp(np.log(n_bytes), np.log(sizes), rates))


class StepWork(NamedTuple):
    """The unavoidable work of one training step."""

    flops: float
    """Number of operations in its matrix products."""
    traffic: float
    """Number of bytes that it must read and write."""
    working_set: float
    """Number of distinct bytes, which determines the cache or memory that they come from."""


def step_work(work: Workload, item_size: int = 4) -> StepWork:
    """Return the arithmetic and the unavoidable traffic of one training step.

    With batch size B and layers D -> H, a step computes three products of 2 B D H operations per
    layer (outputs, weight gradient, input gradient), but two for the first layer, whose input
    needs no gradient. Everything else is of lower order and is not counted.

    The traffic includes the rows of the batch, and every parameter once for the forward pass and
    once for the backward pass. The latter is fused with the update, which reads and writes the
    parameter and each of the optimizer's state arrays (two for Adam, none for SGD). Activations
    and gradients can stay in a cache, so they are not counted.

    Parameters
    ----------
    work : Workload
        Network, batch size, optimizer.
    item_size : int, default 4
        Bytes per number.

    """
    pairs = list(zip(work.widths, work.widths[1:], strict=False))
    products = sum(d * h * (2 if i == 0 else 3) for i, (d, h) in enumerate(pairs))
    arrays = 3 if work.optimizer == "adam" else 1
    rows = work.batch_size * work.widths[0] * item_size
    parameters = work.n_parameters * item_size
    return StepWork(
        flops=2.0 * work.batch_size * products,
        traffic=float(rows + parameters * (1 + 2 * arrays)),
        working_set=float(rows + parameters * arrays),
    )


def step_limit(work: Workload, limits: Limits, precision: str = "float32") -> float:
    """Return the lower limit on the time of a training step of `work` here, in seconds."""
    item_size = 8 if precision == "float64" else 4
    flops, traffic, working_set = step_work(work, item_size)
    arithmetic = flops / limits.product_rate(precision)
    return max(arithmetic, traffic / limits.bandwidth_for(working_set))


def measure(seconds: float = 0.03) -> Limits:
    """Measure the peaks of this machine; takes a few seconds, most of it compiling.

    Parameters
    ----------
    seconds : float, default 0.03
        Length of each of the `TRIALS` trials for each peak. The best one counts, since short
        trials are likely to find a moment in which nothing else runs.

    """
    n_threads = available_threads()
    float32 = [fma_rate(n, seconds) for n in (1, n_threads)]
    tiles = [tile_rate(n, seconds) for n in (1, n_threads)]
    bandwidth = {size: triad_rate(n_threads, size, seconds) for size in SIZES}
    return Limits(n_threads, float32[0], float32[1], tiles[0], tiles[1], bandwidth)


def fma_rate(n_threads: int, seconds: float) -> float:
    """Return GFLOP/s of multiply-adds on registers."""
    from bench.limit_kernels import FLOPS_PER_FMA_ROUND, fma_rounds

    return best_rate(lambda thread, n: fma_rounds(n), n_threads, seconds) * FLOPS_PER_FMA_ROUND


def tile_rate(n_threads: int, seconds: float) -> float | None:
    """Return GFLOP/s of bfloat16 tile products, or None without a tile unit."""
    from bench.limit_kernels import (
        FLOPS_PER_TILE_ROUND,
        TILE_BYTES,
        tile_rounds,
        tiles_available,
    )

    if not tiles_available():
        return None
    configuration = np.zeros(64, np.uint8)
    configuration[0] = 1  # the only palette: eight tiles
    configuration[16:32].view(np.uint16)[:] = 64  # bytes per row of each tile
    configuration[48:56] = 16  # rows of each tile
    numbers = np.random.default_rng(0).standard_normal((n_threads, 5, TILE_BYTES // 2), np.float32)
    tiles = (numbers.view(np.uint32) >> 16).astype(np.uint16)  # as bfloat16

    def rounds(thread: int, n: int) -> None:
        tile_rounds(n, configuration.ctypes.data, tiles[thread].ctypes.data)

    return best_rate(rounds, n_threads, seconds) * FLOPS_PER_TILE_ROUND


def triad_rate(n_threads: int, n_bytes: int, seconds: float) -> float:
    """Return GB/s of a triad over `n_bytes`, divided among the threads."""
    from bench.limit_kernels import triad

    n = n_bytes // (3 * 4 * n_threads)
    arrays = [[np.ones(n, np.float32) for _ in range(3)] for _ in range(n_threads)]

    def rounds(thread: int, k: int) -> None:
        a, b, c = arrays[thread]
        triad(a, b, c, k)

    return best_rate(rounds, n_threads, seconds) * 12 * n


def best_rate(run: Callable[[int, int], object], n_threads: int, seconds: float) -> float:
    """Return the best of `TRIALS` rates, in 1e9 rounds per second, summed over the threads.

    ``run(thread, n)`` does `n` rounds without the interpreter lock.
    """
    run(0, 1)
    n, elapsed = 1, 0.0
    while elapsed < seconds / 4:
        n *= 4
        start = time.perf_counter()
        run(0, n)
        elapsed = time.perf_counter() - start
    n = max(1, int(n * seconds / elapsed))
    fastest = min(side_by_side_seconds(run, n_threads, n) for _ in range(TRIALS))
    return n_threads * n / fastest / 1e9


def side_by_side_seconds(run: Callable[[int, int], object], n_threads: int, n: int) -> float:
    """Return the time until all threads have finished their `n` rounds, in seconds."""
    threads = [threading.Thread(target=run, args=(i, n)) for i in range(n_threads)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start
