"""The child process of one contender, so that contenders' threads do not disturb each other.

``python -m bench.worker JOB`` takes a job as JSON, prepares the contender, and then answers each
JSON line on standard input with one on standard output (`bench.children` is the other end).
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench import evidence
from bench.workloads import Workload, full_data_loss


def main() -> None:
    """Prepare the job given on the command line, then answer until standard input ends."""
    # Libraries may print to standard output, so answers go to a copy of it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    contender = prepared(json.loads(sys.argv[1]))
    answer(**contender.description)
    for line in sys.stdin:
        question = json.loads(line)
        answer(**getattr(contender, question.pop("do"))(**question))


def prepared(job: dict) -> Any:
    """Return what `job` describes, ready to be timed."""
    if job["do"] == "limits":
        return Peaks(job["level"])
    if job["do"] == "products":
        from bench.products.timing import Products

        return Products(job["dtype"], job["level"])
    if job["do"] in ("widths", "grid"):
        return Once(job)
    work = Workload(**{**job["workload"], "widths": tuple(job["workload"]["widths"])})
    if job["do"] == "pack":
        return Packs(job["contender"], work, job["n_networks"], job["level"])
    if job["do"] == "predict":
        return Predictor(job["contender"], work, job["n_rows"], job["level"])
    return Trainer(job["contender"], work, job["level"])


class Trainer:
    """A peer that trains a workload."""

    def __init__(self, name: str, work: Workload, level: str):
        from bench.peers import peer

        module = peer(name)
        self.work, self.level = work, level
        self.description = {"skipped": module.available()}
        if self.description["skipped"]:
            return
        self.run = module.prepare(work)
        forget_peak()
        self.description |= {
            "precision": module.PRECISION,
            "n_threads": self.run.n_threads,
            "compile_seconds": self.run.compile_seconds,
        }

    def repeat(self, n: int) -> dict:
        """Train `n` epochs; answer with the seconds that they took."""
        start = time.perf_counter()
        self.run.epochs(n)
        return {"seconds": time.perf_counter() - start}

    def finish(self) -> dict:
        """Answer with peak memory, the losses before and after an epoch, and instructions used."""
        peak = peak_bytes()
        self.run.reset()
        before = full_data_loss(self.work, self.run.parameters())
        self.run.epochs(1)
        after = full_data_loss(self.work, self.run.parameters())
        losses = {"loss_before": before, "loss_after": after}
        return {"peak_bytes": peak, **losses, "instructions": evidence.collect(self.level)}


class Predictor:
    """A library that applies a trained network to `n_rows` rows at a time."""

    def __init__(self, name: str, work: Workload, n_rows: int, level: str):
        from bench import inference

        self.description = {"skipped": inference.available(name)}
        if self.description["skipped"]:
            return
        self.work, self.level = work, level
        self.x = inference.rows(work, n_rows)
        self.predict, n_threads = inference.prepare(name, work, self.x)
        self.predict(self.x)  # compiling and loading at the first call are not timed
        forget_peak()
        self.description |= {"n_threads": n_threads, "precision": "float32", "compile_seconds": 0.0}

    def repeat(self, n: int) -> dict:
        """Predict `n` times; answer with the seconds that it took."""
        predict, x = self.predict, self.x
        start = time.perf_counter()
        for _ in range(n):
            predict(x)
        return {"seconds": time.perf_counter() - start}

    def finish(self) -> dict:
        """Answer with peak memory, the error against float64 numpy, and instructions used."""
        from bench import inference

        peak = peak_bytes()
        error = inference.error(self.predict, self.work, self.x)
        used = evidence.collect(self.level)
        return {"peak_bytes": peak, "error": error, "instructions": used}


class Packs:
    """A library that trains many networks on the same rows."""

    def __init__(self, name: str, work: Workload, n_networks: int, level: str):
        from bench import pack_peers

        self.level = level
        self.description = {"skipped": pack_peers.available(name)}
        if not self.description["skipped"]:
            self.pack = pack_peers.prepare(name, work, n_networks)
            forget_peak()

    def repeat(self, n: int) -> dict:
        """Train all networks `n` epochs; answer with the seconds that it took."""
        start = time.perf_counter()
        self.pack.epochs(n)
        return {"seconds": time.perf_counter() - start}

    def finish(self) -> dict:
        """Answer with peak memory, the mean loss of some networks, and instructions used."""
        peak = peak_bytes()
        self.pack.reset()
        self.pack.epochs(2)
        losses = [full_data_loss(self.pack.work, found) for found in self.pack.parameters(8)]
        used = evidence.collect(self.level)
        loss = sum(losses) / len(losses)
        return {"peak_bytes": peak, "loss_after": loss, "instructions": used}


class Once:
    """Networks of different widths, or a grid search: measured in one go."""

    def __init__(self, job: dict):
        self.job = job
        self.description = {"skipped": None}

    def measure(self) -> dict:
        """Answer with the measurements, and the instructions used."""
        if self.job["do"] == "widths":
            from bench.pack_widths import different_widths

            found = different_widths(self.job["n_networks"], self.job["rounds"])
        else:
            from bench.pack_grids import grid

            found = grid(self.job["name"], self.job["rounds"])
        return {**found, "instructions": evidence.collect(self.job["level"])}


class Peaks:
    """Measures the machine's limits with the instructions of a level."""

    def __init__(self, level: str):
        self.level = level
        self.description = {"skipped": None}

    def measure(self) -> dict:
        """Answer with the limits and the instructions used."""
        from bench import limits

        measured = limits.measure()
        return {"limits": measured.as_message(), "instructions": evidence.collect(self.level)}


def forget_peak() -> None:
    """Reset the peak of memory, if the system supports that (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_bytes() -> int | None:
    """Return the peak memory of this process in bytes, or None if the system does not report it."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
