"""Single matrix products, by fastmlp and by libraries, called in turn in one process.

A layer with D inputs and H outputs computes three of them for N rows:

    forward    Y = X W + b      (N, D) (D, H) -> (N, H)
    backward   dX = dZ W'       (N, H) (H, D) -> (N, D)
    gradient   dW = X' dZ       (D, N) (N, H) -> (D, H)

`bench.products.timing` calls them, through the contenders in `ours`, `blas` and `onednn`, in a
process that is limited to an instruction set.
"""

import atexit
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, log
from statistics import fmean, median
from typing import Any

from bench.children import Child
from bench.limits import Limits
from bench.peers import thread_counts

__all__ = ["DTYPES", "PRODUCTS", "SHAPES", "ProductResult", "jobs", "mean_ratio", "shapes"]

DTYPES = ("float32", "float64")
PRODUCTS = ("forward", "gradient", "backward")
TURN_SECONDS = 0.02
SHAPES = (
    "1x784x128", "7x13x5", "17x4096x31", "33x100x17", "64x32x64", "64x64x64", "64x1000x1000",
    "96x2048x768", "100x300x100", "128x128x10", "128x256x128", "128x784x128", "128x784x256",
    "128x3072x512", "200x784x100", "256x256x256", "256x1000x10", "512x1024x1024", "512x3072x1024",
    "1000x50x20",
)  # fmt: skip
"""Rows, inputs and outputs: those of the workloads' layers, and odd ones."""


@dataclass
class ProductResult:
    """The products of one shape and dtype.

    Attributes
    ----------
    shape : str
        ``"NxDxH"``.
    dtype : str
    cases : list of dict
        The answers of `bench.products.timing.Products.measure`, for each product and number of
        threads.
    instructions : list
        What the libraries reported about their instructions.

    """

    shape: str
    dtype: str
    cases: list[dict]
    instructions: list

    def described(self, limits: Limits) -> list[dict]:
        """Return each case for the report.

        Each row of a case holds the microseconds per call, ``median`` and ``samples``; ``gflops``;
        ``share``, the share of the machine's limit; and ``ratio``, the median over the rounds of
        its time divided by fastmlp's. The ``ratio`` of the case is that of the fastest peer.
        """
        return [self.case(case, limits) for case in self.cases]

    def case(self, case: dict, limits: Limits) -> dict:
        """Return one case for the report."""
        n, d, h = dimensions(self.shape)
        flops = 2.0 * n * d * h
        peak = limits.float32_one if case["n_threads"] == 1 else limits.float32_all
        peak /= 2 if self.dtype == "float64" else 1
        rows = []
        for found in case["contenders"]:
            row = {key: found[key] for key in ("contender", "skipped") if key in found}
            rows.append(row)
            if found["skipped"]:
                continue
            samples = [s * 1e6 for s in found["seconds"]]
            gflops = flops / median(samples) / 1e3
            row |= {"samples": samples, "median": median(samples), "gflops": gflops}
            row |= {"share": gflops / peak, "agrees": found["agrees"]}
            row["ratio"] = median(found["ratios"]) if found["ratios"] else None
        peers = [row for row in rows[1:] if not row["skipped"]]
        fastest = min(peers, key=lambda row: row["ratio"], default=None)
        return {
            "shape": self.shape,
            "dtype": self.dtype,
            "product": case["product"],
            "n_threads": case["n_threads"],
            "rows": rows,
            "fastest": fastest and fastest["contender"],
            "ratio": fastest and fastest["ratio"],
        }


class Session:
    """The process in which all shapes of one dtype are measured.

    Parameters
    ----------
    dtype : str
        One of `DTYPES`.
    options : Namespace
        Options of the command line: ``isa``, ``rounds``, ``seconds``.

    """

    def __init__(self, dtype: str, options: Namespace):
        self.dtype, self.options = dtype, options
        self.child: Child | None = None

    def measured(self, shape: str, say: Callable[[str], None]) -> ProductResult:
        """Measure all products of one shape, on one thread and on all.

        Raises
        ------
        RuntimeError
            If the process exited.

        """
        if self.child is None:
            say(f"products, {self.dtype}: preparing")
            job = {"do": "products", "dtype": self.dtype}
            self.child = Child("products", job, self.options.isa)
            atexit.register(self.child.close)
            if reason := self.child.description["skipped"]:
                raise RuntimeError(reason)
        cases = []
        for n_threads in thread_counts():
            for product in PRODUCTS:
                say(f"{product} {shape}, {self.dtype}, threads: {n_threads}")
                asked = {"product": product, "shape": dimensions(shape), "n_threads": n_threads}
                turns = {
                    "rounds": self.options.rounds,
                    "seconds": self.options.seconds or TURN_SECONDS,
                }
                cases.append({**asked, **self.child.ask("measure", **asked, **turns)})
        return ProductResult(
            shape, self.dtype, cases, self.child.ask("instructions")["instructions"]
        )


def jobs(options: Namespace) -> list[Callable[..., ProductResult]]:
    """Return the jobs: a function that takes ``say`` for each dtype and shape."""
    sessions = [Session(name, options) for name in ([options.dtype] if options.dtype else DTYPES)]
    return [partial(session.measured, shape) for session in sessions for shape in options.shapes]


def shapes(chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Return the chosen shapes, or the default ones.

    Raises
    ------
    ValueError
        If one is not of the form NxDxH.

    """
    for shape in chosen or ():
        dimensions(shape)
    return tuple(chosen or SHAPES)


def dimensions(shape: str) -> list[int]:
    """Return N, D and H of ``"NxDxH"``."""
    parts = shape.split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"unknown shape {shape!r}: write rows, inputs and outputs as 128x784x10")
    return [int(part) for part in parts]


def mean_ratio(cases: Sequence[dict[str, Any]]) -> float | None:
    """Return the geometric mean of the ratios of the cases."""
    ratios = [case["ratio"] for case in cases if case["ratio"]]
    return exp(fmean(map(log, ratios))) if ratios else None
