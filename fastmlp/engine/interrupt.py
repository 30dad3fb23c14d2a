"""Ctrl-C and other signals: exceptions from signal handlers wait until a step is complete."""

import _signal  # `signal` without its enums, which would add 40 microseconds to each epoch's block
import signal
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Interrupt"]

_SIGNALS = [  # signals that ask a program to stop, if the system has them
    getattr(signal, name)
    for name in (
        "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK", "SIGALRM", "SIGVTALRM", "SIGUSR1",
        "SIGUSR2",
    )
    if hasattr(signal, name)
]  # fmt: skip


class Interrupt:
    """Holds back exceptions from signal handlers until a step is complete.

    Python handlers, including Python's own for Ctrl-C, still run at once, but their exceptions are
    held back. Training then stops at the end of a step, and an exception other than
    KeyboardInterrupt is raised when the outermost block ends. A second exception is raised at once.
    Signals that are ignored, end the process or have no Python handler are left alone.

    Nested blocks share the state of the outermost one. Check ``pending`` after the block too.
    """

    _outermost: "Interrupt | None" = None  # receives the signals, also for blocks inside it

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._came_through = self._ended = False
        self._holder = self
        self._thread = threading.get_ident()
        self._theirs: dict[int, Callable[[int, Any], Any]] = {}
        self._ours = self._call  # one object, so that it can be recognised

    @property
    def pending(self) -> bool:
        """Whether a handler raised an exception, as Python's own does on Ctrl-C."""
        return self._holder._error is not None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            outer = Interrupt._outermost
            if outer is not None and outer._may_be_around(self):
                self._holder = outer
            else:
                self._install()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if Interrupt._outermost is not self:
            return
        self._put_back()
        if self._error is None or isinstance(self._error, KeyboardInterrupt):
            return
        if kind is None or issubclass(kind, KeyboardInterrupt):
            raise self._error

    def _install(self) -> None:
        """Take over the signals; undo everything if a signal not yet taken over interrupts."""
        try:
            for number in _SIGNALS:
                found = _signal.getsignal(number)
                if not callable(found):
                    continue
                owner = getattr(found, "__self__", None)
                if isinstance(owner, Interrupt):  # a block that was never exited
                    found = owner._theirs[number]
                self._theirs[number] = found
                _signal.signal(number, self._ours)
            Interrupt._outermost = self
        except BaseException:
            self._put_back()
            raise

    def _put_back(self) -> None:
        """Restore all handlers, Ctrl-C last, since it is the most likely signal."""
        try:
            for number in reversed(self._theirs):
                if _signal.getsignal(number) is self._ours:  # a handler may have installed another
                    _signal.signal(number, self._theirs[number])
        finally:
            self._ended = True
            Interrupt._outermost = None

    def _may_be_around(self, other: "Interrupt") -> bool:
        """Return False if this block may never end.

        A fork in another thread may have lost its thread, or a second exception may have been
        raised in ``__exit__``.
        """
        return self._thread == other._thread and not self._came_through

    def _call(self, number: int, frame: Any) -> None:
        try:
            self._theirs[number](number, frame)
        except BaseException as error:
            if self._error is not None or self._ended:
                self._came_through = True
                raise
            self._error = error
            if isinstance(error, KeyboardInterrupt):
                error.__traceback__ = None  # it would keep the run's memory alive
