"""Training an epoch in parts, between which rows are read or a checkpoint is written."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np

from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.runner import EpochResult, Runner, joined
from fastmlp.training.batches import Batches

__all__ = ["InParts"]

_FIRST_STEPS = 16  # until the time that a step takes is known
_SECONDS = 0.5  # that a part should take, at most
_SHARE = 0.1  # of the time between two checkpoints, that a part should take


class _Parts(Protocol):
    """Rows that come in parts; see `fastmlp.training.stream.Stream`."""

    reading_seconds: float

    def parts(
        self, epoch: int, stopped: Callable[[], bool], poll: Callable[[], None]
    ) -> Iterable[np.ndarray]:
        """Yield the rows to train on next."""
        ...


class InParts:
    """Trains with another runner, a part of the epoch at a time; the bits are the same.

    Parameters
    ----------
    runner : Runner
    optimizer : Optimizer
    batches : Batches
    stream : Stream, optional
        Says which rows to train on. Default: those of the order that `train_epoch` is given.

    """

    def __init__(
        self, runner: Runner, optimizer: Any, batches: Batches, stream: _Parts | None = None
    ):
        self.runner: Runner = runner
        self.optimizer: Any = optimizer
        self.batches: Batches = batches
        self.compile_seconds: float = runner.compile_seconds
        self.leave_room: Callable[[bool], int] = runner.leave_room
        self.evaluate: Callable[..., tuple[float, float | None]] = runner.evaluate
        self._stream = stream
        self._look: Callable[[Callable[[], EpochResult], bool], None] = lambda part, stopped: None
        self._seconds = float("inf")
        self._n_steps = batches.count
        self._processor_seconds = float("inf")  # that a step takes, as far as is known
        self._part: EpochResult | None = None
        self._skipped = 0

    def watched(
        self,
        look: Callable[[Callable[[], EpochResult], bool], None],
        seconds: float,
        steps_before: int,
        part: EpochResult | None,
    ) -> None:
        """Let somebody look at the steps of an epoch while it is under way.

        Parameters
        ----------
        look : callable
            ``look(part, interrupted)`` is called between two parts, and after Ctrl-C; ``part()``
            returns the steps of the epoch so far.
        seconds : float
            How often it is wanted, at most; may be infinite.
        steps_before : int
            Steps of the run before the first epoch.
        part : EpochResult or None
            Steps of the first epoch that are already done.

        """
        self._look, self._part = look, part
        self._skipped = steps_before + (0 if part is None else len(part.losses))
        if seconds < float("inf"):
            self._seconds, self._n_steps = min(_SECONDS, _SHARE * seconds), _FIRST_STEPS

    def train_epoch(
        self,
        order: np.ndarray,
        epoch: int,
        rates: np.ndarray,
        poll: Callable[[], None],
        fades: np.ndarray | None = None,
    ) -> EpochResult:
        """Run one step per rate, but not those that are already done."""
        parts = [_no_steps() if self._part is None else self._part]
        done, self._part = len(parts[0].losses), None
        self.optimizer.t += done
        with Interrupt() as interrupt:
            for first, last, found in self._stretches(order, epoch, interrupt, poll):
                rows = found[: self.batches.n_used - first * self.batches.size]
                beside = min(last, done + self._steps_beside_reading())
                while done < last:
                    stop = min(done + self._n_steps, beside if done < beside else last)
                    n_threads = self.leave_room(done < beside)
                    begin, end = ((n - first) * self.batches.size for n in (done, stop))
                    visited = rows[begin : None if stop == last else end]
                    started = time.perf_counter()
                    now = slice(done, stop)
                    faded = {} if fades is None else {"fades": fades[now]}
                    result = self.runner.train_epoch(visited, epoch, rates[now], poll, **faded)
                    parts.append(result)
                    if parts[-1].interrupted or parts[-1].diverged_step is not None:
                        return self._ended(parts)
                    self._adjust(stop - done, time.perf_counter() - started, n_threads)
                    done = stop
                    if done < len(rates):
                        self._look(partial(joined, parts), False)
                        if _interrupts(poll):  # short parts do not poll
                            parts.append(_no_steps(interrupted=True))
                            return self._ended(parts)
            if done < len(rates):  # Ctrl-C came while waiting for rows
                parts.append(_no_steps(interrupted=True))
        return self._ended(parts)

    def steps_done(self) -> int:
        """Return the number of steps done, those before the run was resumed included."""
        return self._skipped + self.runner.steps_done()

    def _stretches(
        self, order: np.ndarray, epoch: int, interrupt: Interrupt, poll: Callable[[], None]
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the first step and the end of consecutive steps, and their rows in order."""
        if self._stream is None:
            yield 0, self.batches.count, order
            return
        n_seen = 0
        for rows in self._stream.parts(epoch, lambda: interrupt.pending, poll):
            first = n_seen // self.batches.size
            n_seen += len(rows)
            at_end = n_seen == self.batches.n_rows
            yield first, self.batches.count if at_end else n_seen // self.batches.size, rows

    def _ended(self, parts: list[EpochResult]) -> EpochResult:
        together = joined(parts)
        if together.interrupted:
            self._look(lambda: together, True)
        return together

    def _steps_beside_reading(self) -> int:
        """Return how many steps to train with one thread less, while the next rows are read.

        Threads wait for each other several times in a step, so one that must share its processor
        would hold up all others. Reading then costs as many times as there are threads.
        """
        if self._stream is None:
            return 0
        all_threads, fewer = (self.leave_room(leaves) for leaves in (False, True))
        if fewer == all_threads:
            return 0
        return round(self._stream.reading_seconds * fewer / self._processor_seconds)

    def _adjust(self, n_steps: int, seconds: float, n_threads: int) -> None:
        """Choose the number of steps of the next part by the time that this one took."""
        self._processor_seconds = max(seconds, 1e-9) * n_threads / n_steps
        if self._seconds < float("inf"):
            wanted = int(n_steps * self._seconds / max(seconds, 1e-9))
            self._n_steps = max(1, min(wanted, 8 * n_steps))


def _interrupts(poll: Callable[[], None]) -> bool:
    try:
        poll()
    except KeyboardInterrupt:
        return True
    return False


def _no_steps(interrupted: bool = False) -> EpochResult:
    nothing = np.empty(0)
    return EpochResult(nothing, nothing, nothing, 0, interrupted=interrupted)
