"""What trains an epoch: the interface that the compiled and the layer-by-layer way share."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["EpochResult", "Interrupt", "Runner"]


@dataclass(frozen=True)
class EpochResult:
    """What a runner says after an epoch.

    Attributes
    ----------
    losses : numpy.ndarray, float64
        The loss of each step that was made, the diverged one included.
    n_correct : int
        Right answers in those steps.
    diverged_step : int or None
        Index in the epoch of the step whose loss was not finite; training stopped there.
    interrupted : bool
        Whether Ctrl-C came; there are fewer losses than steps if it ended the epoch early.

    """

    losses: np.ndarray
    n_correct: int
    diverged_step: int | None = None
    interrupted: bool = False


class Runner(Protocol):
    """Trains a model on one set of rows, an epoch at a call."""

    compile_seconds: float

    def train_epoch(
        self, order: np.ndarray, epoch: int, rates: np.ndarray, poll: Callable[[], None]
    ) -> EpochResult:
        """Make one step for each rate.

        Advances ``optimizer.t`` by the steps made; calls ``poll`` about ten times a second.
        ``order`` is int64, the rows to visit: an epoch's permutation, or any rows, also repeatedly;
        ``rates`` float64 (n_steps,).
        """
        ...

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return loss, without penalties, and accuracy in inference mode."""
        ...

    def steps_done(self) -> int:
        """Return the steps made since the runner was built; cheap, from any thread."""
        ...


class Interrupt:
    """Holds the first Ctrl-C back until a step is complete; a second one comes through.

    One inside another shares what the outer one knows. Look at ``pending`` after the block too.
    """

    _outermost: "Interrupt | None" = None  # it hears of Ctrl-C, for those inside too

    def __init__(self) -> None:
        self._came = self._came_through = False
        self._holder = self
        self._thread = threading.get_ident()
        self._previous: Any = None

    @property
    def pending(self) -> bool:
        """Whether Ctrl-C came."""
        return self._holder._came

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            outer = Interrupt._outermost
            if outer is not None and outer._may_be_around(self):
                self._holder = outer
            else:
                self._previous = signal.signal(signal.SIGINT, self._note)
                Interrupt._outermost = self
        return self

    def __exit__(self, *_: object) -> None:
        if Interrupt._outermost is self:
            Interrupt._outermost = None
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _may_be_around(self, other: "Interrupt") -> bool:
        """Return False for one whose end may never come.

        Its thread may be gone, after a fork in another, or a second Ctrl-C came in ``__exit__``.
        """
        return self._thread == other._thread and not self._came_through

    def _note(self, signum: int, frame: Any) -> None:
        if self._came:
            self._came_through = True
            raise KeyboardInterrupt
        self._came = True
