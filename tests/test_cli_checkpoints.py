"""`fastmlp train --checkpoint DIR --resume` and `fastmlp sweep --checkpoint-every`."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from runs import StopAfter, StoppedError, X, Y
from sentences import refused

import fastmlp
from fastmlp import Checkpoint, Linear, ReLU, Sequential, sweep
from fastmlp.cli import main

QUICK = ["digits", "--hidden", "12", "--epochs", "6", "--json"]


def report(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def timeless(found):
    return {n: v for n, v in found.items() if "second" not in n and n != "threads"}


def test_training_that_has_ended_is_reported_again(tmp_path, capsys):
    assert main(["train", *QUICK, "--checkpoint", str(tmp_path)]) == 0
    first = report(capsys)

    assert main(["train", *QUICK, "--checkpoint", str(tmp_path), "--resume"]) == 0
    again = report(capsys)

    assert timeless(again) == timeless(first)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_a_process_that_is_stopped_continues(number, tmp_path, capsys):
    options = [*QUICK[:-3], "--epochs", "40", "--json"]
    assert main(["train", *options]) == 0
    whole = report(capsys)
    mine = [*options, "--checkpoint", str(tmp_path), "--checkpoint-every", "3 epochs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "train", *mine],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoint-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(getattr(signal, number))
    process.wait(120)

    assert main(["train", *mine, "--resume"]) == 0

    assert timeless(report(capsys)) == timeless(whole)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume"], ["--resume", "--checkpoint DIR"]),
        (["--checkpoint-every", "2 epochs"], ["--checkpoint-every", "--checkpoint DIR"]),
        (["--checkpoint", "DIR", "--checkpoint-every", "often"], ["--checkpoint-every", "often"]),
        (["--checkpoint", "DIR", "--checkpoint-every", "-3"], ["--checkpoint-every", "-3"]),
        (["--checkpoint", __file__], ["--checkpoint", "is a file"]),
    ],
)
def test_wrong_options_are_named(options, words, tmp_path, capsys):
    options = [str(tmp_path) if option == "DIR" else option for option in options]

    assert main(["train", *QUICK, *options]) == 2

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    for word in words:
        assert word in told


def test_a_folder_of_an_earlier_run_asks_for_resume(tmp_path, capsys):
    main(["train", *QUICK, "--checkpoint", str(tmp_path)])

    assert main(["train", *QUICK, "--checkpoint", str(tmp_path)]) == 2
    assert "give --resume" in capsys.readouterr().err

    other = ["--batch-size", "50", "--checkpoint", str(tmp_path), "--resume"]
    assert main(["train", *QUICK, *other]) == 2
    assert "--batch-size 50" in capsys.readouterr().err


class Trainer:
    """Trains for a search; stops in the middle of the run with a certain rate."""

    def __init__(self, stops_at=None):
        self.stops_at, self.epochs = stops_at, []

    def __call__(self, seed, n_threads, lr, checkpoint_folder):
        model, trainer = Sequential(Linear(12, 8), ReLU(), Linear(8, 3), seed=seed), self

        class Counts(fastmlp.Callback):
            def on_epoch_end(self, epoch, record, model):
                trainer.epochs.append((lr, epoch))

        stop = [StopAfter(4)] if lr == self.stops_at else []
        history = model.fit(
            X, Y, epochs=7, optimizer=fastmlp.Adam(lr), verbose=False, seed=seed,
            callbacks=[Counts(), *stop, Checkpoint(checkpoint_folder, resume=True)],
        )  # fmt: skip
        return model, {"val_accuracy": history.accuracy[-1]}


class TestSearches:
    def search(self, trainer, folder):
        return sweep.search(
            trainer, {"lr": [1e-3, 1e-2, 3e-2]}, n_jobs=1, folder=folder, checkpoints=True,
            verbose=False,
        )  # fmt: skip

    def test_continue_in_the_middle_of_a_run(self, tmp_path):
        whole = self.search(Trainer(), tmp_path / "whole")
        self.search(Trainer(stops_at=1e-2), tmp_path / "stopped")
        trainer = Trainer()

        again = self.search(trainer, tmp_path / "stopped")

        assert trainer.epochs == [(1e-2, 4), (1e-2, 5), (1e-2, 6)]
        assert again.runs == whole.runs
        np.testing.assert_array_equal(again.best_model.theta, whole.best_model.theta)

    def test_leave_no_checkpoints_behind(self, tmp_path):
        self.search(Trainer(), tmp_path)

        assert not [path for path in tmp_path.iterdir() if path.is_dir()]

    def test_need_a_folder(self):
        with refused(ValueError, "folder"):
            self.search(Trainer(), None)


@pytest.mark.parametrize("jobs", [["--jobs", "1"], []], ids=["one by one", "in a pack"])
def test_a_sweep_on_the_command_line_keeps_checkpoints(jobs, tmp_path, capsys, monkeypatch):
    options = [*QUICK, "--lr", "1e-3,1e-2", *jobs]
    assert main(["sweep", *options]) == 0
    whole = report(capsys)
    mine = [*options, "--out", str(tmp_path), "--checkpoint-every", "1 epoch"]

    due, continued = Checkpoint.due, []

    def stop(self, epochs_done):
        if epochs_done == 4:
            raise StoppedError
        return due(self, epochs_done)

    def note(self, epochs_done):
        continued.append(epochs_done)
        return due(self, epochs_done)

    with monkeypatch.context() as broken:
        broken.setattr("fastmlp.callbacks.Checkpoint.due", stop)
        assert main(["sweep", *mine]) == 1
        capsys.readouterr()
    assert len(list(tmp_path.rglob("checkpoint-*"))) == 4  # two of each run

    with monkeypatch.context() as patched:
        patched.setattr("fastmlp.callbacks.Checkpoint.due", note)
        assert main(["sweep", *mine]) == 0
    assert set(continued) == {4, 5}

    found = report(capsys)
    assert [timeless(run) for run in found["runs"]] == [timeless(run) for run in whole["runs"]]
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert main(["sweep", *options, "--checkpoint-every", "9"]) == 2
    assert "--out DIR" in capsys.readouterr().err


@pytest.fixture
def table(tmp_path):
    """Return the path of a table of birds, which small networks are trained on."""
    for needed in ("sklearn", "narwhals", "polars"):
        pytest.importorskip(needed)
    import polars
    from old_files import narrow
    from tabular_support import birds

    frame, species, _ = birds(90)
    frame.with_columns(polars.Series("species", species)).write_csv(tmp_path / "birds.csv")
    with narrow():
        yield str(tmp_path / "birds.csv")


class Asked(list):
    """The epochs done whenever a checkpoint may have been due; training breaks off at `end`."""

    end = None


@pytest.fixture
def due(monkeypatch):
    """Return what grows by the epochs done whenever a checkpoint may be due."""
    asked, is_due = Asked(), Checkpoint.due

    def noting(self, epochs_done):
        if epochs_done == asked.end:
            raise StoppedError
        asked.append(epochs_done)
        return is_due(self, epochs_done)

    monkeypatch.setattr(Checkpoint, "due", noting)
    return asked


def assert_same_model(path, other):
    models = [fastmlp.load(each)._model for each in (path, other)]
    for one, another in zip(*(model.recipes for model in models), strict=True):
        np.testing.assert_array_equal(one.model.theta, another.model.theta)
    assert models[0].weights == models[1].weights


def test_training_on_a_table_continues_with_each_network(table, due, tmp_path):
    command = ["train", table, "--target", "species", "--method", "pack", "--ensemble", "2"]
    mine = [*command, "--checkpoint", str(tmp_path / "run"), "--checkpoint-every", "5 epochs"]

    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    due.end = 12
    with pytest.raises(StoppedError):
        main([*mine, "--threads", "1"])
    due.clear()
    due.end = None
    assert main([*mine, "--resume", "--out", str(tmp_path / "resumed")]) == 0

    assert due.count(1) == 1  # of the network that had not begun
    assert_same_model(tmp_path / "whole", tmp_path / "resumed")


def test_a_sweep_of_methods_continues_with_each_network(table, due, tmp_path, capsys):
    command = ["sweep", table, "--target", "species", "--method", "realmlp-td-s"]
    command += ["--ensemble", "2,1", "--json"]
    mine = [*command, "--out", str(tmp_path / "runs"), "--checkpoint-every", "5 epochs"]

    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    whole = report(capsys)
    due.end = 12
    assert main([*mine, "--threads", "1"]) == 1
    due.clear()
    due.end = None
    capsys.readouterr()
    assert main(mine) == 0

    assert due.count(1) == 1  # of the network that had not begun, of three
    again = report(capsys)
    assert [timeless(run) for run in again["runs"]] == [timeless(run) for run in whole["runs"]]
    assert_same_model(*(tmp_path / name / "best.safetensors" for name in ("whole", "runs")))


def test_a_table_within_a_time_limit_has_no_checkpoints(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,x\n2,y\n" * 20)
    command = ["train", str(tmp_path / "t.csv"), "--target", "b", "--checkpoint", str(tmp_path)]

    assert main([*command, "--time-limit", "5"]) == 2

    told = capsys.readouterr().err
    assert "--checkpoint" in told
    assert "--time-limit" in told


@pytest.mark.parametrize(("option", "told"), [("--checkpoint=x", "--out"), ("--resume", "again")])
def test_a_sweep_says_what_it_has_in_place_of_the_options_of_train(option, told, capsys):
    assert main(["sweep", *QUICK, option]) == 2

    line = capsys.readouterr().err
    assert f"no {option.split('=')[0]}: a sweep" in line
    assert told in line
