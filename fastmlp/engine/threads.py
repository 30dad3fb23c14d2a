"""The number of threads to use, and the Python threads that kernels run on."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.common.errors import argument
from fastmlp.engine.control_groups import cpu_quota
from fastmlp.kernels.plan import op

__all__ = [
    "MOST",
    "Helper",
    "Team",
    "available",
    "borrow_helpers",
    "copy_arrays",
    "give_back",
    "team",
]

MOST = max(16, os.cpu_count() or 1)
"""The most threads one call may use; more threads than processors only wait for each other."""

_LOOKS = 5000  # about 200 microseconds
_MANY_BYTES = 1 << 22  # copying fewer takes less than a millisecond
_IDLE_SECONDS = 3.0  # after that, a thread without work ends


def available() -> int:
    """Return how many threads this process may use.

    This is the smallest of the number of processors in its affinity mask, the quotas of its control
    group and the parent groups, and ``OMP_NUM_THREADS``, which joblib sets for its workers. At
    least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        limits = [len(os.sched_getaffinity(0))]
    else:
        limits = [os.cpu_count() or 1]
    limits.extend(filter(None, (cpu_quota(), _environment_limit())))
    return max(1, min(limits))


kernels.machine.processors.set_count(available)


def _environment_limit() -> int | None:
    """Return the value of OMP_NUM_THREADS, None if it is not a positive integer."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(value) if value.isdecimal() and int(value) > 0 else None


@dataclass
class _Task:
    """A call for a thread to run."""

    work: Callable[[int], None] | None
    number: int
    team: "Team"
    done: bool = False


class _Worker:
    """A thread that runs calls, and ends when it has been idle for a while."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        # a daemon, so that the interpreter can exit without waiting for it
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                task = self.tasks.get(timeout=_IDLE_SECONDS)
            except Empty:
                if _leaves(_idle_workers, self):
                    return
                continue
            task.team._make(task)
            del task  # it keeps the call's objects alive


class Team:
    """Threads that run the same work in parallel.

    Parameters
    ----------
    workers : sequence
        Threads lent by `team`.

    """

    def __init__(self, workers: list[_Worker]):
        self.size = len(workers)
        self._workers = workers
        self._tasks: list[_Task] = []
        self._on_error: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._news: SimpleQueue[None] = SimpleQueue()

    def start(
        self, work: Callable[[int], None], on_error: Callable[[], None] | None = None
    ) -> None:
        """Call ``work(i)`` in every thread i and return at once.

        If the work raises, the thread calls ``on_error()``, which should make the others stop too.
        """
        self._on_error, self._error, self._tasks = on_error, None, []
        for number, worker in enumerate(self._workers):
            task = _Task(work, number, self)
            worker.tasks.put(task)
            self._tasks.append(task)

    def wait(self, poll: Callable[[], None] | None = None, interval: float = 0.1) -> None:
        """Wait until all threads are done; meanwhile, call ``poll`` every ``interval`` seconds.

        May be called again if an exception such as Ctrl-C interrupts it.

        Raises
        ------
        BaseException
            The first error that ended a thread.

        """
        while not self._is_done():
            try:
                self._news.get(timeout=interval)
            except Empty:
                if poll is not None:
                    poll()
        self._on_error = None  # it keeps the caller's objects alive
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def wait_whatever_comes(self) -> None:
        """Wait even through Ctrl-C: memory must outlive the threads that use it."""
        came = None
        while True:
            try:
                self.wait()
                break
            except BaseException as error:
                came = error
                if self._is_done():
                    break
        if came is not None:
            raise came

    def _is_done(self) -> bool:
        return all(task.done for task in self._tasks)

    def _make(self, task: _Task) -> None:
        """Run a task's call; this runs in the worker's thread."""
        try:
            assert task.work is not None, "a task is done once"
            task.work(task.number)
        except BaseException as error:
            self._error = self._error or error
            if self._on_error is not None:
                self._on_error()
        finally:
            task.work = None
            task.done = True
            self._news.put(None)


@contextmanager
def team(size: int) -> Iterator[Team]:
    """Lend a team of that size, or a smaller or even empty one if threads cannot be started.

    Its threads are not shared with other callers in the meantime.
    """
    workers = _take(size, _idle_workers, _Worker)
    mine = Team(workers)
    try:
        yield mine
    finally:
        mine.wait_whatever_comes()
        _idle_workers.extend(workers)


