"""Searches in which something fails: a run, a file, a second search, or the program itself."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Linear, Sequential, load, sweep
from fastmlp.cli import main

posix = pytest.mark.skipif(os.name == "nt", reason="signals and processes are POSIX's")


def quick(seed, n_threads, a, accuracy=None):
    """Return a model that records its setting, and an accuracy."""
    return Sequential(Linear(2, 2), seed=a), {
        "val_accuracy": a / 10 if accuracy is None else accuracy
    }


def moody(seed, n_threads, a):
    """Fail in a different way for each setting except 1 and 5."""
    if a == 2:
        raise MemoryError("no room")
    if a == 3:
        raise KeyError("forgotten")
    if a == 4:
        sys.exit("enough")
    return quick(seed, n_threads, a)


def deadly(seed, n_threads, a):
    """Kill the process for some settings."""
    if a == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if a == 3:
        os._exit(7)
    return quick(seed, n_threads, a)


def search(train=quick, parameters=None, **options):
    parameters = parameters or {"a": [1, 5, 3]}
    return sweep.search(train, parameters, **{"n_jobs": 1, "verbose": False, **options})


class TestRunsThatFail:
    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_are_rows_with_a_reason_and_the_others_run(self, n_jobs, tmp_path):
        result = search(moody, {"a": [3, 5, 2, 1, 4]}, n_jobs=n_jobs, folder=tmp_path)

        assert [run["a"] for run in result.runs[:2]] == [5, 1]
        reasons = {run["a"]: run["failed"] for run in result.runs[2:]}
        assert reasons[2] == "no room"
        assert reasons[3].startswith("KeyError: 'forgotten' (test_sweep_failures.py, line")
        assert "enough" in reasons[4]
        assert result.best_model.seed == 5
        assert "no room" in result.table()

    @posix
    def test_die_alone(self):
        result = search(deadly, {"a": [2, 1, 3, 5]}, n_jobs=2)

        reasons = {run["a"]: run.get("failed") for run in result.runs}
        assert "signal 9" in reasons[2]
        assert "exit code 7" in reasons[3]
        assert reasons[1] is None
        assert result.best_model.seed == 5

    def test_are_tried_again_by_the_next_search(self, tmp_path):
        search(moody, {"a": [1, 2]}, folder=tmp_path)

        again = search(quick, {"a": [1, 2]}, folder=tmp_path)

        assert [run["a"] for run in again.runs] == [2, 1]
        assert again.best_model.seed == 2

    def test_all_of_them_leave_no_best(self):
        result = search(moody, {"a": [2, 3]})

        assert result.all_failed
        assert result.best_model is None

    def test_by_divergence_exit_with_1_and_are_never_the_best(self, tmp_path, capsys):
        options = ["--hidden", "8", "--epochs", "2", "--jobs", "1", "--optimizer", "sgd"]

        all_diverge = main(["sweep", "digits", "--lr", "1e30,1e31", *options, "--json"])
        runs = json.loads(capsys.readouterr().out.splitlines()[-1])["runs"]
        one_is_left = main(["sweep", "digits", "--lr", "1e30,1e-6", *options, "--json"])
        report = json.loads(capsys.readouterr().out.splitlines()[-1])

        assert (all_diverge, one_is_left) == (1, 0)
        assert all(run["failed"].startswith("diverged") for run in runs)
        assert report["best"]["lr"] == 1e-6


class TestTies:
    def test_are_won_by_the_first_setting_whichever_ends_first(self, tmp_path):
        def slow_first(seed, n_threads, a):
            deadline = time.monotonic() + 60
            while a == 4 and not list(tmp_path.glob("run-*.json")) and time.monotonic() < deadline:
                time.sleep(0.01)
            return quick(seed, n_threads, a, accuracy=0.5)

        pytest.importorskip("cloudpickle")
        parameters = {"a": [4, 2]}
        first = search(slow_first, parameters, n_jobs=2, n_threads=2, folder=tmp_path)
        again = search(slow_first, parameters, folder=tmp_path)

        for result in (first, again):
            assert result.best["a"] == 4
            assert result.best_model.seed == 4
        assert load(tmp_path / "best.safetensors").seed == 4
        assert again.table() == first.table()


class TestTheFolder:
    def test_a_second_grid_trains_a_best_again_whose_model_was_thrown_away(self, tmp_path):
        search(parameters={"a": [3, 6]}, folder=tmp_path)

        result = search(parameters={"a": [2, 3]}, folder=tmp_path)

        assert result.best_model.seed == 3
        assert load(tmp_path / "best.safetensors").seed == 3

    @pytest.mark.parametrize(
        "damage", [b"", b'{"rec', b"null", b"[1]", b'{"record": {}}', b"\xff\xfe", b'"text"',
                   b'{"record": {"val_accuracy": "high"}}', b'{"record": 3}', b"[" * 100_000],
    )  # fmt: skip
    def test_a_damaged_note_is_named_and_its_run_repeated(self, damage, tmp_path, capsys):
        before = search(folder=tmp_path)
        note = sorted(tmp_path.glob("run-*.json"))[1]
        note.write_bytes(damage)

        after = search(folder=tmp_path)

        assert note.name in capsys.readouterr().err
        assert after.runs == before.runs
        assert search(folder=tmp_path).runs == before.runs

    @pytest.mark.parametrize("damage", [None, b"", b"no model at all"])
    def test_a_missing_or_damaged_best_model_is_trained_again(self, damage, tmp_path):
        search(folder=tmp_path)
        (file,) = tmp_path.glob("run-*.safetensors")
        file.unlink() if damage is None else file.write_bytes(damage)

        result = search(folder=tmp_path)

        assert result.best_model.seed == 5
        assert load(file).seed == 5

    def test_is_used_by_one_search_at_a_time(self, tmp_path):
        def nested(seed, n_threads, a):
            with pytest.raises(ValueError, match="another search is using the folder"):
                search(folder=tmp_path)
            return quick(seed, n_threads, a)

        assert len(search(nested, folder=tmp_path).runs) == 3
        assert len(search(folder=tmp_path).runs) == 3

    def test_works_without_locks_in_the_file_system(self, tmp_path, monkeypatch):
        def no_locks(descriptor):
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr("fastmlp.sweep.lock._lock", no_locks)

        assert len(search(folder=tmp_path).runs) == 3


class TestRegression:
    def test_is_ranked_by_the_validation_loss(self):
        def train(seed, n_threads, a):
            return Sequential(Linear(2, 2), seed=a), {"val_loss": abs(a - 4) + 0.5}

        result = search(train, {"a": [1, 5, 4, 9]})

        assert [run["a"] for run in result.runs] == [4, 5, 1, 9]
        assert result.best_model.seed == 4

    def test_on_the_command_line(self, tmp_path, capsys):
        rng = np.random.default_rng(0)
        x = rng.normal(size=200)
        path = tmp_path / "prices.csv"
        path.write_text("x,price\n" + "".join(f"{v},{3e5 + 1e4 * v}\n" for v in x))
        options = ["--target", "price", "--hidden", "8", "--jobs", "1", "--epochs", "1,40"]

        code = main(["sweep", str(path), *options, "--lr", "0.02,1e-6", "--json"])

        *lines, last = capsys.readouterr().out.splitlines()
        report = json.loads(last)
        assert code == 0
        assert (report["best"]["epochs"], report["best"]["lr"]) == (40, 0.02)
        assert report["best"]["val_r2"] > 0.5
        assert report["test_r2"] > 0.5
        assert "test loss of the best" in lines[-1]

    def test_a_heat_map_frames_the_smallest_loss(self):
        pytest.importorskip("matplotlib")

        def train(seed, n_threads, a, b):
            return None, {"val_loss": a * b}

        axes = search(train, {"a": [2, 3], "b": [5, 7]}).heat_map().figure.axes[0]

        frame = axes.lines[0].get_xydata()
        assert frame.mean(axis=0) == pytest.approx([-0.1, -0.1], abs=0.2)


class TestPlacesOfResults:
    @pytest.mark.parametrize("option", ["--csv", "--plot"])
    def test_are_checked_before_anything_is_trained(self, option, capsys):
        code = main(["sweep", "digits", "--lr", "1,2", "--l2", "0,1", option, "nowhere/x.png"])

        printed = capsys.readouterr()
        assert code == 2
        assert f"{option} nowhere/x.png: the folder nowhere does not exist" in printed.err
        assert "run 1" not in printed.err

    def test_a_file_is_no_folder(self, tmp_path, capsys):
        (tmp_path / "file").touch()

        assert main(["sweep", "digits", "--lr", "1,2", "--out", str(tmp_path / "file")]) == 2
        assert "is a file: give the name of a folder" in capsys.readouterr().err

    def test_a_table_that_cannot_be_written_in_the_end_is_code_1(
        self, monkeypatch, capsys, tmp_path
    ):
        def full(path, content):
            raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr("fastmlp.sweep.result.write_whole", full)
        options = ["--lr", "1e-3,2e-3", "--hidden", "4", "--epochs", "1", "--jobs", "1"]

        assert main(["sweep", "digits", *options, "--csv", str(tmp_path / "t.csv")]) == 1
        printed = capsys.readouterr()
        assert "could not be written: No space left on device" in printed.err
        assert "val_accuracy" in printed.out


SWEEP = [
    *(sys.executable, "-m", "fastmlp", "sweep", "digits", "--hidden", "16", "--json"),
    *("--lr", "1e-4,1e-3,4e-3,8e-3"),
]


def table(line):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in json.loads(line)["runs"]]


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@posix
@pytest.mark.parametrize("jobs", [["--jobs", "1"], ["--jobs", "2"], ["--threads", "1"]])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.slow
def test_a_stopped_sweep_continues_to_the_same_table(jobs, name, tmp_path):
    command = [*SWEEP, "--epochs", "300", *jobs, "--out"]
    undisturbed = subprocess.run([*command, str(tmp_path / "a")], capture_output=True, text=True)
    out = tmp_path / "b"
    process = subprocess.Popen(
        [*command, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: list(out.glob("run-*.json")))
    os.killpg(process.pid, getattr(signal, name))  # like a terminal, signal every process
    _, errors = process.communicate(timeout=120)
    noted = len(list(out.glob("run-*.json")))
    resumed = subprocess.run([*command, str(out)], capture_output=True, text=True)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert 1 <= noted < 4
    assert table(resumed.stdout.splitlines()[-1]) == table(undisturbed.stdout.splitlines()[-1])


def test_ctrl_c_in_a_run_ends_the_search_and_leaves_no_note_of_it(tmp_path):
    def train(seed, n_threads, a):
        model = Sequential(Linear(2, 2), seed=a)
        if a == 5:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            X, y = np.zeros((64, 2), np.float32), np.zeros(64, int)
            model.fit(X, y, epochs=10**9, batch_size=1, verbose=False)
        return model, {"val_accuracy": a / 10}

    with pytest.raises(KeyboardInterrupt):
        search(train, {"a": [1, 5, 3]}, folder=tmp_path)

    assert len(list(tmp_path.glob("run-*.json"))) == 1


def parents():
    """Return a dict of all running processes: process -> parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(stat.parent.name)] = int(fields[1])
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_sweep_that_is_killed_leaves_no_process_behind(name, tmp_path):
    process = subprocess.Popen(
        [*SWEEP, "--epochs", "100000", "--jobs", "2", "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def workers():
        return [child for child, parent in parents().items() if parent == process.pid]

    wait_for(lambda: len(workers()) == 2)
    left = workers()
    process.send_signal(getattr(signal, name))
    process.wait(timeout=120)

    wait_for(lambda: not set(left) & set(parents()))
    again = search(folder=tmp_path)  # nor is its lock left behind
    assert len(again.runs) == 3
