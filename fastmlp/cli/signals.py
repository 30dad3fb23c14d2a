"""What ends the program before its time: Ctrl-C, and like it SIGTERM and SIGHUP."""

import contextlib
import os
import signal
from types import FrameType
from typing import Any

__all__ = [
    "INTERRUPTED",
    "ignore_all",
    "leave_at_once",
    "raise_interrupts",
    "raise_one_interrupt",
    "take_over",
]

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended

_ours: list[int] = []  # none where the command line is called by another program


def take_over() -> None:
    """Answer these signals from now on, but those that are ignored (nohup) or another's."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) in (
            signal.SIG_DFL,
            signal.default_int_handler,
        ):
            _ours.append(number)
    leave_at_once()


def leave_at_once() -> None:
    """End the program at the next signal: while modules are imported there is nothing to keep."""
    _answer(_leave)


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt at every signal."""
    _answer(_raise)


def raise_one_interrupt() -> None:
    """Raise KeyboardInterrupt at the next signal alone: those after it say nothing new."""
    came = []

    def raise_first(number: int, frame: FrameType | None) -> None:
        if not came:
            came.append(number)
            raise KeyboardInterrupt

    _answer(raise_first)


def ignore_all() -> None:
    """Let nothing disturb the end of the program."""
    _answer(signal.SIG_IGN)


def _answer(handler: Any) -> None:
    for number in _ours:
        signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    ignore_all()
    with contextlib.suppress(OSError):
        os.write(2, b"fastmlp: interrupted\n")
    os._exit(INTERRUPTED)
