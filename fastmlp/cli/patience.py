"""Ctrl-C from the first step of a training until its results are written."""

import sys
from typing import Any

from fastmlp.callbacks import Callback, TrainingInfo
from fastmlp.cli import signals
from fastmlp.engine.interrupt import Interrupt

__all__ = ["Patience"]


class Patience(Callback):
    """Lets Ctrl-C end the training, and no further one disturb what is done with its outcome.

    Parameters
    ----------
    nothing_to_keep : bool
        Whether training has no purpose any more once nobody reads the output.

    """

    def __init__(self, *, nothing_to_keep: bool):
        self.nothing_to_keep = nothing_to_keep
        self._interrupt: Interrupt | None = None

    @property
    def pending(self) -> bool:
        """Whether Ctrl-C came."""
        return self._interrupt is not None and self._interrupt.pending

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Hold Ctrl-C back from now on."""
        signals.raise_one_interrupt()
        self._interrupt = Interrupt()
        self._interrupt.__enter__()

    def on_epoch_end(self, epoch: int, record: Any, model: Any) -> str | None:
        """Stop when there is nobody left to learn of it."""
        unheard = self.nothing_to_keep and getattr(sys.stdout, "reader_left", False)
        return "nobody reads the output" if unheard else None

    def __enter__(self) -> "Patience":
        """Wait for the training to begin."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Let go of Ctrl-C."""
        if self._interrupt is not None:
            self._interrupt.__exit__(*error)
