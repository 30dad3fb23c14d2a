"""Following a run with a `Checkpoint`: resuming it, and writing its state from time to time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastmlp.common.rows import Rows
from fastmlp.engine.runner import EpochResult
from fastmlp.training import run_file
from fastmlp.training.checkpoint import Checkpoint
from fastmlp.training.halt import HaltedRun
from fastmlp.training.loop import Loop
from fastmlp.training.options import FitOptions
from fastmlp.training.parts import InParts
from fastmlp.training.reasons import INTERRUPTED, TIME_LIMIT
from fastmlp.training.stopping import Monitor

__all__ = ["follow"]


def follow(
    checkpoint: Checkpoint,
    loop: Loop,
    epochs: Any,
    options: FitOptions,
    rows: Any,
    validation: Rows | None,
) -> None:
    """Resume the run if that is wanted and possible, and let the checkpoint see it from now on.

    Parameters
    ----------
    checkpoint : Checkpoint
    loop : Loop
        It has not begun.
    epochs : object
        The epochs that the loop will make; their runner is replaced.
    options : FitOptions
    rows, validation
        What is trained and validated on.

    """
    optimizer = options.optimizer
    rule = loop.rule if isinstance(loop.rule, Monitor) else None
    settings = checkpoint.settings
    if settings is None:
        settings = run_file.settings_of(loop.info.model, options, rule, rows, validation)
    start, part = (optimizer.t, optimizer.epoch), None
    halted = [each for each in options.callbacks if isinstance(each, HaltedRun)]

    def write(path: Path, done: EpochResult | None) -> None:
        passing = {
            TIME_LIMIT,
            INTERRUPTED,
            *(each.told for each in halted),
        }  # a resumed run goes on
        stopped = None if loop.reason in passing else loop.reason
        run_file.write(path, loop, optimizer, settings, start, stopped, done)

    def read(path: Path) -> None:
        nonlocal start, part
        start, part = run_file.read(path, loop, optimizer, settings)

    def after_epoch() -> None:
        n_done = len(loop.history)
        if loop.reason or n_done == options.epochs or checkpoint.due(n_done):
            checkpoint.write(optimizer.t - start[0])

    def look(steps_of_epoch: Callable[[], EpochResult], interrupted: bool) -> None:
        if interrupted or checkpoint.due():
            done = steps_of_epoch()
            checkpoint.write(optimizer.t - start[0], done if len(done.losses) else None)

    checkpoint.follow(write, read)
    epochs.total_steps = start[0] + options.epochs * epochs.batches.count
    steps_before = optimizer.t - start[0]
    if not isinstance(epochs.runner, InParts):
        epochs.runner = InParts(epochs.runner, optimizer, epochs.batches)
    epochs.runner.watched(look, checkpoint.every_seconds, steps_before, part)
    loop.after_epoch = after_epoch
