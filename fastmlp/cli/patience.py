"""Ctrl-C between the first step of a training and the writing of its results."""

import sys
from typing import Any

from fastmlp.callbacks import Callback, TrainingInfo
from fastmlp.cli import signals
from fastmlp.engine.interrupt import Interrupt

__all__ = ["Patience"]


class Patience(Callback):
    """Lets one Ctrl-C end the training; later ones do not disturb the writing of its results.

    Parameters
    ----------
    nothing_to_keep : bool
        Whether to stop training once nobody reads the output.

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
        """Stop if the output is all there is, and nobody reads it."""
        unheard = self.nothing_to_keep and getattr(sys.stdout, "reader_left", False)
        return "nobody reads the output" if unheard else None

    def __enter__(self) -> "Patience":
        """Wait for the training to begin."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Give Ctrl-C back."""
        if self._interrupt is not None:
            self._interrupt.__exit__(*error)
