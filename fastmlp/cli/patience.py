"""Handling Ctrl-C from the first training step until the results are written."""

import sys
from typing import Any

from fastmlp.callbacks import Callback, TrainingInfo
from fastmlp.cli import signals
from fastmlp.engine.interrupt import Interrupt

__all__ = ["Patience"]


class Patience(Callback):
    """Lets one Ctrl-C end training; later ones do not interrupt writing the results.

    Parameters
    ----------
    nothing_to_keep : bool
        Whether to stop training if nobody reads the output any more.

    """

    def __init__(self, *, nothing_to_keep: bool):
        self.nothing_to_keep = nothing_to_keep
        self._interrupt: Interrupt | None = None

    @property
    def pending(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupt is not None and self._interrupt.pending

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start to hold back Ctrl-C."""
        self.hold()

    def hold(self) -> None:
        """Let one Ctrl-C end training from now on."""
        signals.raise_one_interrupt()
        self._interrupt = Interrupt()
        self._interrupt.__enter__()

    def on_epoch_end(self, epoch: int, record: Any, model: Any) -> str | None:
        """Stop if the output is the only result and nobody reads it."""
        unheard = self.nothing_to_keep and getattr(sys.stdout, "reader_left", False)
        return "nobody reads the output" if unheard else None

    def __enter__(self) -> "Patience":
        """Return itself; it takes effect when training begins."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Restore the handling of Ctrl-C."""
        if self._interrupt is not None:
            self._interrupt.__exit__(*error)
