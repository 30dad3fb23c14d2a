"""Trains on a file larger than memory allows, and on the same data in memory: time and memory.

::

    python -m bench.large_data                  # 4.2 GB in a temporary folder, deleted at the end
    python -m bench.large_data --gigabytes 0.5  # a quick look

Each contender runs in a process of its own, which reports the seconds of its epochs and of the
first one, in which a mapped file comes from the disk, the seconds of processors that an epoch took,
and the most memory that was resident. The contenders take turns. The exit code is 1 if a stream
needs more than 1 GB, or 1.3 times as long as the data in memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

N_FEATURES, N_CLASSES = 784, 10
N_WRITTEN, N_READ = 20_000, 500  # rows at a time; 500 fit into a processor's cache
MOST_MEGABYTES, MOST_TIMES = 1000, 1.3
CONTENDERS = ("memory", "mapped", "batches")


def main() -> int:
    """Write the file, let the contenders train on it, and print what they needed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.2, help="size of the file [4.2]")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each training [2]")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each contender [2]")
    parser.add_argument("--folder", help="where to make the temporary folder")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="fastmlp-large-", dir=options.folder) as folder:
        write_data(Path(folder), options.gigabytes)
        for _ in range(options.rounds):
            for name in CONTENDERS:
                found[name].append(ask(name, folder, options.epochs))
    base, good = statistics.median(each["seconds"] for each in found["memory"]), True
    print(f"{'':10}{'s an epoch':>12}{'times':>8}{'the first':>11}{'CPU s':>8}{'peak MB':>10}")
    for name, runs in found.items():
        seconds = statistics.median(each["seconds"] for each in runs)
        peak = max(each["megabytes"] for each in runs)
        first, cpu = (
            statistics.median(each[what] for each in runs)
            for what in ("first_seconds", "cpu_seconds")
        )
        times = seconds / base
        print(f"{name:10}{seconds:12.2f}{times:8.2f}{first:11.2f}{cpu:8.2f}{peak:10.0f}")
        good &= name == "memory" or (peak <= MOST_MEGABYTES and seconds <= MOST_TIMES * base)
    return 0 if good else 1


def write_data(folder: Path, gigabytes: float) -> None:
    """Write rows with classes that can be learned, a block at a time."""
    rng = np.random.default_rng(0)
    n_rows = int(gigabytes * 1e9 / (4 * N_FEATURES))
    y = rng.integers(0, N_CLASSES, n_rows)
    centres = rng.standard_normal((N_CLASSES, N_FEATURES), "float32") / 8
    header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, N_FEATURES)}
    with open(folder / "X.npy", "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, n_rows, N_WRITTEN):
            of_rows = y[start : start + N_WRITTEN]
            noise = rng.standard_normal((len(of_rows), N_FEATURES), "float32")
            (noise + centres[of_rows]).tofile(stream)
    np.save(folder / "y.npy", y)


def ask(name: str, folder: str, epochs: int) -> dict[str, float]:
    """Let a contender train in another process."""
    command = [sys.executable, "-m", "bench.large_data", name, folder, str(epochs)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def train(name: str, folder: Path, epochs: int) -> None:
    """Train, and print the seconds of an epoch and the most memory that was resident."""
    import time

    from fastmlp import Adam, Callback, Linear, ReLU, Sequential

    class Clock(Callback):
        def on_train_begin(self, info: Any) -> None:
            self.started = time.process_time()

        def on_train_end(self, history: Any) -> None:
            self.seconds = time.process_time() - self.started

    forget(folder / "X.npy")
    y = np.load(folder / "y.npy")
    data: dict[str, Any] = {}
    if name == "memory":
        data = {"X": np.load(folder / "X.npy"), "y": y}
    elif name == "mapped":
        data = {"X": np.load(folder / "X.npy", mmap_mode="r"), "y": y}
    else:
        data = {"batches": lambda: blocks(folder / "X.npy", y)}
    layers = [Linear(N_FEATURES, 256), ReLU(), Linear(256, 128), ReLU(), Linear(128, N_CLASSES)]
    model, clock, optimizer = Sequential(*layers), Clock(), Adam(1e-3)
    history = model.fit(
        **data, optimizer=optimizer, epochs=epochs, callbacks=[clock], verbose=False
    )
    found = {
        "seconds": statistics.mean(history["seconds"]),
        "first_seconds": history["seconds"][0],
        "cpu_seconds": clock.seconds / epochs,
        "megabytes": peak_megabytes(),
        "loss": history.loss[-1],
    }
    print(json.dumps(found))


def peak_megabytes() -> float:
    """Return the most memory of this process that was resident."""
    status = Path("/proc/self/status")
    if status.exists():  # the other way counts what the parent had before this program began
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def blocks(path: Path, y: np.ndarray):
    """Yield the rows as a program would that reads a file of its own format."""
    with open(path, "rb", buffering=0) as stream:
        np.lib.format.read_magic(stream)
        (n_rows, width), _, dtype = np.lib.format.read_array_header_1_0(stream)
        X = np.empty((N_READ, width), dtype)  # every block is read into the same memory
        for start in range(0, n_rows, N_READ):
            n = min(N_READ, n_rows - start)
            stream.readinto(X[:n].data.cast("B"))
            yield X[:n], y[start : start + n]


def forget(path: Path) -> None:
    """Let the system drop what it has kept of a file in memory, so that the disk is read."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTENDERS:
        train(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
