"""The interface for training an epoch, shared by the compiled and the layer-by-layer runner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["EpochResult", "Runner", "joined"]


@dataclass(frozen=True)
class EpochResult:
    """What a runner reports after an epoch.

    Attributes
    ----------
    losses : numpy.ndarray, float64
        The loss of each step with its penalty, including a step that diverged.
    penalties : numpy.ndarray, float64
        The penalty that is part of each loss.
    masses : numpy.ndarray, float64
        The total weight of each step's rows: their number, if rows have no weights.
    n_correct : int
        The number of correct answers in those steps.
    diverged_step : int or None
        The index within the epoch of the step whose loss was not finite; training stopped there.
    interrupted : bool
        Whether Ctrl-C was pressed, or another signal handler raised an exception. If that ended
        the epoch early, there are fewer losses than steps.

    """

    losses: np.ndarray
    penalties: np.ndarray
    masses: np.ndarray
    n_correct: int
    diverged_step: int | None = None
    interrupted: bool = False

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what there is for each step, by name."""
        return {name: each for name, each in vars(self).items() if isinstance(each, np.ndarray)}


def joined(parts: Sequence[EpochResult]) -> EpochResult:
    """Return the result of an epoch that was trained in parts, at least one."""
    together = {
        name: np.concatenate([part.arrays()[name] for part in parts]) for name in parts[0].arrays()
    }
    last = parts[-1]
    diverged = last.diverged_step
    if diverged is not None:
        diverged += sum(len(part.losses) for part in parts[:-1])
    n_correct = sum(part.n_correct for part in parts)
    return EpochResult(
        **together, n_correct=n_correct, diverged_step=diverged, interrupted=last.interrupted
    )


class Runner(Protocol):
    """Trains a model on one set of rows, one epoch per call."""

    compile_seconds: float

    def train_epoch(
        self,
        order: np.ndarray,
        epoch: int,
        rates: np.ndarray,
        poll: Callable[[], None],
        fades: np.ndarray | None = None,
    ) -> EpochResult:
        """Run one step per rate.

        Advances ``optimizer.t`` by the number of steps, and calls ``poll`` about ten times a
        second. ``order`` holds the int64 row indices to visit: a permutation, or any rows, with or
        without repeats. ``rates`` is float64, (n_steps,), and so is ``fades``, by which weight
        decay and the probabilities of dropout are multiplied.
        """
        ...

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return the loss without penalties and the accuracy, in inference mode."""
        ...

    def leave_room(self, leaves: bool, /) -> int:
        """Leave a processor to another thread, or use all again; return the threads used.

        The bits do not change.
        """
        ...

    def steps_done(self) -> int:
        """Return the steps done since the runner was built. Cheap, and safe from any thread."""
        ...
