"""Showing that kernels are being compiled, which takes about ten seconds, once per machine.

On a terminal a line counts the kernels and then disappears; elsewhere one plain line is printed.
Either appears only after a second, on standard error, and never in a worker process.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import config, event

__all__ = ["Watch", "enabled", "is_disabled", "watch"]

SECONDS_UNSEEN = 1.0
_TEXT = "compiling kernels, once per machine"


def is_disabled() -> bool:
    """Return whether compilation is disabled in numba."""
    return bool(getattr(config, "DISABLE_JIT", 0))


@contextmanager
def enabled() -> Iterator[None]:
    """Let numba compile although ``NUMBA_DISABLE_JIT`` is set, see `jit`."""
    setting = is_disabled()
    config.DISABLE_JIT = 0
    try:
        yield
    finally:
        config.DISABLE_JIT = int(setting)


class Watch(event.Listener):
    """Counts the kernels that numba compiles, and shows the count."""

    def __init__(self) -> None:
        self.n_done = self.n_expected = 0
        self._depth = 0  # compiling a kernel also compiles those it calls
        self._began = self._spent = 0.0
        self._told = False
        self._line = ""  # on the terminal now
        self._functions: set[Callable] = set()

    def add(self, function: Callable) -> None:
        """Watch a function from now on."""
        self._functions.add(function)

    def expect(self, n_kernels: int, is_long: bool = False) -> None:
        """Set the number of kernels to compile next, and whether that takes more than a second."""
        self.n_expected = self.n_done + n_kernels
        if is_long:
            self._spent = max(self._spent, SECONDS_UNSEEN)
            self._show()

    def count(self) -> None:
        """Count a kernel that another process has compiled."""
        self.n_done += 1
        self._show()

    def finish(self) -> None:
        """Expect no more kernels, and remove the line."""
        self.n_expected = self.n_done
        self._put("")

    def on_start(self, event: event.Event) -> None:
        """Note that compiling a kernel has started."""
        if event.data["dispatcher"].py_func not in self._functions:
            return
        if self._depth == 0:
            self._began = time.perf_counter()
        self._depth += 1
        self._show()

    def on_end(self, event: event.Event) -> None:
        """Note that compiling a kernel has finished or failed."""
        if event.data["dispatcher"].py_func not in self._functions:
            return
        self._depth -= 1
        if self._depth == 0:
            self._spent += time.perf_counter() - self._began
            self.n_done += 1
            if self.n_done >= self.n_expected:
                self.finish()
        self._show()

    def _show(self) -> None:
        """Show what is being compiled, if it has taken or will take a second."""
        now = time.perf_counter() - self._began if self._depth else 0.0
        is_busy = self._depth > 0 or self.n_done < self.n_expected
        if not is_busy or self._spent + now < SECONDS_UNSEEN or _is_worker():
            return
        if _can_move():
            of_how_many = f" of {self.n_expected}" if self.n_expected > self.n_done else ""
            self._put(f"{_TEXT}: {self.n_done + 1}{of_how_many}")
        elif not self._told:
            self._told = True
            _write(f"fastmlp: {_TEXT}; this may take ten seconds or more\n")

    def _put(self, line: str) -> None:
        """Put another line in the place of the one that is there."""
        before, self._line = self._line, line
        if line != before:
            _write(f"{_WIPE}{line}")


_WIPE = "\r\x1b[K"
watch = Watch()
event.register("numba:compile", watch)


def _is_worker() -> bool:
    """Return whether this is a worker process, whose parent talks to the user."""
    return multiprocessing.parent_process() is not None


def _can_move() -> bool:
    """Return whether standard error is a terminal without a rich progress bar around it."""
    stream = sys.stderr
    try:
        return stream.isatty() and not type(stream).__module__.startswith("rich.")
    except (AttributeError, ValueError):  # no stream, or closed
        return False


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # closed, full or missing: nobody reads it
        pass
