"""Signals that end the program early: Ctrl-C, and SIGTERM and SIGHUP, which act like it."""

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

INTERRUPTED = 130  # a shell's exit code for a process ended by Ctrl-C

_ours: list[int] = []  # empty when another program calls the command line


def take_over() -> None:
    """Handle these signals from now on, except those already ignored (nohup) or handled."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) in (
            signal.SIG_DFL,
            signal.default_int_handler,
        ):
            _ours.append(number)
    leave_at_once()


def leave_at_once() -> None:
    """End the program at the next signal: during imports there is nothing to save."""
    _answer(_leave)


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt at every signal."""
    _answer(_raise)


def raise_one_interrupt() -> None:
    """Raise KeyboardInterrupt at the next signal only, and ignore later ones."""
    came = []

    def raise_first(number: int, frame: FrameType | None) -> None:
        if not came:
            came.append(number)
            raise KeyboardInterrupt

    _answer(raise_first)


def ignore_all() -> None:
    """Ignore signals while the program exits."""
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
