"""The child process in which one contender runs alone, so that nobody's threads disturb another.

Started as ``python -m bench.worker JOB`` with a JSON job, it prepares the contender, then answers
each JSON line on standard input with one on standard output (`bench.children` is the other end).
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.workloads import Workload, full_data_loss


def main() -> None:
    """Prepare the job given on the command line, then answer until standard input ends."""
    # Libraries print to standard output; the answers go where they cannot reach.
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


def prepared(job: dict) -> "Trainer | Predictor":
    """Return the contender that `job` describes, ready to be timed."""
    work = Workload(**{**job["workload"], "widths": tuple(job["workload"]["widths"])})
    if "n_rows" in job:
        return Predictor(job["contender"], work, job["n_rows"])
    return Trainer(job["contender"], work)


class Trainer:
    """A peer that trains a workload."""

    def __init__(self, name: str, work: Workload):
        from bench.peers import peer

        module = peer(name)
        self.work = work
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
        """Train `n` epochs; answer the seconds they took."""
        start = time.perf_counter()
        self.run.epochs(n)
        return {"seconds": time.perf_counter() - start}

    def finish(self) -> dict:
        """Answer the peak memory, and the losses before and after a first epoch."""
        peak = peak_bytes()
        self.run.reset()
        before = full_data_loss(self.work, self.run.parameters())
        self.run.epochs(1)
        after = full_data_loss(self.work, self.run.parameters())
        return {"peak_bytes": peak, "loss_before": before, "loss_after": after}


class Predictor:
    """A library that applies a trained network to `n_rows` rows at a time."""

    def __init__(self, name: str, work: Workload, n_rows: int):
        from bench import inference

        self.description = {"skipped": inference.available(name)}
        if self.description["skipped"]:
            return
        self.work = work
        self.x = inference.rows(work, n_rows)
        self.predict, n_threads = inference.prepare(name, work, self.x)
        self.predict(self.x)  # what is compiled or loaded at the first call is not timed
        forget_peak()
        self.description |= {"n_threads": n_threads, "precision": "float32", "compile_seconds": 0.0}

    def repeat(self, n: int) -> dict:
        """Predict `n` times; answer the seconds that took."""
        predict, x = self.predict, self.x
        start = time.perf_counter()
        for _ in range(n):
            predict(x)
        return {"seconds": time.perf_counter() - start}

    def finish(self) -> dict:
        """Answer the peak memory, and how far the outputs are from float64 numpy's."""
        from bench import inference

        peak = peak_bytes()
        return {"peak_bytes": peak, "error": inference.error(self.predict, self.work, self.x)}


def forget_peak() -> None:
    """Let the peak of memory start again from now, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_bytes() -> int | None:
    """Return the most memory that this process held, or None where the system does not say."""
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
