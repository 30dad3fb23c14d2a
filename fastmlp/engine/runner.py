"""What trains an epoch: the interface that the compiled and the layer-by-layer way share."""

import _signal  # `signal` without its enums: with them, an epoch's block takes 40 microseconds
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
        Whether Ctrl-C came, or another signal whose handler raised an error; there are fewer losses
        than steps if it ended the epoch early.

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


_SIGNALS = [  # those that programs are told to stop by, where the system has them
    getattr(signal, name)
    for name in (
        "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK", "SIGALRM", "SIGVTALRM", "SIGUSR1",
        "SIGUSR2",
    )
    if hasattr(signal, name)
]  # fmt: skip


class Interrupt:
    """Holds back what a signal's handler raises until a step is complete.

    Whoever installed a Python handler, Python's own for Ctrl-C included, has it called at once.
    What it raises is kept: training then stops at the end of a step, and an error that is no
    KeyboardInterrupt is raised when the outermost block ends. A second error comes through at once.
    Signals that are ignored, end the process or are handled by something that is not Python are
    left alone.

    One inside another shares what the outer one knows. Look at ``pending`` after the block too.
    """

    _outermost: "Interrupt | None" = None  # it hears of signals, for those inside too

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._came_through = self._ended = False
        self._holder = self
        self._thread = threading.get_ident()
        self._theirs: dict[int, Callable[[int, Any], Any]] = {}
        self._ours = self._call  # one object, to be known again

    @property
    def pending(self) -> bool:
        """Whether a handler raised an error, as Python's own does on Ctrl-C."""
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
        """Take over; nothing is left of it if a signal that is not ours yet interrupts."""
        try:
            for number in _SIGNALS:
                found = _signal.getsignal(number)
                if not callable(found):
                    continue
                owner = getattr(found, "__self__", None)
                if isinstance(owner, Interrupt):  # of a block that nobody leaves any more
                    found = owner._theirs[number]
                self._theirs[number] = found
                _signal.signal(number, self._ours)
            Interrupt._outermost = self
        except BaseException:
            self._put_back()
            raise

    def _put_back(self) -> None:
        """Give all signals back, Ctrl-C last: it is the one that comes."""
        try:
            for number in reversed(self._theirs):
                if _signal.getsignal(number) is self._ours:  # a handler may have installed another
                    _signal.signal(number, self._theirs[number])
        finally:
            self._ended = True
            Interrupt._outermost = None

    def _may_be_around(self, other: "Interrupt") -> bool:
        """Return False for one whose end may never come.

        Its thread may be gone, after a fork in another, or a second error came in ``__exit__``.
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
                error.__traceback__ = None  # it would keep the memory of the run
