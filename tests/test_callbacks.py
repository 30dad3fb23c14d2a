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

    assert line == (
        "epoch 1/3  loss 0.5000  accuracy 75.00%  val loss 0.6250  val accuracy 70.00%"
        "  2.00 s  500 samples/s"
    )


@pytest.mark.parametrize("missing", [None, math.nan])
def test_epoch_line_leaves_out_what_was_not_measured(missing):
    record = RECORD | {"accuracy": missing, "val_loss": missing, "val_accuracy": missing}

    line = epoch_line(record, epochs=3, n_samples=1000)

    assert line == "epoch 1/3  loss 0.5000  2.00 s  500 samples/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (61, "1:01"), (3661, "1:01:01"), (math.inf, "-:--")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_progress_to_a_pipe_is_one_plain_line_an_epoch():
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
def test_time_limit_refuses_what_is_not_a_positive_number(seconds):
    with pytest.raises(ValueError, match="positive number of seconds"):
        TimeLimit(seconds)
