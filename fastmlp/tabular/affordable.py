"""How many validation rows there is time to predict within a time limit."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastmlp.engine import threads
from fastmlp.tabular import methods
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part

__all__ = ["affordable"]

FEW = 4096
"""Validation rows that are always predicted; fewer would say little about a network."""

_SHARE = 0.05
"""Share of a network's time that one prediction of its validation rows may take. An epoch takes
about twelve times as long, so this concerns tables too large for two epochs."""

_TRIED = 1024  # rows by which the pace is measured


def affordable(
    parts: Sequence[Part], rows: Rows, val: Rows | None, n_classes: int, plan: Plan
) -> tuple[list[Part], Rows | None]:
    """Return the parts and the user's validation rows with as many rows as there is time for.

    Predicting cannot be interrupted, and a network is judged at least once. Which rows remain is
    chosen at random. Without a time limit, all remain.

    Parameters
    ----------
    parts : sequence of Part
    rows : Rows
        Those that the parts divide.
    val : Rows or None
        Validation rows that the user gives.
    n_classes : int
        0 for numbers.
    plan : Plan

    """
    sizes = [len(part.val) for part in parts if part.val is not None]
    if plan.deadline is None or max([*sizes, 0 if val is None else len(val)]) <= FEW:
        return list(parts), val
    at_once = 1 if len(parts) == 1 else plan.n_threads or threads.available()
    n_threads = plan.n_threads if len(parts) == 1 else 1
    pace = _seconds_per_row(rows, n_classes, plan, n_threads)
    rounds = max(1.0, min(plan.n_needed, len(parts)) / at_once)
    seconds = _SHARE * (plan.deadline - time.monotonic()) / rounds
    most = max(FEW, int(seconds / pace))
    fewer = [
        part if part.val is None else replace(part, val=_some(part.val, most, part.number))
        for part in parts
    ]
    return fewer, None if val is None else val.take(_some(np.arange(len(val)), most, 0))


def _seconds_per_row(rows: Rows, n_classes: int, plan: Plan, n_threads: int | None) -> float:
    """Measure how long a new network of the plan takes to predict a row."""
    some = rows.take(np.arange(min(_TRIED, len(rows))))
    recipe = methods.prepare(plan.method, some.inputs, some.y, n_classes=n_classes, seed=plan.seed)
    recipe.predict(some.inputs, n_threads)  # compiles its kernels if need be
    began = time.monotonic()
    recipe.predict(some.inputs, n_threads)
    return (time.monotonic() - began) / len(some)


def _some(places: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
