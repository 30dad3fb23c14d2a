"""How many rows there is time to learn from, and to predict for validation, within a limit."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastmlp.engine import threads
from fastmlp.tabular import methods
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part
from fastmlp.tabular.training import enough_visits

__all__ = ["affordable"]

FEW = 4096
"""So many validation rows are predicted in no time, unless there is little time for all rows."""

_LEAST = 512
"""Rows to learn from, or for validation, that are always kept."""

_HURRIED = 500
"""Training rows for each second of the limit. With fewer, all networks manage."""

_SHARE = 0.05
"""Share of a network's time that one prediction of its validation rows may take. An epoch takes
about twelve times as long, so this concerns tables too large for two epochs."""

_TRAINING, _PREPARING = 3, 2
"""How much longer it takes to learn from a row, and to prepare for it, than to predict it."""

_TRIED, _QUICK = (64, 1024), 0.02
"""Rows by which the pace is measured; the second number if the first takes fewer seconds."""

_BATCH = 256  # of all methods


def affordable(
    parts: Sequence[Part], rows: Rows, val: Rows | None, n_classes: int, plan: Plan
) -> tuple[list[Part], Rows | None, bool]:
    """Return the parts and the user's validation rows with as many rows as there is time for.

    Also return whether the time is so short that a single network should have it. Preparing and
    predicting cannot be interrupted, and a network is judged at least once. Which rows remain is
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
    if plan.deadline is None:
        return list(parts), val, False
    sizes = [len(part.val) for part in parts if part.val is not None]
    n_train, n_val = max(len(part.train) for part in parts), max([0, *sizes])
    n_val = max(n_val, 0 if val is None else len(val))
    left = max(0.0, plan.deadline - time.monotonic())
    if n_val <= FEW and n_train <= max(_LEAST, _HURRIED * left):
        return list(parts), val, False
    at_once = 1 if len(parts) == 1 else plan.n_threads or threads.available()
    n_threads = plan.n_threads if len(parts) == 1 else 1
    pace = _seconds_per_row(rows, n_classes, plan, n_threads)
    left = max(0.0, plan.deadline - time.monotonic())
    rounds = max(1.0, min(plan.n_needed, len(parts)) / at_once)
    most = max(_LEAST, int(_SHARE * left / rounds / pace))
    # A network that nobody has asked for gives way to another one.
    predictions = left / (rounds if plan.is_asked else 1) / pace
    most_train = max(_LEAST, int(predictions / (_TRAINING + _PREPARING)))
    chosen: dict[int, Part] = {}  # by numbers, which stand for the same rows
    for part in parts:
        if part.number not in chosen:
            train = _some(part.train, most_train, part.number)
            kept = None if part.val is None else _some(part.val, most, part.number)
            chosen[part.number] = replace(part, train=train, val=kept)
    fewer = [
        replace(part, train=chosen[part.number].train, val=chosen[part.number].val)
        for part in parts
    ]
    given = None if val is None else val.take(_some(np.arange(len(val)), most, 0))
    hurried = not plan.is_asked and predictions / _TRAINING < enough_visits(n_train, _BATCH)
    return fewer, given, hurried


def _seconds_per_row(rows: Rows, n_classes: int, plan: Plan, n_threads: int | None) -> float:
    """Measure how long a new network of the plan takes to predict a row."""
    some = rows.take(np.arange(min(_TRIED[1], len(rows))))
    recipe = methods.prepare(plan.method, some.inputs, some.y, n_classes=n_classes, seed=plan.seed)
    took, n_rows = 0.0, 1
    for n_rows in _TRIED:
        inputs = some.inputs.take(slice(n_rows))
        if not took:
            recipe.predict(inputs, n_threads)  # compiles its kernels if need be
        began = time.monotonic()
        recipe.predict(inputs, n_threads)
        took = time.monotonic() - began
        if took > _QUICK:
            break
    return took / min(n_rows, len(some))


def _some(places: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
