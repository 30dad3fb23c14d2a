"""The queue of a pack: threads take runs until none are left, and the caller's thread watches."""

from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

from fastmlp.engine import threads
from fastmlp.engine.interrupt import Interrupt
from fastmlp.training.fitting import train
from fastmlp.training.halt import Halt, HaltedRun
from fastmlp.training.history import History
from fastmlp.training.pack_progress import PackProgress
from fastmlp.training.pack_runs import Run
from fastmlp.training.reasons import INTERRUPTED, failed

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
        Whether to show progress; None: only on a terminal.

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
        self._progress = PackProgress(runs, verbose)
        self._finished: SimpleQueue[Run] = SimpleQueue()

    def run(self) -> list[History]:
        """Train all runs and return their histories."""
        try:
            with Interrupt() as interrupt, threads.team(self._n_drivers()) as team:
                try:
                    team.start(lambda _: self._drive(), self._abort)
                    if team.size == 0:
                        self._drive(lambda: self._look(interrupt))
                    team.wait(lambda: self._look(interrupt))
                except BaseException:
                    self._abort()
                    raise
            self._tell()
        finally:
            self._progress.close()
        return [run.history for run in self._runs]

    def _n_drivers(self) -> int:
        return min(self._n_threads, len(self._runs))

    def _look(self, interrupt: Interrupt) -> None:
        """Watch from the caller's thread."""
        if interrupt.pending:
            self._abort()
        self._tell()
        self._progress.move(self._halt.steps_done())

    def _abort(self) -> None:
        self._halt.now(INTERRUPTED)

    def _tell(self) -> None:
        """Pass finished runs to the callbacks and the display."""
        while True:
            try:
                run = self._finished.get_nowait()
            except Empty:
                return
            self._progress.finish(run)
            for callback in self._callbacks:
                answer = callback.on_run_end(run.number, run.history, run.model)
                if answer:
                    self._halt.now(answer if isinstance(answer, str) else "stopped by a callback")

    def _drive(self, look: Callable[[], None] | None = None) -> None:
        """Take runs until none are left; call ``look`` after each if no other thread watches."""
        while (taken := self._take()) is not None:
            self._train(*taken)
            if look is not None:
                look()

    def _take(self) -> tuple[Run, HaltedRun] | None:
        """Take the next run and some threads for it; None if no run is left."""
        with self._lock:
            n_left = len(self._runs) - self._next
            if n_left == 0:
                self._halt.lend(self._free)
                self._free = 0
                return None
            run, halted = self._runs[self._next], HaltedRun(self._halt, self._free // n_left or 1)
            self._next += 1
            self._free -= halted.n_threads
            self._halt.add(halted)
            return run, halted

    def _train(self, run: Run, halted: HaltedRun) -> None:
        """Train one model; whatever goes wrong concerns only this one."""
        try:
            run.history.stopped = self._halt.ended()
            if run.history.stopped is None:
                keeps = () if run.checkpoint is None else (run.checkpoint,)
                options = replace(
                    run.options, n_threads=halted.n_threads, callbacks=(halted, *keeps)
                )
                rows = run.weighted()
                run.history = train(run.model, rows, run.validation, options, run.monitor)
                if run.history.stopped == INTERRUPTED:
                    run.history.stopped = self._halt.reason
        except Exception as error:
            run.history.stopped = failed(error)
        finally:
            with self._lock:
                self._halt.remove(halted)
                self._free += halted.n_threads
            self._finished.put(run)
