"""How long training takes, and what of it there is time for."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.tabular.methods import Recipe
from fastmlp.tabular.rows import Rows
from fastmlp.training.callbacks import Callback, TrainingInfo
from fastmlp.training.reasons import TIME_LIMIT
from fastmlp.training.stopping import Snapshot

__all__ = ["EndInTime", "Pace"]

_CAUTION = 0.9
"""Share of the time left that is planned with: epochs do not all take the same time."""

_TRIALS = ((0.25, 1), (8, 3))
"""Batches and epochs of short trainings by which the pace is measured; the second if the first is
quick. The first epoch also has to warm up, and something else may delay any of them."""

_QUICK = 0.05  # seconds
_SHORTEST = 1e-6  # seconds: Ctrl-C may have ended the measurement before it began


@dataclass(frozen=True)
class Pace:
    """How long an epoch of a network takes.

    Attributes
    ----------
    steps : float
        Seconds of its steps.
    rest : float
        Seconds of everything else, which is mostly validation.
    encoding : float
        Seconds that computing the network's inputs takes.
    compile_seconds : float
        Seconds before the first step.

    """

    steps: float
    rest: float
    encoding: float
    compile_seconds: float

    @classmethod
    def measured(
        cls,
        recipe: Recipe,
        rows: Rows,
        val: Rows,
        options: Callable[[Rows, Rows | None], dict[str, Any]],
    ) -> "Pace":
        """Measure the pace by a few steps, which leave the network as it was.

        They need the same kernels as the training, so those are compiled now if they have to be.

        Parameters
        ----------
        recipe : Recipe
        rows, val : Rows
            Training and validation rows.
        options : callable
            ``options(rows, val)`` -> arguments of ``recipe.train`` for such rows.

        """
        batch = min(recipe.options["batch_size"], len(rows))
        start, compile_seconds, found = Snapshot(recipe.model), 0.0, None
        for n_batches, n_epochs in _TRIALS:
            n_rows = math.ceil(n_batches * batch)
            some = rows.take(np.arange(min(n_rows, len(rows))))
            looked = val.take(np.arange(min(n_rows, len(val))))
            began = time.monotonic()
            recipe.inputs(some.inputs)
            encoding = time.monotonic() - began
            own, watch = options(some, looked), _Watch()
            own |= {
                "epochs": n_epochs,
                "batch_size": min(batch, len(some)),
                "optimizer": copy.deepcopy(recipe.options["optimizer"]),
                "early_stopping": None,
                "restore_best": False,
                "callbacks": [*own["callbacks"], watch],
            }
            history = recipe.train(some.inputs, some.y, looked.inputs, looked.y, **own)
            start.restore()
            compile_seconds += history.compile_seconds
            share = len(some) / len(rows)
            rest = watch.rest * len(val) / len(looked)
            found = cls(watch.steps / share, rest, encoding / share, compile_seconds)
            if watch.steps > _QUICK:
                break
        assert found is not None
        return found

    def epochs(self, seconds: float) -> float:
        """Return how many epochs there is time for."""
        return _CAUTION * seconds / max(self.steps + self.rest, _SHORTEST)

    def seconds(self, epochs: float) -> float:
        """Return how much time is needed for so many epochs."""
        return epochs * (self.steps + self.rest) / _CAUTION

    def share(self, seconds: float) -> float:
        """Return which share of the steps of an epoch there is time for, at most 1."""
        return min(1.0, _CAUTION * seconds / max(self.steps, _SHORTEST))


class _Watch(Callback):
    """Measures the quickest epoch after the first one."""

    steps = rest = 0.0

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Read the clock."""
        now = time.monotonic()
        steps, rest = record["seconds"], now - self._last - record["seconds"]
        self._last = now
        if epoch < 2 or steps + rest < self.steps + self.rest:
            self.steps, self.rest = steps, rest


class EndInTime(Callback):
    """Stops when there is no time for another epoch.

    Parameters
    ----------
    deadline : float
        By ``time.monotonic()``.

    """

    def __init__(self, deadline: float):
        self.deadline = deadline
        self._last = 0.0

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start the clock of the first epoch."""
        self._last = time.monotonic()

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop if another epoch would pass the deadline."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        return TIME_LIMIT if now + took > self.deadline else None
