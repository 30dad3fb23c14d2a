"""The record of a training run."""

from typing import Any

import numpy as np

from fastmlp.common.errors import counted, unknown

__all__ = ["History"]

COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "seconds",
    "learning_rate",
)


class History:
    """Losses, accuracies and times of one call of ``fit``.

    Read a column by name, ``history["val_loss"]`` or ``history.val_loss``: a list with one value
    per epoch.

    Attributes
    ----------
    epochs : list of dict
        A record for each epoch: ``epoch`` (from 0), ``loss`` (mean over the epoch's rows, measured
        during training, penalties included), ``accuracy``, ``val_loss``, ``val_accuracy`` (None if
        not available), ``seconds`` (training only) and ``learning_rate`` (at the last step).
    compile_seconds : float
        Time spent compiling before the first step.
    stopped : str or None
        Why training ended early: ``"early stopping"``, ``"diverged at step n"``,
        ``"interrupted"``, ``"time limit"``, or a callback's reason.
    best_epoch : int or None
        The epoch with the best monitored value; None if nothing was monitored.

    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []
        self.compile_seconds: float = 0.0
        self.stopped: str | None = None
        self.best_epoch: int | None = None
        self._steps: list[np.ndarray] = []

    @property
    def steps(self) -> np.ndarray:
        """The loss of every step, penalties included: float64, shape (n_steps,)."""
        return np.concatenate(self._steps) if self._steps else np.empty(0)

    def add_steps(self, losses: np.ndarray) -> None:
        """Append the losses of some steps."""
        self._steps.append(np.array(losses, dtype=np.float64))

    def __getitem__(self, column: str) -> list[Any]:
        """Return a column of the epochs."""
        known = {name for record in self.epochs for name in record} or set(COLUMNS)
        if column not in known:
            raise KeyError(str(unknown("column", column, known)))
        return [record.get(column) for record in self.epochs]

    def __getattr__(self, name: str) -> list[Any]:
        """Return a column of the epochs if no attribute has that name."""
        if name.startswith("_") or name == "epochs":
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"a history has no attribute or column {name!r}") from None

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self.epochs)

    def __repr__(self) -> str:
        """Show the number of epochs and the last values."""
        last = self.epochs[-1] if self.epochs else {}
        values = ", ".join(
            f"{name}={last[name]:.4g}"
            for name in ("loss", "accuracy", "val_loss", "val_accuracy")
            if last.get(name) is not None
        )
        stopped = f", stopped={self.stopped!r}" if self.stopped else ""
        return f"History({counted(len(self), 'epoch')}{', ' if values else ''}{values}{stopped})"
