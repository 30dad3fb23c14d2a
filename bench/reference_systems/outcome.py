"""One published result next to fastmlp's, with the time that training takes."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.reference_systems.plain_numpy import Net, seconds_of_steps, sgd

__all__ = ["Outcome", "header", "numpy_seconds", "quiet", "timed"]


@dataclass(frozen=True)
class Outcome:
    """A row of the table.

    Attributes
    ----------
    system, what : str
    theirs, ours : str
        The published result, and fastmlp's.
    reached : bool
        Whether fastmlp's is at least as good.
    seconds : float or None
        Training time of fastmlp.
    numpy : float or None
        Time of the same steps in plain numpy, in seconds.

    """

    system: str
    what: str
    theirs: str
    ours: str
    reached: bool
    seconds: float | None = None
    numpy: float | None = None

    def row(self) -> str:
        """Return the row as Markdown."""
        times = [self.numpy, self.seconds, None]
        if self.numpy and self.seconds:
            times[2] = self.numpy / self.seconds
        numpy, ours, ratio = ("" if t is None else _digits(t) for t in times)
        mark = "" if self.reached else " (not reached)"
        return (
            f"| {self.system} | {self.what} | {self.theirs} | {self.ours}{mark} | {numpy} "
            f"| {ours} | {ratio} |"
        )


def header() -> str:
    """Return the table's header."""
    names = "system", "what", "published", "fastmlp", "numpy, s", "fastmlp, s", "times faster"
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress what training prints to standard output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of ``run``, and the seconds that it took."""
    started = time.perf_counter()
    return run(), time.perf_counter() - started


def numpy_seconds(
    params: dict[str, np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    n_steps: int,
    batch_size: int,
    reg: float = 0.0,
    update: Callable[..., np.ndarray] = sgd,
    evaluated: Sequence[np.ndarray] = (),
    measured: int = 60,
) -> float:
    """Return the time of a training in plain numpy, in seconds.

    Parameters
    ----------
    params : dict
        W1, b1, ... of the net; copied.
    X, y : array
        The training rows.
    n_steps, batch_size : int
        Those of the whole training.
    reg, update
        As in `plain_numpy`.
    evaluated : sequence of arrays
        Rows on which training computes accuracies.
    measured : int
        Number of steps that are timed, after a few warm-up steps; the time is scaled up from them.

    """
    net = Net({name: value.copy() for name, value in params.items()}, reg)
    measured = min(measured, n_steps)
    batches = [np.random.choice(len(X), batch_size) for _ in range(measured + 5)]
    seconds_of_steps(net, X, y, batches[:5], update, 1e-6)
    seconds = seconds_of_steps(net, X, y, batches[5:], update, 1e-6) / measured * n_steps
    for rows in evaluated:
        part = rows[:4000]
        seconds += timed(lambda part=part: net.loss(part))[1] * len(rows) / len(part)
    return seconds


def _digits(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
