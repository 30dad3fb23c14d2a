"""Callbacks alone, driven by hand: what they print and when they stop training."""

import io
import math

import pytest

from fastmlp.callbacks import Progress, TimeLimit, TrainingInfo, duration, epoch_line

RECORD = {
    "epoch": 0,
    "loss": 0.5,
    "accuracy": 0.75,
    "val_loss": 0.625,
    "val_accuracy": 0.7,
    "seconds": 2.0,
    "learning_rate": 1e-3,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Ended:
    """The part of a history that callbacks read."""

    def __init__(self, stopped=None):
        self.stopped = stopped


def training_info(steps=0, epochs=2):
    return TrainingInfo(
        model=None, epochs=epochs, steps_per_epoch=10, n_samples=1000, steps_done=lambda: steps
    )


def test_epoch_line_holds_loss_accuracy_and_speed():
    line = epoch_line(RECORD, epochs=3, n_samples=1000)

    assert line == "epoch 1/3  loss 0.5000 acc 75.00%  val 0.6250 acc 70.00%  500 samples/s"


@pytest.mark.parametrize("missing", [None, math.nan])
def test_epoch_line_leaves_out_what_was_not_measured(missing):
    record = RECORD | {"accuracy": missing, "val_loss": missing, "val_accuracy": missing}

    line = epoch_line(record, epochs=3, n_samples=1000)

    assert line == "epoch 1/3  loss 0.5000  500 samples/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (61, "1:01"), (3661, "1:01:01"), (math.inf, "-:--")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_progress_to_a_pipe_is_one_plain_line_per_epoch():
    stream = io.StringIO()
    progress = Progress(stream)

    progress.on_train_begin(training_info())
    for epoch in range(2):
        progress.poll()
        progress.on_epoch_end(epoch, RECORD | {"epoch": epoch}, None)
    progress.on_train_end(Ended())

    lines = stream.getvalue().splitlines()
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert stream.getvalue().isascii()


def test_progress_says_why_training_stopped():
    stream = io.StringIO()
    progress = Progress(stream)

    progress.on_train_begin(training_info())
    progress.on_train_end(Ended("time limit"))

    assert stream.getvalue() == "stopped: time limit\n"


def test_progress_on_a_terminal_shows_speed_and_time_left(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    progress = Progress(stream)

    progress.on_train_begin(training_info(steps=5))
    progress.poll()
    progress.on_epoch_end(0, RECORD, None)
    progress.on_train_end(Ended())

    shown = stream.getvalue()
    assert "samples/s" in shown
    assert "left" in shown
    assert epoch_line(RECORD, 2, 1000) in shown


def test_progress_defaults_to_standard_output_of_the_moment(capsys):
    progress = Progress()

    progress.on_train_begin(training_info())
    progress.on_epoch_end(0, RECORD, None)
    progress.on_train_end(Ended())

    assert capsys.readouterr().out.startswith("epoch 1/2")


def test_time_limit_stops_when_the_time_is_up(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limit = TimeLimit(10)

    limit.on_train_begin(training_info())
    now = 109.0
    before = limit.on_epoch_end(0, RECORD, None)
    now = 110.0
    after = limit.on_epoch_end(1, RECORD, None)

    assert before is None
    assert after == "time limit"


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_time_limit_must_be_a_positive_number(seconds):
    with pytest.raises(ValueError, match="positive number of seconds"):
        TimeLimit(seconds)


@pytest.mark.parametrize(
    "record",
    [
        {"loss": 0.27753, "accuracy": 0.91381, "val_loss": 0.06314, "val_accuracy": 0.99301},
        {"loss": 123456.7, "accuracy": 0.12345, "val_loss": 98765.4, "val_accuracy": 0.54321},
        {"loss": 9.99999, "accuracy": 0.99999, "val_loss": 10.00001, "val_accuracy": 1.0},
    ],
)
@pytest.mark.parametrize("seconds", [1e-3, 0.7, 3600.0])
def test_an_epoch_line_fits_into_80_columns(record, seconds):
    line = epoch_line(record | {"epoch": 998, "seconds": seconds}, 1000, n_samples=1_281_167)

    assert len(line) <= 80


class Clock:
    """A clock that a test moves on."""

    def __init__(self, monkeypatch):
        self.now, self.steps = 50.0, 0
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def move(self, seconds, steps):
        self.now, self.steps = self.now + seconds, self.steps + steps


def time_left(progress):
    return progress._clock.seconds_left


def test_the_time_left_ignores_the_time_before_the_first_step(monkeypatch):
    clock = Clock(monkeypatch)
    info = TrainingInfo(None, 10, 100, 1000, steps_done=lambda: clock.steps)
    progress = Progress(io.StringIO())

    progress.on_train_begin(info)
    clock.move(30.0, 1)  # kernels are compiled: no poll until the first step is done
    progress.poll()
    nothing_measured = time_left(progress)
    clock.move(1.0, 50)
    progress.poll()

    assert nothing_measured == math.inf
    assert time_left(progress) == pytest.approx((1000 - 51) / 50)


def test_the_time_left_forgets_a_slow_first_epoch(monkeypatch):
    clock = Clock(monkeypatch)
    info = TrainingInfo(None, 3, 100, 1000, steps_done=lambda: clock.steps)
    progress = Progress(io.StringIO())

    progress.on_train_begin(info)
    clock.move(1.0, 1)
    progress.poll()
    clock.move(99.0, 99)
    progress.on_epoch_end(0, RECORD, None)
    clock.move(2.0, 20)
    progress.poll()

    assert time_left(progress) == pytest.approx(180 / 10)


class Failing(io.StringIO):
    """A stream that takes one line and then fails."""

    def __init__(self, error):
        super().__init__()
        self.error, self.lines = error, 0

    def write(self, text):
        self.lines += 1
        if self.lines > 1:
            raise self.error
        return len(text)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (ValueError("I/O operation on closed file."), "closed file"),
        (BrokenPipeError(32, "Broken pipe"), None),
    ],
)
def test_a_failing_display_is_abandoned_with_one_note(error, told, capsys):
    progress = Progress(Failing(error))

    progress.on_train_begin(training_info())
    for epoch in range(3):
        progress.poll()
        progress.on_epoch_end(epoch, RECORD, None)
    progress.on_train_end(Ended("time limit"))

    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == (0 if told is None else 1)
    assert told is None or told in printed[0]


def test_without_a_standard_output_nothing_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    progress = Progress()

    progress.on_train_begin(training_info())
    progress.on_epoch_end(0, RECORD, None)
    progress.on_train_end(Ended("time limit"))
