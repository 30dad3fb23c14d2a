"""A lock on an object that only one call of ``fit`` at a time may change."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Exclusive"]


class Exclusive:
    """A lock that one thread can hold at a time; others are refused instead of waiting.

    Parameters
    ----------
    refusal : str
        Message of the error that the others get.

    """

    def __init__(self, refusal: str):
        self.refusal = refusal
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold the lock; raise RuntimeError if it is already held."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(self.refusal)
        try:
            yield
        finally:
            self._lock.release()
