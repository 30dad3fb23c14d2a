"""Starting, feeding and ending the worker processes of a search."""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from typing import IO, Any

from fastmlp.common.errors import argument
from fastmlp.sweep.ranges import Settings
from fastmlp.sweep.run import Failed, Outcome, Train

__all__ = ["outcomes_of_processes"]

_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from fastmlp.sweep.worker import main; main()"
)
_NO_CTRL_C = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows; see _Worker._serve
_THREADS_OF = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")


def outcomes_of_processes(
    train: Train, todo: Sequence[tuple[int, Settings]], seed: int, n_jobs: int, n_threads: int
) -> Generator[tuple[int, Outcome], None, None]:
    """Yield the outcome of each task with its index, in the order they finish.

    The processes end when the generator is closed, or when this process ends for any reason.
    """
    hello = _pickled(train), seed, n_threads
    tasks: queue.SimpleQueue[tuple[int, Settings]] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
    for task in todo:
        tasks.put(task)
    workers = [_Worker(hello, tasks, outcomes) for _ in range(n_jobs)]
    try:
        for _ in todo:
            yield outcomes.get()
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """Feeds tasks to one process; if it dies, only its current task fails."""

    def __init__(
        self,
        hello: tuple[bytes, int, int],
        tasks: "queue.SimpleQueue[tuple[int, Settings]]",
        outcomes: "queue.SimpleQueue[tuple[int, Outcome]]",
    ):
        self.hello, self.tasks, self.outcomes = hello, tasks, outcomes
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._ended = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # the worker processes inherit this mask: a terminal sends Ctrl-C and the like to all
            # its processes, but only this one should react
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        while not self._ended:
            try:
                index, settings = self.tasks.get_nowait()
            except queue.Empty:
                break
            self.outcomes.put((index, self._outcome(settings)))
        self.end()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        with self._changing:
            self._ended, process = True, self._process
            self._process = None
        if process is not None:
            process.kill()
            _close(process)

    def _outcome(self, settings: Settings) -> Outcome:
        process: subprocess.Popen[bytes] | None = None
        try:
            process = self._at_work()
            _send(process.stdin, settings)
            assert process.stdout is not None, "it is a pipe"
            return pickle.load(process.stdout)
        except Exception as error:  # the pipe broke, or the answer is cut off or unreadable
            return Failed(self._why_lost(process, error))

    def _at_work(self) -> "subprocess.Popen[bytes]":
        with self._changing:
            if self._ended:
                raise EOFError
            if self._process is not None:
                return self._process
            environment = {f"{name}_NUM_THREADS": str(self.hello[2]) for name in _THREADS_OF}
            process = self._process = subprocess.Popen(
                [sys.executable, "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | environment,
                creationflags=_NO_CTRL_C,
            )
        _send(process.stdin, sys.path)
        _send(process.stdin, self.hello)
        return process

    def _why_lost(self, process: "subprocess.Popen[bytes] | None", error: Exception) -> str:
        """Give up on the process and return why it did not answer."""
        with self._changing:
            self._process = None
        if process is None:
            return f"no process could be started: {error}"
        broke = isinstance(error, OSError | EOFError | pickle.UnpicklingError)
        if not broke:
            process.kill()
        _close(process)
        if not broke:
            return f"its model could not be received: {error}"
        code = process.returncode
        if code < 0:
            killed = f"its process was killed by signal {-code}"
            return f"{killed}, perhaps because memory ran out" if code == -9 else killed
        return f"its process ended with exit code {code}"


def _pickled(train: Train) -> bytes:
    """Pickle the function, by value if another process could not import it."""
    dumps: Callable[[Any], bytes]
    try:
        from cloudpickle import dumps  # type: ignore[import-untyped] # it has no types
    except ImportError:
        from pickle import dumps

        if getattr(train, "__module__", None) == "__main__":
            raise ImportError(
                "a function that is not in a module of its own needs cloudpickle to run in other "
                'processes: pip install "fastmlp[sweep]", or give n_jobs=1'
            ) from None
    try:
        return dumps(train)
    except Exception as error:
        raise TypeError(
            f"{train!r} cannot be sent to other processes ({error}): "
            f"give {argument('n_jobs', 1)}, or a function of a module"
        ) from error


def _send(stream: IO[bytes] | None, value: Any) -> None:
    assert stream is not None
    pickle.dump(value, stream)
    stream.flush()


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process that has ended, and close its pipes."""
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except OSError:  # nobody reads the unsent data any more
            pass
    process.wait()
