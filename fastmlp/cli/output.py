"""Standard output and error streams that do not lose the work when writing fails."""

import contextlib
import os
import sys
import warnings
from collections.abc import Generator
from typing import Any

from fastmlp.common.errors import printable
from fastmlp.common.messages import note

__all__ = ["Output", "open_descriptors", "safe_output", "show_warnings_plainly"]


class Output:
    """A stream wrapper that goes silent once writing fails.

    Parameters
    ----------
    stream : text file
    name : str, optional
        The stream's name in the message about a failure; None for standard error itself.

    Attributes
    ----------
    reader_left : bool
        Whether the reader of a pipe has closed it.
    lost : bool
        Whether it failed in any other way, such as a full disk; a message on standard error gives
        the reason.

    """

    def __init__(self, stream: Any, name: str | None = None):
        self.reader_left: bool = False
        self.lost: bool = False
        self._stream, self._name = stream, name
        if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # for names the terminal cannot show

    def write(self, text: str) -> int:
        """Write, or do nothing once writing has failed."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing once writing has failed."""
        self._try(self._stream.flush)

    def close_lost(self) -> None:
        """Discard unwritten output; otherwise Python would try again when it exits."""
        self.flush()
        if self.reader_left or self.lost:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        """Get everything else from the stream."""
        return getattr(self._stream, name)

    def _try(self, action: Any) -> None:
        if self.reader_left or self.lost:
            return
        try:
            action()
        except BrokenPipeError:
            self.reader_left = True
        except (OSError, ValueError) as error:
            self.lost = True
            reason = getattr(error, "strerror", None) or error
            if self._name is not None:
                note(f"{self._name} cannot be written to: {reason}")


def open_descriptors() -> None:
    """Open the null device for closed standard streams, so no file reuses their descriptors."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


@contextlib.contextmanager
def safe_output() -> Generator[Output]:
    """Wrap standard output and error in an `Output`; yield the one for standard output."""
    streams = sys.stdout, sys.stderr
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed below
    output = Output(streams[0] or nowhere, "standard output")
    errors = Output(streams[1] or nowhere)
    sys.stdout, sys.stderr = output, errors
    try:
        yield output
    finally:
        output.close_lost()
        errors.close_lost()
        sys.stdout, sys.stderr = streams
        nowhere.close()


def show_warnings_plainly() -> None:
    """Show each warning as one line, without its location in the code."""

    def show(message: Any, *_: Any, **__: Any) -> None:
        note(printable(str(message).removeprefix("fastmlp: ")))

    warnings.showwarning = show
