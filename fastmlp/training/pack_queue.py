"""The queue of a pack: threads take runs until none are left, and the caller's thread watches."""

from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

from fastmlp.engine import threads
from fastmlp.engine.interrupt import Interrupt
from fastmlp.training.fitting import train
from fastmlp.training.halt import Halt
from fastmlp.training.history import History
from fastmlp.training.pack_runs import Run

__all__ = ["PackQueue"]


class PackQueue:
    """Trains the runs of a pack.

    Parameters
    ----------
    runs : list of Run
    n_threads : int
    time_limit : float or None
        Seconds for all runs together.
    callbacks : tuple
        Objects with `on_run_end`, see `fastmlp.fit_many`.
    verbose : bool or None

    """

    def __init__(
        self,
        runs: list[Run],
        n_threads: int,
        time_limit: float | None,
        callbacks: tuple[Any, ...],
        verbose: bool | None,
    ):
        self._runs = runs
        self._n_threads = min(n_threads, threads.MOST)
        self._free = self._n_threads  # threads that no run uses
        self._next = 0  # the first run that no thread has taken
        self._lock = Lock()
        self._halt = Halt(time_limit)
        self._callbacks = callbacks
        self._finished: SimpleQueue[Run] = SimpleQueue()

    def run(self) -> list[History]:
        """Train all runs and return their histories."""
        n_drivers = min(self._n_threads, len(self._runs))
        with Interrupt() as interrupt, threads.team(n_drivers) as team:
            try:
                team.start(lambda _: self._drive(), self._abort)
                if team.size == 0:
                    self._drive()
                team.wait(lambda: self._look(interrupt))
            except BaseException:
                self._abort()
                raise
        self._tell()
        return [run.history for run in self._runs]

    def _look(self, interrupt: Interrupt) -> None:
        """Watch from the caller's thread."""
        if interrupt.pending:
            self._abort()
        self._tell()

    def _abort(self) -> None:
        self._halt.now("interrupted")

    def _tell(self) -> None:
        """Pass finished runs to the callbacks."""
        while True:
            try:
                run = self._finished.get_nowait()
            except Empty:
                return
            for callback in self._callbacks:
                answer = callback.on_run_end(run.number, run.history, run.model)
                if answer:
                    self._halt.now(answer if isinstance(answer, str) else "stopped by a callback")

    def _drive(self) -> None:
        """Take runs until none are left."""
        while (taken := self._take()) is not None:
            run, n_threads = taken
            try:
                self._train(run, n_threads)
            finally:
                with self._lock:
                    self._free += n_threads
            self._finished.put(run)

    def _take(self) -> tuple[Run, int] | None:
        """Take the next run and some threads for it; None if no run is left."""
        with self._lock:
            n_left = len(self._runs) - self._next
            if n_left == 0:
                return None
            run = self._runs[self._next]
            self._next += 1
            n_threads = max(1, self._free // n_left)
            self._free -= n_threads
            return run, n_threads

    def _train(self, run: Run, n_threads: int) -> None:
        """Train one model; whatever goes wrong concerns only this one."""
        reason = self._halt.ended()
        if reason is not None:
            run.history.stopped = reason
            return
        options = replace(run.options, n_threads=n_threads, callbacks=(self._halt,))
        try:
            run.history = train(run.model, run.weighted(), run.validation, options, run.monitor)
            if run.history.stopped == "interrupted":
                run.history.stopped = self._halt.reason
        except Exception as error:
            run.history.stopped = f"failed: {type(error).__name__}: {error}"
