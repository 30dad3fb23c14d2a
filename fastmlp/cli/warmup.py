"""`fastmlp warmup`: compile and cache every kernel, for container images and CI."""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from fastmlp.training import PRECISIONS

__all__ = ["add_parser", "run"]

_DTYPES = ("float32", "float64")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("warmup", help="compile the kernels ahead of time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compile all kernels that plans can call, then train and predict; 1 if they cannot be kept."""
    from fastmlp.engine.warmup import warm_up
    from fastmlp.kernels.machine import cache, jit

    started = time.perf_counter()
    for dtype in _DTYPES:
        for precision in PRECISIONS if dtype == "float32" else PRECISIONS[:1]:
            begun = time.perf_counter()
            warm_up([dtype])
            compile_kernels(dtype, precision)
            if not arguments.json:
                seconds = time.perf_counter() - begun
                print(f"{dtype} {precision:<8} {seconds:6.1f} s", flush=True)
    seconds = time.perf_counter() - started
    kept = None if cache.trouble() else str(jit.cache_folder())
    if arguments.json:
        print(json.dumps({"seconds": seconds, "kernel_cache": kept}))
    elif kept:
        print(f"ready after {seconds:.1f} s, kept in {kept}")
    if not kept:
        print(f"fastmlp: nothing is ready: {cache.trouble()}", file=sys.stderr)
    return 0 if kept else 1


def compile_kernels(dtype: str, precision: str) -> None:
    """Train and evaluate on random rows, with pixels and numbers, classes and values."""
    from fastmlp import BatchNorm, Dropout, LayerNorm, Linear, Normalize, ReLU, Sequential

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 20), dtype=np.uint8)
    classes = rng.integers(0, 3, 64)
    for X in (pixels, pixels.astype(dtype)):
        for y, loss in ((classes, "cross_entropy"), (classes[:, None].astype(dtype), "mse")):
            hidden = [Linear(20, 32), BatchNorm(32), ReLU(), Dropout(0.1), LayerNorm(32)]
            outputs = Linear(32, 3 if loss == "cross_entropy" else 1)
            model = Sequential(Normalize.from_data(X), *hidden, outputs, dtype=dtype)
            for n_threads in (1, 2):
                model.fit(
                    X,
                    y,
                    loss=loss,
                    epochs=1,
                    batch_size=32,
                    n_threads=n_threads,
                    matmul_precision=precision,
                    verbose=False,
                )
            model.evaluate(X, y, loss=loss)
            model.predict(X)
