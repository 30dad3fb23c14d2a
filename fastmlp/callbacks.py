"""What may watch or stop training between epochs: progress display, time limit."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

__all__ = ["Callback", "Progress", "TimeLimit", "TrainingInfo"]


@dataclass(frozen=True)
class TrainingInfo:
    """What a callback is told when training begins.

    Attributes
    ----------
    model : object
        The model that is trained.
    epochs : int
        Epochs that this call of ``fit`` will make if nothing stops it.
    steps_per_epoch : int
        Optimizer steps an epoch.
    n_samples : int
        Training rows N, all visited once an epoch.
    steps_done : callable
        ``steps_done() -> int``: steps made since this call of ``fit`` began; cheap, may be asked
        while the workers run.

    """

    model: Any
    epochs: int
    steps_per_epoch: int
    n_samples: int
    steps_done: Callable[[], int]


class Callback:
    """Base of all callbacks; override what you need.

    Callbacks run between epochs, on the thread that called ``fit``. An epoch's record is a mapping
    with ``epoch`` (from 0), ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` (None where
    there is none), ``seconds`` and ``learning_rate``.
    """

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Run once before the first epoch."""

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> bool | str | None:
        """Run after every epoch; a true value stops training, a string also says why."""

    def on_train_end(self, history: Any) -> None:
        """Run once at the end, also when training is interrupted."""

    def poll(self) -> None:
        """Run about ten times a second while an epoch is computed; must be quick."""


class TimeLimit(Callback):
    """Stop after the first epoch at whose end the time is up.

    Parameters
    ----------
    seconds : float
        Time from the start of training, compilation excluded; > 0.

    Raises
    ------
    ValueError
        If ``seconds`` is not a positive number.

    """

    def __init__(self, seconds: float):
        if not seconds > 0:
            raise ValueError(
                f"the time limit must be a positive number of seconds, got {seconds!r}"
            )
        self.seconds = seconds
        self._deadline = math.inf

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start the clock."""
        self._deadline = time.monotonic() + self.seconds

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop when the clock has run out."""
        return "time limit" if time.monotonic() >= self._deadline else None


class Progress(Callback):
    """Show loss, accuracy, samples per second and the time left.

    On a terminal or in a notebook a bar moves while an epoch runs and every finished epoch leaves
    its line above it; anywhere else (a pipe, a file) there is only the plain line of each epoch.

    Parameters
    ----------
    stream : text file, optional
        Where to write; default ``sys.stdout`` at the start of training.

    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream
        self._bar: _Bar | None = None

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Open the display."""
        self._info = info
        self._out = self.stream or sys.stdout
        self._clock = _Clock(info.epochs * info.steps_per_epoch)
        self._bar = _Bar.open(self._out, info.epochs)

    def poll(self) -> None:
        """Move the bar."""
        done = self._info.steps_done()
        self._clock.update(done)
        if self._bar is not None:
            self._bar.move(done / self._info.steps_per_epoch, self._state())

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Leave the epoch's line."""
        self._clock.update(self._info.steps_done())
        line = epoch_line(record, self._info.epochs, self._info.n_samples)
        if self._bar is None:
            print(line, file=self._out, flush=True)
        else:
            self._bar.print(line)

    def on_train_end(self, history: Any) -> None:
        """Close the display and say why training stopped, if something stopped it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        stopped = getattr(history, "stopped", None)
        if stopped:
            print(f"stopped: {stopped}", file=self._out, flush=True)

    def _state(self) -> str:
        per_second = (
            self._clock.steps_per_second * self._info.n_samples / self._info.steps_per_epoch
        )
        return f"{per_second:,.0f} samples/s, {duration(self._clock.seconds_left)} left"


def epoch_line(record: Mapping[str, Any], epochs: int, n_samples: int) -> str:
    """Return one epoch as one plain line.

    Parameters
    ----------
    record : mapping
        The epoch's record, see `Callback`.
    epochs : int
        Epochs in all.
    n_samples : int
        Training rows an epoch, for samples per second.

    """
    parts = [f"epoch {record['epoch'] + 1}/{epochs}"]
    for prefix, label in (("", ""), ("val_", "val ")):
        loss, accuracy = record.get(f"{prefix}loss"), record.get(f"{prefix}accuracy")
        if _is_number(loss):
            parts.append(f"{label}loss {loss:.4f}")
        if _is_number(accuracy):
            parts.append(f"{label}accuracy {accuracy:.2%}")
    seconds = record["seconds"]
    parts.append(f"{seconds:.2f} s")
    parts.append(f"{n_samples / max(seconds, 1e-9):,.0f} samples/s")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as ``m:ss`` or ``h:mm:ss``, ``-:--`` where it is not known."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Clock:
    """Speed and time left from a counter of steps."""

    def __init__(self, total_steps: int):
        self.total_steps = total_steps
        self.steps = 0
        self._started = time.monotonic()
        self._now = self._started

    def update(self, steps: int) -> None:
        self._now = time.monotonic()
        if steps == 0:  # still compiling: that says nothing about the speed of a step
            self._started = self._now
        self.steps = steps

    @property
    def steps_per_second(self) -> float:
        elapsed = self._now - self._started
        return self.steps / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        speed = self.steps_per_second
        return (self.total_steps - self.steps) / speed if speed > 0 else math.inf


class _Bar:
    """A bar drawn by rich, refreshed by `move` alone: no thread of its own beside the workers."""

    def __init__(self, console: Any, epochs: int):
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
        )
        self._epochs = epochs
        self._progress = RichProgress(*columns, console=console, auto_refresh=False, transient=True)
        self._task = self._progress.add_task(f"epoch 1/{epochs}", total=epochs, state="")
        self._progress.start()

    @classmethod
    def open(cls, stream: TextIO, epochs: int) -> "_Bar | None":
        """Return a bar if the stream can show one."""
        from rich.console import Console

        console = Console(file=stream, highlight=False, soft_wrap=True)
        shows = console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)
        return cls(console, epochs) if shows else None

    def move(self, epochs_done: float, state: str) -> None:
        epoch = min(int(epochs_done) + 1, self._epochs)
        self._progress.update(
            self._task,
            completed=epochs_done,
            description=f"epoch {epoch}/{self._epochs}",
            state=state,
            refresh=True,
        )

    def print(self, line: str) -> None:
        self._progress.console.print(line, markup=False)

    def close(self) -> None:
        self._progress.stop()


def _is_number(value: Any) -> bool:
    return value is not None and not math.isnan(value)
