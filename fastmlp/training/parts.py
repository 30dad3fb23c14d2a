"""Training an epoch in parts, between which a checkpoint may be written."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.engine.runner import EpochResult, Runner, joined

__all__ = ["InParts"]

_FIRST_STEPS = 16  # until the time that a step takes is known
_SECONDS = 0.5  # that a part should take, at most
_SHARE = 0.1  # of the time between two checkpoints, that a part should take


class InParts:
    """Trains with another runner, a part of the epoch at a time; the bits are the same.

    Parameters
    ----------
    runner : Runner
    optimizer : Optimizer
    batch_size : int
    seconds : float
        The time between two checkpoints. Infinite: an epoch is one part.
    part : EpochResult or None
        Steps of the first epoch that are already done.
    steps_before : int
        Steps of the run before that epoch.
    look : callable
        ``look(part, interrupted)`` is called between two parts with the steps of the epoch so far,
        and after Ctrl-C.

    """

    def __init__(
        self,
        runner: Runner,
        optimizer: Any,
        batch_size: int,
        seconds: float,
        part: EpochResult | None,
        steps_before: int,
        look: Callable[[EpochResult, bool], None],
    ):
        self.runner, self.optimizer, self.batch_size = runner, optimizer, batch_size
        self.compile_seconds: float = runner.compile_seconds
        self.evaluate = runner.evaluate
        self._look, self._part = look, part
        self._seconds = min(_SECONDS, _SHARE * seconds)
        self._divides = seconds < float("inf")
        self._n_steps = _FIRST_STEPS
        self._skipped = steps_before + (0 if part is None else len(part.losses))

    def train_epoch(
        self, order: np.ndarray, epoch: int, rates: np.ndarray, poll: Callable[[], None]
    ) -> EpochResult:
        """Run one step per rate, but not those that are already done."""
        parts = [] if self._part is None else [self._part]
        done = 0 if self._part is None else len(self._part.losses)
        self._part = None
        self.optimizer.t += done
        while done < len(rates):
            stop = min(done + self._n_steps, len(rates)) if self._divides else len(rates)
            end = None if stop == len(rates) else stop * self.batch_size
            rows = slice(done * self.batch_size, end)
            started = time.perf_counter()
            result = self.runner.train_epoch(order[rows], epoch, rates[done:stop], poll)
            parts.append(result)
            if result.interrupted or result.diverged_step is not None:
                break
            self._adjust(stop - done, time.perf_counter() - started)
            done = stop
            if done < len(rates):
                self._look(joined(parts), False)
        together = joined(parts)
        if together.interrupted:
            self._look(together, True)
        return together

    def steps_done(self) -> int:
        """Return the number of steps done, those before the run was resumed included."""
        return self._skipped + self.runner.steps_done()

    def _adjust(self, n_steps: int, seconds: float) -> None:
        """Choose the number of steps of the next part by the time that this one took."""
        wanted = int(n_steps * self._seconds / max(seconds, 1e-9))
        self._n_steps = max(1, min(wanted, 8 * n_steps))
