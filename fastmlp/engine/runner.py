"""What trains an epoch: the interface of the compiled and the layer-by-layer runner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["EpochResult", "Runner"]


@dataclass(frozen=True)
class EpochResult:
    """What a runner reports after an epoch.

    Attributes
    ----------
    losses : numpy.ndarray, float64
        The loss of each step that was made, the diverged one included.
    n_correct : int
        Right answers in those steps.
    diverged_step : int or None
        Index in the epoch of the step whose loss was not finite; training stopped there.
    interrupted : bool
        Whether Ctrl-C was pressed, or another signal's handler raised an error. If that ended the
        epoch early, there are fewer losses than steps.

    """

    losses: np.ndarray
    n_correct: int
    diverged_step: int | None = None
    interrupted: bool = False


class Runner(Protocol):
    """Trains a model on one set of rows, one epoch per call."""

    compile_seconds: float

    def train_epoch(
        self, order: np.ndarray, epoch: int, rates: np.ndarray, poll: Callable[[], None]
    ) -> EpochResult:
        """Make one step for each rate.

        Advances ``optimizer.t`` by the steps made; calls ``poll`` about ten times a second.
        ``order`` holds the rows to visit, int64: a permutation, or any rows, also repeatedly.
        ``rates`` is float64, (n_steps,).
        """
        ...

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return loss, without penalties, and accuracy in inference mode."""
        ...

    def steps_done(self) -> int:
        """Return the steps made since the runner was built. Cheap, and safe from any thread."""
        ...
