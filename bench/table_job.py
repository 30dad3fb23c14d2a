"""The child process of one job of `bench.tables`, so that no library disturbs another.

``python -m bench.table_job JOB`` takes a job as JSON: ``table``, ``split``, ``method``,
``n_threads``, ``most_rows`` and ``level``, the instruction set that `bench.tables` limits it to. It
prints what it measured as a line of JSON.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.table_methods import METHODS, skipped
from bench.table_suite import Split, error, load, missing

__all__ = ["Job", "measured"]

WARM_UP_ROWS = 64
PREDICTIONS = 3

Job = dict[str, Any]


def main() -> None:
    """Do the job of the command line."""
    # Libraries may print to standard output, so the answer goes to a copy of it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write(json.dumps(measured(json.loads(sys.argv[1]))) + "\n")
    answers.flush()
    os._exit(0)  # some peers leave threads behind


def measured(job: Job) -> Job:
    """Return the errors and seconds of a method on a split of a table, or why it was skipped."""
    why = missing() or skipped(job["method"])
    if why:
        return {**job, "skipped": why}
    warnings.simplefilter("ignore")
    split = load(job["table"], job["split"], job["most_rows"])
    method = METHODS[job["method"]]
    n_threads = job["n_threads"]
    if method.warm_up is not None:
        settings = method.settings | method.warm_up
        method.fit(few_rows(split), job["split"], n_threads, **settings)(split.X_test)
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    predict, fit_time = timed(lambda: method.fit(split, job["split"], n_threads, **method.settings))
    times = []
    for _ in range(PREDICTIONS):
        predicted, predict_time = timed(lambda: predict(split.X_test))
        times.append(predict_time)
    seconds, processor_seconds = np.median(times, axis=0)
    return {
        **job,
        "skipped": None,
        "kind": split.kind,
        "error": error(split.kind, split.y_test, predicted),
        "n_train": len(split.y),
        "n_test": len(split.y_test),
        "fit_seconds": fit_time[0],
        "fit_processor_seconds": fit_time[1],
        "predict_seconds": float(seconds),
        "predict_processor_seconds": float(processor_seconds),
        "load": load_before,
    }


def few_rows(split: Split) -> Split:
    """Return some of the training rows, of every class, for training and again for validation."""
    first = np.unique(split.y, return_index=True)[1] if split.kind == "class" else np.empty(0, int)
    rows = np.tile(np.r_[first, np.arange(min(WARM_UP_ROWS, len(split.y)))], 2)
    _, y = np.unique(split.y[rows], return_inverse=True)
    val = np.arange(len(rows)) >= len(rows) // 2
    return Split(
        split.X.iloc[rows], y.astype(split.y.dtype), split.X_test, split.y_test, val, split.kind
    )


def timed(call: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """Return what `call` returns, and its seconds: by the clock, and of processors."""
    started, used = time.perf_counter(), time.process_time()
    found = call()
    return found, (time.perf_counter() - started, time.process_time() - used)


if __name__ == "__main__":
    main()
