"""What ends the program before its time: Ctrl-C, and like it SIGTERM and SIGHUP."""

import os
import signal
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "ignore_all", "leave_at_once", "raise_interrupts", "take_over"]

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
    _answer(_leave, _leave)


def raise_interrupts() -> None:
    """Raise KeyboardInterrupt at the next signal, or do what a block around the work does."""
    _answer(signal.default_int_handler, _as_ctrl_c)


def ignore_all() -> None:
    """Let nothing disturb the end of the program."""
    _answer(signal.SIG_IGN, signal.SIG_IGN)


def _answer(ctrl_c: Any, others: Any) -> None:
    for number in _ours:
        signal.signal(number, ctrl_c if number == signal.SIGINT else others)


def _leave(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"fastmlp: interrupted\n")
    finally:
        os._exit(INTERRUPTED)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # Ctrl-C is ignored; this one is not
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
