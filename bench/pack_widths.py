"""Networks of different widths in one pack, against what they take one after the other."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from bench.peers.fastmlp_peer import network
from bench.workloads import WORKLOADS, Workload
from fastmlp import Adam, Sequential, fit_many
from fastmlp.engine import threads

__all__ = ["different_widths", "works"]

EPOCHS = 10


def works(n: int) -> list[Workload]:
    """Return `n` workloads on the rows of ``tabular``, with two hidden layers of 16 units or more.

    No two have the same width. They are not in the order of their widths.
    """
    first = replace(WORKLOADS["tabular"], n_rows=2_048)
    widths = np.random.default_rng(0).permutation(16 + 2 * np.arange(n)).tolist()
    return [replace(first, widths=(32, width, width, 2)) for width in widths]


def different_widths(n: int, rounds: int) -> dict[str, Any]:
    """Train `n` networks of different widths together, and one after the other with one thread.

    ``share`` is the time together divided by an even share of the work: the time that they take one
    after the other, divided by the number of threads.
    """
    first, n_threads = works(1)[0], threads.available()
    X, y = first.data()
    given: Any = {"epochs": EPOCHS, "batch_size": first.batch_size, "verbose": False}

    def together() -> None:
        fit_many(_networks(n), X, y, optimizers=_optimizers(n), **given)

    def alone() -> None:
        for model, optimizer in zip(_networks(n), _optimizers(n), strict=True):
            model.fit(X, y, optimizer=optimizer, n_threads=1, **given)

    together()  # compiles
    seconds = np.array([[_seconds_of(way) for way in (together, alone)] for _ in range(rounds)])
    widths = sorted(work.widths[1] for work in works(n))
    return {
        "networks": n,
        "narrowest": widths[0],
        "widest": widths[-1],
        "n_threads": n_threads,
        "together": float(np.median(seconds[:, 0])),
        "alone": float(np.median(seconds[:, 1])),
        "share": float(np.median(seconds[:, 0] * n_threads / seconds[:, 1])),
    }


def _networks(n: int) -> list[Sequential]:
    return [Sequential(*network(work)) for work in works(n)]


def _optimizers(n: int) -> list[Adam]:
    return [Adam(lr=work.learning_rate) for work in works(n)]


def _seconds_of(way: Any) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started
