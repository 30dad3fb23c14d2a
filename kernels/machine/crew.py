"""Compiling several kernels at the same time, in processes that fill the same cache.

The processes are programs of their own that import only kernels, so a script needs no guard around
its main part, and threads, daemons and other workers may start them too. They end with the process
that started them. Whatever goes wrong in them costs only time: a kernel that is missing in the end
is compiled when it is needed, as if there were no processes.
"""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import cache as files
from . import compiling, isa, jit, processors

__all__ = ["Task", "compile_all", "compile_missing"]

MOST_PROCESSES = 8
WORTH_A_PROCESS = 16_000  # bytes of bytecode, which take about two seconds to compile

_START = (
    "import pickle, sys; hello = pickle.load(sys.stdin.buffer); sys.path[:] = hello['path']; "
    "from fastmlp.kernels.plan.worker import main; main(**hello)"
)


class Task(NamedTuple):
    """A kernel to compile: where `plan.calls` lists it, its code in a family, and the dtype."""

    place: int
    code: int
    dtype: str
    kernel: Any
    signature: tuple[Any, ...]


def compile_missing(tasks: Sequence[Task]) -> None:
    """Compile the kernels that are not in the cache side by side, if that is worthwhile.

    Otherwise this does nothing: whoever needs a kernel compiles it.
    """
    missing = [task for task in tasks if not task.kernel.is_kept(task.signature)]
    compiling.watch.expect(len(missing))
    if not _is_worthwhile(missing):
        return
    with _one_at_a_time:
        missing = [task for task in missing if not task.kernel.is_kept(task.signature)]
        if _is_worthwhile(missing):
            compile_all(missing, isa.current().name, jit.cache_folder().parent)


def compile_all(tasks: Sequence[Task], level: str, root: Path | None) -> int:
    """Compile kernels for a level into the cache below ``root``; return how many could not be.

    This process does its share of those for its own level and cache. Without a ``root`` there is no
    cache, and it does everything.
    """
    compiling.watch.expect(len(tasks), is_long=True)
    left = deque(sorted(tasks, key=lambda task: -task.kernel.size))
    own = jit.cache_folder()
    helps = root is None or (own is not None and own == root / jit.folder_name(level))
    n_others = 0 if root is None else min(processors.count(), MOST_PROCESSES, len(left)) - helps
    hello = pickle.dumps({"path": sys.path, "level": level, "root": str(root)})
    others = [_Other(hello, left) for _ in range(n_others)]
    try:
        while helps:
            try:
                task = left.popleft()
            except IndexError:
                break
            task.kernel.compile(task.signature)
        for other in others:
            other.wait()
    finally:
        for other in others:
            other.end()
        compiling.watch.finish()
    return len(left) + sum(other.n_failed for other in others)


class _Other:
    """Hands tasks to one process, one after the other, as long as it answers."""

    def __init__(self, hello: bytes, left: deque[Task]):
        self.n_failed = 0
        self._left = left
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = _start()
        except OSError:  # too many processes, or no memory
            return
        self._thread = threading.Thread(target=self._serve, args=(hello,), daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # too many threads
            self._end_process()

    def _serve(self, hello: bytes) -> None:
        assert self._process is not None
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            requests.write(hello)
            while True:
                task = self._left.popleft()
                self.n_failed += 1
                requests.write(json.dumps(task[:3]).encode() + b"\n")
                requests.flush()
                answer = answers.readline()
                if answer == b"done\n":
                    self.n_failed -= 1
                    compiling.watch.count()
                elif not answer:
                    return
        except (OSError, IndexError):  # it ended, or there is nothing left
            pass

    def wait(self) -> None:
        if self._process is not None:
            self._thread.join()

    def end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._thread.join()
        self._end_process()

    def _end_process(self) -> None:
        assert self._process is not None
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # nobody read what was left in it
                stream.close()  # type: ignore[union-attr] - both are pipes
        self._process.wait()
        self._process = None


def _start() -> "subprocess.Popen[bytes]":
    """Start a process that waits for tasks, and that Ctrl-C does not reach."""
    python = _python()
    if python is None:
        raise FileNotFoundError("there is no Python to start")
    if os.name == "nt":
        no_window, own_group = 0x08000000, 0x00000200
        options: dict[str, Any] = {"creationflags": no_window | own_group}
    else:
        options = {"start_new_session": True}
    write_no_bytecode = ["-B"] * sys.dont_write_bytecode
    return subprocess.Popen(
        [python, "-P", *write_no_bytecode, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        **options,
    )


def _python() -> str | None:
    """Return the path of this Python, None inside another program, such as a frozen one."""
    name = Path(sys.executable or "").name.lower()
    is_python = name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)
    return sys.executable if is_python else None


def _is_worthwhile(missing: Sequence[Task]) -> bool:
    """Return whether processes would save time, and what they compile can be kept."""
    if len(missing) < 2 or processors.count() < 2 or _python() is None:
        return False
    if sum(task.kernel.size for task in missing) < WORTH_A_PROCESS:
        return False
    folder = jit.cache_folder()
    return folder is not None and files.is_writable(folder)


def _forget() -> None:
    """Let a forked process begin anew: the thread that holds the lock is not in it."""
    global _one_at_a_time
    _one_at_a_time = threading.Lock()


_one_at_a_time = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
