"""The line that shows how far the networks of a table are."""

import io
import sys
import time

import pytest

from fastmlp.cli.watching import Watch
from fastmlp.training.callbacks import TrainingInfo


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, epochs_done, *, n_networks, finished=0, columns=80, time_limit=None):
    """Return the line for a network with some of its 50 epochs done, after 10 seconds."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    began = time.monotonic()
    watch = Watch(time_limit)
    monkeypatch.setattr(time, "monotonic", lambda: began)
    with watch:
        watch.begin(n_networks)
        for number in range(1, finished + 1):
            watch.finish(None, number, n_networks)
        info = TrainingInfo(
            model=None, epochs=50, steps_per_epoch=1, n_samples=1, steps_done=lambda: 0
        )
        watch.on_train_begin(info)
        monkeypatch.setattr(time, "monotonic", lambda: began + 10)
        watch.on_epoch_end(epochs_done - 1, {}, None)
        return terminal.getvalue().removeprefix("\r\033[K")


@pytest.mark.parametrize(
    ("epochs_done", "n_networks", "finished", "line"),
    [
        (25, 1, 0, "training: 50%, 0:10 left"),
        (25, 4, 0, "training: 12%, 0 of 4 networks, 1:10 left"),
        (10, 2, 1, "training: 60%, 1 of 2 networks, 0:07 left"),
        (1, 1, 0, "training: 2%, -:-- left"),
    ],
)
def test_networks_that_have_not_begun_count(monkeypatch, epochs_done, n_networks, finished, line):
    assert shown(monkeypatch, epochs_done, n_networks=n_networks, finished=finished) == line


@pytest.mark.parametrize(
    ("columns", "line"),
    [(50, "training: 5%, 0 of 10 networks, 3:10 left"), (30, "training: 5%, 3:10 left")],
)
def test_the_line_fits_the_terminal(monkeypatch, columns, line):
    assert shown(monkeypatch, 25, n_networks=10, columns=columns) == line


def test_a_time_limit_decides_on_the_number_of_networks(monkeypatch):
    line = shown(monkeypatch, 25, n_networks=100, finished=3, time_limit=40)

    assert line == "training: 25%, 3 networks, 0:30 left"
