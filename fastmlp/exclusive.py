"""A lock on what one call of ``fit`` changes and another must not change meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Exclusive"]


class Exclusive:
    """Lets one thread in at a time, and refuses the others in a sentence.

    Parameters
    ----------
    refusal : str
        The sentence.

    """

    def __init__(self, refusal: str):
        self.refusal = refusal
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raise RuntimeError if another does."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(self.refusal)
        try:
            yield
        finally:
            self._lock.release()
