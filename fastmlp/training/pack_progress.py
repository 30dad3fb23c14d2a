"""The progress display of a pack: a line for each finished model, and a bar on a terminal."""

import sys

from fastmlp.training.pack_runs import Run
from fastmlp.training.progress import Clock, Display, duration, epoch_line

__all__ = ["PackProgress"]


class PackProgress:
    """Shows how many models are trained, and the time left.

    Parameters
    ----------
    runs : list of Run
    verbose : bool or None
        Whether to show anything; None: only on a terminal.

    """

    def __init__(self, runs: list[Run], verbose: bool | None):
        if verbose is None:
            verbose = sys.stdout is not None and sys.stdout.isatty()
        self._n_models = len(runs)
        self._n_steps = sum(run.n_steps for run in runs)
        self._clock = Clock(self._n_steps)
        self._steps_of_finished = 0
        self._display = Display(sys.stdout if verbose else None, "model", self._n_models)

    def move(self, steps_of_others: int) -> None:
        """Move the bar, given how many steps the models have done that are being trained."""
        done = self._steps_of_finished + steps_of_others
        self._clock.update(done)
        self._display.move(self._n_models * done / self._n_steps, self._state)

    def finish(self, run: Run) -> None:
        """Print the line of a model."""
        self._steps_of_finished += run.n_steps
        history = run.history
        parts = [f"model {run.number + 1}/{self._n_models}"]
        if history.epochs:
            parts.append(epoch_line(history.epochs[-1], run.options.epochs, len(run.rows)))
        if history.stopped:
            parts.append(f"stopped: {history.stopped}")
        self._display.print("  ".join(parts))

    def close(self) -> None:
        """Remove the bar."""
        self._display.close()

    def _state(self) -> str:
        return f"{duration(self._clock.seconds_left)} left"