def copy_arrays(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Copy the first array of each pair to the second, by several threads if they are large."""
    pairs = [(np.atleast_1d(source), np.atleast_1d(target)) for source, target in pairs]
    is_much = sum(source.nbytes for source, _ in pairs) >= _MANY_BYTES
    with team(available() - 1 if is_much else 0) as helpers:

        def copy_share(number: int) -> None:
            for source, target in pairs:
                first, last = (len(source) * n // (helpers.size + 1) for n in (number, number + 1))
                target[first:last] = source[first:last]

        helpers.start(copy_share)
        copy_share(helpers.size)
        helpers.wait()


class Helper:
    """A thread that helps with predictions without waiting for the interpreter lock.

    After each job it spins for a fifth of a millisecond, watching for the next offer, because
    waking a thread takes longer than many predictions. Then it sleeps, and eventually it ends.

    Parameters
    ----------
    zero : numpy.float32 or numpy.float64
        A zero in the dtype of the models that it runs.

    Attributes
    ----------
    location : tuple of int
        Address and length of its mailbox, in the form of a table row.

    """

    def __init__(self, zero: np.floating):
        self._mailbox = np.zeros((op.N_MAILBOX_ROWS, 2), np.int64)
        self.location = self._mailbox.ctypes.data, self._mailbox.size
        self._asleep, self._wake = False, SimpleQueue()
        threading.Thread(target=self._serve, args=(zero,), daemon=True).start()

    def offer(self, job: np.ndarray) -> None:
        """Offer the thread a job by writing it to the mailbox; `op` describes the format."""
        self._mailbox[op.TABLE :] = job
        kernels.engine.inference.make_offer(self._mailbox)
        if self._asleep:
            self._wake.put(None)

    def withdraw(self) -> None:
        """Withdraw the offer, or wait until the thread is done with it."""
        kernels.engine.inference.withdraw(self._mailbox)

    def _serve(self, zero: np.floating) -> None:
        while True:
            kernels.engine.inference.take_part(self._mailbox, zero, _LOOKS)
            self._asleep = True
            # Only one thread runs Python at a time, so either this thread sees the offer, or the
            # thread that makes the offer sees that this one is asleep.
            while self._mailbox[op.OFFER, 0] == op.NOTHING:
                try:
                    self._wake.get(timeout=_IDLE_SECONDS)
                except Empty:
                    if _leaves(_idle(zero), self):
                        return
            self._asleep = False


def borrow_helpers(size: int, zero: np.floating) -> list[Helper]:
    """Lend that many helpers, idle ones first, or fewer if no more threads can be started.

    They are not shared with other callers until they are given back.
    """
    return _take(size, _idle(zero), lambda: Helper(zero))


def give_back(helpers: list[Helper], zero: np.floating) -> None:
    """Take back helpers whose offers have been withdrawn."""
    _idle(zero).extend(helpers)


def _take(size: int, idle: list[Any], new: Callable[[], Any]) -> list[Any]:
    """Return threads that no other caller has: idle ones first, then new ones if they start."""
    taken: list[Any] = []
    while len(taken) < size:
        try:
            taken.append(idle.pop())
        except IndexError:
            try:
                taken.append(new())
            except RuntimeError:  # "can't start new thread"
                _tell_of_too_few()
                break
    return taken


def _idle(zero: np.floating) -> list["Helper"]:
    """Return the idle helpers for a dtype."""
    return _idle_helpers[type(zero).__name__]  # numpy takes 1.5 us to make up the dtype's name


def _leaves(idle: list[Any], who: Any) -> bool:
    """Remove a thread from the idle list; return False if it has just been borrowed."""
    try:
        idle.remove(who)
    except ValueError:
        return False
    return True


def _tell_of_too_few() -> None:
    global _told
    if not _told:
        _told = True
        warnings.warn(
            "fastmlp: no new thread can be started here, so fewer are used: raise the limit of "
            "processes (ulimit -u, or pids.max of the control group), or set "
            f"{argument('n_threads')}",
            RuntimeWarning,
            stacklevel=3,
        )


def _forget() -> None:
    """Forget all threads; a forked process does not inherit them."""
    _idle_workers.clear()
    for idle in _idle_helpers.values():
        idle.clear()


_told = False
# Every change to these lists is a single step of the interpreter, so no lock is needed.
_idle_workers: list[_Worker] = []
_idle_helpers: dict[str, list[Helper]] = {"float32": [], "float64": []}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
