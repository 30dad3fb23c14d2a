"""What an exported model weighs and how long it takes a row, as docs/how-to/export.md shows it.

``python -m bench.exports`` prints a row for each way to predict with the same network, and
``python -m bench.exports 4-16-3 tabm-mini`` only those of some networks.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp.tabular import Encoded
from fastmlp.tabular.methods import prepare

WIDTHS = ((4, 16, 3), (64, 128, 10), (784, 128, 10))
"""Units of each layer of networks with ReLU."""

METHODS = ("realmlp-td-s", "realmlp-td", "tabm-mini")
"""Methods for tables, here of eight numbers and two classes; without the encoder."""

_SECONDS = 0.2  # for each measurement
_ROUNDS = 5
_MAIN = """\
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "model.h"
int main(void)
{
    static float x[MODEL_N_INPUTS], y[MODEL_N_OUTPUTS];
    volatile float sink = 0;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < N; i++) {
            x[i % MODEL_N_INPUTS] += 1e-3f;
            model_predict(x, y);
            sink += y[0];
        }
        clock_gettime(CLOCK_MONOTONIC, &b);
        double t = (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) * 1e-3;
        if (t / N < best) best = t / N;
    }
    printf("%g", best);
    return 0;
}
"""
_SCRIPT = """\
import { predict, nInputs } from "./model.mjs";
const x = new Float64Array(nInputs);
let best = Infinity, sink = 0;
for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < N; i++) { x[i % nInputs] += 1e-3; sink += predict(x)[0]; }
    best = Math.min(best, (performance.now() - start) * 1e3 / N);
}
console.log(JSON.stringify(best));
"""


def main() -> None:
    """Print a table for each network."""
    os.environ["FASTMLP_PREDICT"] = "compiled"
    networks = {"-".join(map(str, widths)): plain(widths) for widths in WIDTHS}
    networks |= {method: of_table(method) for method in METHODS}
    for name in sys.argv[1:] or networks:
        model = networks[name]
        print(f"\n{name}\n| file | size | microseconds a row |\n|---|---|---|")
        for what, size, microseconds in measured(model):
            shown = f"{size / 1000:,.0f} KB" if size else ""
            print(f"| {what} | {shown} | {microseconds:.3g} |", flush=True)


def plain(widths: tuple[int, ...]) -> fastmlp.Sequential:
    """Return a network with ReLU."""
    layers: list[fastmlp.layers.Layer] = []
    for n_in, n_out in pairwise(widths):
        layers += [fastmlp.Linear(n_in, n_out), fastmlp.ReLU()]
    return fastmlp.Sequential(*layers[:-1])


def of_table(method: str) -> fastmlp.Sequential:
    """Return the network of a method for eight numbers and two classes."""
    rng = np.random.default_rng(0)
    rows = Encoded(rng.standard_normal((500, 8)).astype(np.float32), np.zeros((500, 0), "i4"), ())
    return prepare(method, rows, rng.integers(0, 2, 500), n_classes=2).model


def measured(model: fastmlp.Sequential) -> Iterator[tuple[str, int, float]]:
    """Yield a way to predict, the size of its file, and microseconds a row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = np.zeros((1, model.require_width()), np.float32)
        predictor = model.predictor()
        microseconds = timed(lambda: predictor(x))
        yield "`model.predictor()`", 0, microseconds
        n = max(20, int(1e6 * _SECONDS / microseconds))
        yield "`model.predict`", 0, timed(lambda: model.predict(x))
        model.export(folder / "model.onnx")
        yield ".onnx, ONNX Runtime", size_of(folder / "model.onnx"), onnx_time(folder, x)
        for int8 in (False, True):
            model.export(folder / "model.h", int8=int8)
            for compiler in filter(shutil.which, ("gcc", "clang")):
                for options in (("-O2",), ("-O3", "-march=native")):
                    what = f".h{', int8' * int8}, {compiler} {' '.join(options)}"
                    yield what, size_of(folder / "model.h"), c_time(folder, compiler, options, n)
        if shutil.which("node"):
            model.export(folder / "model.js")
            yield ".js, Node.js", size_of(folder / "model.js"), node_time(folder, n)


def size_of(path: Path) -> int:
    """Return a file's size in bytes."""
    return path.stat().st_size


def timed(call: Callable[[], object]) -> float:
    """Return the microseconds of a call, in the best of some rounds."""
    best, n = float("inf"), 1
    for _ in range(_ROUNDS):
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < _SECONDS:
            for _ in range(10):
                call()
            n += 10
        best = min(best, (time.perf_counter() - start) / n)
    return 1e6 * best


def onnx_time(folder: Path, x: np.ndarray) -> float:
    """Return the microseconds of a row in ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return timed(lambda: session.run(None, {"X": x}))


def c_time(folder: Path, compiler: str, options: tuple[str, ...], n: int) -> float:
    """Return the microseconds of a row in a compiled header."""
    (folder / "main.c").write_text(_MAIN)
    numbers = (f"-DN={n}", f"-DROUNDS={_ROUNDS}")
    command = [compiler, "-std=c99", *options, *numbers, "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return float(subprocess.run([folder / "main"], check=True, stdout=-1).stdout)


def node_time(folder: Path, n: int) -> float:
    """Return the microseconds of a row in Node.js."""
    shutil.copy(folder / "model.js", folder / "model.mjs")
    script = (
        _SCRIPT.replace("ROUNDS", str(_ROUNDS)).replace("< N", f"< {n}").replace("/ N", f"/ {n}")
    )
    (folder / "main.mjs").write_text(script)
    done = subprocess.run(["node", "main.mjs"], cwd=folder, check=True, stdout=-1)
    return float(json.loads(done.stdout))


if __name__ == "__main__":
    main()
