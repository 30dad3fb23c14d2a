"""How many threads to use, and a team of ordinary threads to run a kernel on."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from queue import SimpleQueue

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.kernels import opcodes as op

__all__ = ["Helper", "Team", "available", "borrow_helpers", "give_back", "team"]

_LOOKS = 5000  # about 200 microseconds


def available() -> int:
    """Return how many threads this process may use.

    The smallest of: the processors in its affinity mask, its cgroup's quota, and the share that
    joblib gives its workers (``LOKY_MAX_CPU_COUNT``, ``OMP_NUM_THREADS``). At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        limits = [len(os.sched_getaffinity(0))]
    else:
        limits = [os.cpu_count() or 1]
    limits.extend(filter(None, (_cgroup_quota(), _environment_limit())))
    return max(1, min(limits))


def _environment_limit() -> int | None:
    """What OMP_NUM_THREADS asks for; joblib sets it in its worker processes."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(value) if value.isdecimal() and int(value) > 0 else None


@cache
def _cgroup_quota() -> int | None:
    """Processors that the control group of this process may use, rounded up."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as stream:
            quota, period = stream.read().split()
        return None if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError):
        pass
    try:
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as stream:
            quota = int(stream.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as stream:
            period = int(stream.read())
        return None if quota <= 0 else -(-quota // period)
    except (OSError, ValueError):
        return None


class Team:
    """Threads that wait for work and run it side by side.

    Parameters
    ----------
    size : int
        How many threads. They are daemons: an interpreter that exits does not wait for them.

    """

    def __init__(self, size: int):
        self.size = size
        self._work: Callable[[int], None] | None = None
        self._on_error: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._finished = [True] * size
        self._wake = [threading.Semaphore(0) for _ in range(size)]
        self._news = threading.Semaphore(0)
        for number in range(size):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()

    def start(
        self, work: Callable[[int], None], on_error: Callable[[], None] | None = None
    ) -> None:
        """Call ``work(i)`` in thread i, for every thread, and return at once.

        A thread whose work raises calls ``on_error()``, which should make the others end too.
        """
        self._work, self._on_error, self._error = work, on_error, None
        self._finished = [False] * self.size
        for wake in self._wake:
            wake.release()

    def wait(self, poll: Callable[[], None] | None = None, interval: float = 0.1) -> None:
        """Return when all threads are done; call ``poll`` every ``interval`` seconds till then.

        May be called again after an exception (Ctrl-C) left it.

        Raises
        ------
        BaseException
            The first error that a thread ended with.

        """
        while not all(self._finished):
            if not self._news.acquire(timeout=interval) and poll is not None:
                poll()
        self._work = self._on_error = None  # and with them what they hold
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _serve(self, number: int) -> None:
        while True:
            self._wake[number].acquire()
            work, on_error = self._work, self._on_error
            try:
                if work is not None:
                    work(number)
            except BaseException as error:
                self._error = self._error or error
                if on_error is not None:
                    on_error()
            finally:
                work = on_error = None
                self._finished[number] = True
                self._news.release()


@contextmanager
def team(size: int) -> Iterator[Team]:
    """Lend a team of that size: an idle one, or a new one. Nobody else has it meanwhile."""
    try:
        mine = _idle.setdefault(size, []).pop()
    except IndexError:
        mine = Team(size)
    try:
        yield mine
    finally:
        mine.wait()
        _idle.setdefault(size, []).append(mine)


class Helper:
    """A thread that takes part in predictions, without ever waiting for the interpreter lock.

    It looks out for an offer for a fifth of a millisecond after the last one, because waking a
    thread takes longer than many a prediction; then it sleeps.

    Parameters
    ----------
    zero : numpy.float32 or numpy.float64
        A 0 of the working dtype of the models it helps with.

    Attributes
    ----------
    location : tuple of int
        Address and length of its mailbox, as a row of a table.

    """

    def __init__(self, zero: np.floating):
        self._mailbox = np.zeros((op.N_MAILBOX_ROWS, 2), np.int64)
        self.location = self._mailbox.ctypes.data, self._mailbox.size
        self._asleep, self._wake = False, SimpleQueue()
        threading.Thread(target=self._serve, args=(zero,), daemon=True).start()

    def offer(self, job: np.ndarray) -> None:
        """Let the thread take part in a job: what its mailbox has to say, as `opcodes` has it."""
        self._mailbox[op.TABLE :] = job
        kernels.inference.make_offer(self._mailbox)
        if self._asleep:
            self._wake.put(None)

    def withdraw(self) -> None:
        """Take the offer back, or wait till the thread is done with it."""
        kernels.inference.withdraw(self._mailbox)

    def _serve(self, zero: np.floating) -> None:
        while True:
            kernels.inference.take_part(self._mailbox, zero, _LOOKS)
            self._asleep = True
            # Either this thread sees the offer, or who makes it sees that this one is asleep:
            # only one of them runs Python at a time.
            while self._mailbox[op.OFFER, 0] == op.NOTHING:
                self._wake.get()
            self._asleep = False


def borrow_helpers(size: int, zero: np.floating) -> list[Helper]:
    """Lend so many helpers, idle ones first; nobody else has them until they are given back."""
    idle = _idle_helpers[zero.dtype.name]
    return [idle.pop() if idle else Helper(zero) for _ in range(size)]


def give_back(helpers: list[Helper], zero: np.floating) -> None:
    """Take helpers back whose offers were withdrawn."""
    _idle_helpers[zero.dtype.name].extend(helpers)


def _forget() -> None:
    """A forked process has none of the threads."""
    _idle.clear()
    _idle_helpers["float32"].clear()
    _idle_helpers["float64"].clear()


_idle: dict[int, list[Team]] = {}
_idle_helpers: dict[str, list[Helper]] = {"float32": [], "float64": []}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
