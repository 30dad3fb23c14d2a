"""The progress line of a long run."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Progress", "status"]


class Progress:
    """Shows the current job and the time left, on one line of a terminal.

    Parameters
    ----------
    n_jobs : int
        Number of jobs.
    update : callable
        Called with the text to show.

    """

    def __init__(self, n_jobs: int, update: Callable[[str], None]):
        self.n_jobs, self.n_done = n_jobs, 0
        self.update = update
        self.start = time.monotonic()

    def advance(self) -> None:
        """Count one job as done."""
        self.n_done += 1

    def say(self, text: str) -> None:
        """Show the current job."""
        left = ""
        if self.n_done:
            seconds = (time.monotonic() - self.start) / self.n_done * (self.n_jobs - self.n_done)
            left = (
                f", about {seconds / 60:.0f} min left" if seconds > 90 else ", about a minute left"
            )
        self.update(f"{self.n_done} of {self.n_jobs} done{left}: {text}")


@contextmanager
def status(n_jobs: int) -> Iterator[Progress]:
    """Show progress on standard error if that is a terminal."""
    from rich.console import Console

    if not sys.stderr.isatty():
        yield Progress(n_jobs, lambda text: None)
        return
    with Console(stderr=True).status("starting") as spinner:
        yield Progress(n_jobs, spinner.update)
