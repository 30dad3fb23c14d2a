"""Many trainings of estimators at once: a queue from which each thread takes a whole network.

All that needs the interpreter for long (checks, preparing, scoring) happens in the calling thread,
one training after the other, so warnings and errors are those of fits one by one. Trainings do not
depend on the number of threads, so every network has the bits that it would have alone.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from fastmlp.engine import threads
from fastmlp.sklearn._base import BaseMLP
from fastmlp.sklearn._stochastic import Training
from fastmlp.training.reasons import INTERRUPTED

__all__ = ["Job", "can_pack", "completed", "n_threads_of"]


class Job(ABC):
    """A training in a pack.

    Attributes
    ----------
    error : Exception or None
        What went wrong, for `finish` to raise.
    seconds : float
        Time spent on preparing and training.

    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.seconds = 0.0
        self._training: Training | None = None

    @abstractmethod
    def make(self, n_threads: int, listeners: Sequence[Any]) -> Training:
        """Return the training, prepared; called in the thread of the caller."""

    def prepare(self, n_threads: int, listeners: Sequence[Any]) -> None:
        """Prepare the training."""
        self._time(lambda: setattr(self, "_training", self.make(n_threads, listeners)))

    def run(self) -> None:
        """Train; called in any thread."""
        if self._training is not None:
            self._time(self._training.run)

    def finish(self) -> None:
        """Set the fitted attributes, warn, and raise what went wrong."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        training, self._training = self._training, None  # with all the memory of the run
        assert training is not None, "a job without an error has a training"
        training.finish()
        training.warn()

    def _time(self, part: Any) -> None:
        started = time.perf_counter()
        try:
            part()
        except Exception as error:
            self.error = error
        self.seconds += time.perf_counter() - started


_Job = TypeVar("_Job", bound=Job)


def completed(jobs: Sequence[_Job], n_threads: int) -> Generator[_Job, None, None]:
    """Run the jobs, and yield each as soon as it has run; close the iterator to stop them all.

    No more than two jobs wait while every thread has one, so that memory does not grow with their
    number.
    """
    waiting: SimpleQueue[_Job | None] = SimpleQueue()
    done: SimpleQueue[_Job] = SimpleQueue()
    stop = _Stop()

    def work(_: int) -> None:
        while (job := waiting.get()) is not None:
            if not stop.asked:
                job.run()
            done.put(job)

    with threads.team(min(n_threads, len(jobs), threads.MOST)) as team:
        team.start(work)
        try:
            n_open = 0
            for number, job in enumerate(jobs):
                n_left = n_open + len(jobs) - number
                job.prepare(max(1, n_threads // n_left), [stop])
                if team.size == 0:  # no thread can be started
                    job.run()
                    yield job
                    continue
                waiting.put(job)
                n_open += 1
                while n_open > team.size + 1 or (n_open and not done.empty()):
                    yield done.get()
                    n_open -= 1
            for _ in range(n_open):
                yield done.get()
        finally:
            stop.asked = True
            for _ in range(team.size):
                waiting.put(None)


def can_pack(estimator: Any) -> bool:
    """Tell whether an estimator's training may run in a thread of its own.

    What calls the user's functions, prints, or limits the threads of other libraries may not.
    """
    return (
        isinstance(estimator, BaseMLP)
        and type(estimator).fit is BaseMLP.fit
        and estimator.solver != "lbfgs"
        and not estimator.callbacks
        and not estimator.verbose
        and (estimator.scoring is None or isinstance(estimator.scoring, str))
    )


def n_threads_of(n_jobs: int | None) -> int:
    """Return the number of trainings at a time for an argument ``n_jobs``.

    None and -1 mean as many as the process may use threads, -2 one fewer, and so on.
    """
    if n_jobs is None or n_jobs < 0:
        return max(1, threads.available() + 1 + (-1 if n_jobs is None else n_jobs))
    return max(1, n_jobs)


class _Stop:
    """Ends trainings after their current epoch, once asked to."""

    asked = False

    def on_epoch_end(self, epoch: int, record: Any, model: Any) -> str | None:
        return INTERRUPTED if self.asked else None
