"""The progress display: a bar on a terminal, one line per epoch elsewhere."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from fastmlp.common.messages import note
from fastmlp.training.callbacks import Callback, TrainingInfo
from fastmlp.training.history import History

__all__ = ["Clock", "Display", "Progress", "duration", "epoch_line"]


class Progress(Callback):
    """Show loss, accuracy, samples per second and the time left.

    On a terminal or in a notebook a bar moves while an epoch runs, and each finished epoch leaves a
    line above it. Elsewhere (a pipe, a file) each epoch prints one plain line. If writing fails (a
    full disk, a closed pipe), training continues without a display.

    Parameters
    ----------
    stream : text file, optional
        Where to write; default ``sys.stdout`` as it is when training starts.

    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Open the display."""
        self._info = info
        self._clock = Clock(info.epochs * info.steps_per_epoch)
        self._display = Display(self.stream or sys.stdout, "epoch", info.epochs)

    def poll(self) -> None:
        """Move the bar."""
        done = self._info.steps_done()
        self._clock.update(done)
        self._display.move(done / self._info.steps_per_epoch, self._state)

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> None:
        """Print the epoch's line."""
        self._clock.end_epoch(self._info.steps_done())
        self._display.print(epoch_line(record, self._info.epochs, self._info.n_samples))

    def on_train_end(self, history: History) -> None:
        """Close the display and say why training stopped, if something stopped it."""
        self._display.close()
        if history.stopped:
            self._display.print(f"stopped: {history.stopped}")

    def _state(self) -> str:
        per_second = (
            self._clock.steps_per_second * self._info.n_samples / self._info.steps_per_epoch
        )
        return f"{_short(per_second)} samples/s, {duration(self._clock.seconds_left)} left"


def epoch_line(record: Mapping[str, Any], epochs: int, n_samples: int) -> str:
    """Format an epoch as one plain line that fits a terminal of 80 columns.

    Parameters
    ----------
    record : mapping
        The epoch's record, see `Callback`.
    epochs : int
        The total number of epochs.
    n_samples : int
        Training rows per epoch, to compute samples per second.

    """
    parts = [f"epoch {record['epoch'] + 1}/{epochs}"]
    for prefix, label in (("", "loss"), ("val_", "val")):
        loss, accuracy = (_number(record.get(prefix + name)) for name in ("loss", "accuracy"))
        if loss is not None:
            accurate = "" if accuracy is None else f" acc {100 * accuracy:.2f}%"
            parts.append(f"{label} {_loss_text(loss)}{accurate}")
    parts.append(f"{_short(n_samples / max(record['seconds'], 1e-9))} samples/s")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Format a time as ``m:ss`` or ``h:mm:ss``; ``-:--`` if it is not known."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display:
    """Plain lines, below which a bar moves on a terminal or in a notebook.

    Parameters
    ----------
    stream : text file or None
        None is a program without standard output.
    unit : str
        What the bar counts: ``"epoch"``.
    total : int
        How many of them there are.

    """

    def __init__(self, stream: TextIO | None, unit: str, total: int):
        self._stream, self._lost = stream, stream is None
        self._bar: _Bar | None = None
        self._show(self._open, unit, total)

    def move(self, done: float, state: Callable[[], str]) -> None:
        """Move the bar, if there is one, to so many units done; ``state()`` is shown beside it."""
        if self._bar is not None:
            self._show(self._bar.move, done, state())

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._show(self._print, line)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            bar, self._bar = self._bar, None
            self._show(bar.close)

    def _show(self, action: Callable[..., None], *arguments: Any) -> None:
        """Update the display; give up on it if that fails."""
        if self._lost:
            return
        try:
            action(*arguments)
        except BrokenPipeError:  # nobody is reading
            self._lost, self._bar = True, None
        except (OSError, ValueError) as error:
            self._lost, self._bar = True, None
            reason = getattr(error, "strerror", None) or error
            note(f"progress can no longer be shown, training continues: {reason}")

    def _open(self, unit: str, total: int) -> None:
        assert self._stream is not None, "without a stream the display is lost"
        self._bar = _Bar.open(self._stream, unit, total)

    def _print(self, line: str) -> None:
        if self._bar is None:
            print(line, file=self._stream, flush=True)
        else:
            self._bar.print(line)


class Clock:
    """Estimates the speed and the time left from a step counter.

    The first steps are not typical: code is loaded and memory touched for the first time. So the
    clock starts once a step is done, and restarts at the end of the first epoch.
    """

    def __init__(self, total_steps: int):
        self.total_steps = total_steps
        self.steps: int = 0
        self.steps_per_second: float = 0.0  # 0 until it is known
        self._start: tuple[float, int] | None = None  # the time, and the steps done by then
        self._warm = False

    def update(self, steps: int) -> None:
        """Update the speed with the number of steps done so far."""
        now, self.steps = time.monotonic(), steps
        if steps == 0:
            return
        if self._start is None:
            self._start = now, steps
        seconds, made = now - self._start[0], steps - self._start[1]
        if made > 0 and seconds > 0:
            self.steps_per_second = made / seconds

    def end_epoch(self, steps: int) -> None:
        """Update the speed at the end of an epoch, after its validation."""
        self.update(steps)
        if not self._warm:
            self._warm, self._start = True, (time.monotonic(), steps)

    @property
    def seconds_left(self) -> float:
        """The time left, infinite as long as it is not known."""
        speed = self.steps_per_second
        return (self.total_steps - self.steps) / speed if speed > 0 else math.inf


class _Bar:
    """A bar drawn by rich; only `move` refreshes it, so it needs no thread besides the workers."""

    def __init__(self, console: Any, unit: str, total: int):
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
        )
        self._unit, self._total = unit, total
        self._progress = RichProgress(*columns, console=console, auto_refresh=False, transient=True)
        self._task = self._progress.add_task(f"{unit} 1/{total}", total=total, state="")
        self._progress.start()

    @classmethod
    def open(cls, stream: TextIO, unit: str, total: int) -> "_Bar | None":
        """Return a bar if the stream can show one."""
        from rich.console import Console

        console = Console(file=stream, highlight=False, soft_wrap=True)
        shows = console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)
        return cls(console, unit, total) if shows else None

    def move(self, done: float, state: str) -> None:
        number = min(int(done) + 1, self._total)
        self._progress.update(
            self._task,
            completed=done,
            description=f"{self._unit} {number}/{self._total}",
            state=state,
            refresh=True,
        )

    def print(self, line: str) -> None:
        self._progress.console.print(line, markup=False)

    def close(self) -> None:
        self._progress.stop()


def _loss_text(loss: float) -> str:
    if abs(loss) < 10:
        return f"{loss:.4f}"
    return f"{loss:.5g}" if abs(loss) < 1e5 else f"{loss:.3g}"


def _short(number: float) -> str:
    """Format a number with three digits: 512, 1.24k, 102k, 3.5M."""
    number = float(f"{number:.3g}")
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{letter}"
    return f"{number:.3g}"


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
