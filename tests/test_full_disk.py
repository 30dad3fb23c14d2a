"""A disk that fills up while a file is written: the old file stays whole, and a sentence says so.

A limit on the size of files stands for the full disk.
"""

from contextlib import contextmanager
from pathlib import Path

import pytest
from runs import StopAfter, StoppedError, assert_same, train

import fastmlp
from fastmlp.cli import main
from fastmlp.ensemble import Ensemble

resource = pytest.importorskip("resource")

FILES = Path(__file__).parent / "files"
FITS = 1000  # bytes


@contextmanager
def full_disk():
    """Let no file grow beyond `FITS` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FITS, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def network():
    model = fastmlp.Sequential(fastmlp.Linear(12, 40), fastmlp.ReLU(), fastmlp.Linear(40, 3))
    model.loss = fastmlp.losses.CrossEntropy()
    return model


def fails(capsys, *command, code=1):
    """Run a command with --out on the full disk; return its one line of standard error."""
    command = [str(part) for part in command]
    if "--out" in command:
        main(command[: command.index("--out")])  # compiled kernels are files too
        capsys.readouterr()
    with full_disk():
        assert main(command) == code
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.safetensors"
    path.write_bytes(b"old" * 700)
    yield path
    assert path.read_bytes() == b"old" * 700
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("make", [network, lambda: Ensemble([network(), network()])])
def test_a_model_is_not_saved(make, old):
    with full_disk(), pytest.raises(OSError, match="File too large") as told:
        make().save(old)

    assert told.value.filename == str(old)


def test_training_has_its_report_without_the_file(old, capsys):
    line = fails(capsys, "train", "digits", "--epochs", "1", "--hidden", "16", "--out", old)

    assert line == f"fastmlp: {old} could not be written: File too large"


def test_predictions_are_not_written(old, tmp_path, capsys):
    for needed in ("sklearn", "narwhals", "polars"):
        pytest.importorskip(needed)
    known = (FILES / "table-rows.csv").read_text().replace("roof", "hedge")  # or it would be told
    header, *rows = known.splitlines()
    many = tmp_path / "many.csv"
    many.write_text("\n".join([header, *rows * 50]))
    model = FILES / "table-format-1-realmlp-td-regressor.safetensors"

    line = fails(capsys, "predict", model, many, "--out", old)

    assert line == f"fastmlp: {old} could not be written: File too large"


def test_an_export_is_not_written(old, tmp_path, capsys):
    model, target = tmp_path / "model.safetensors", tmp_path / "model.h"
    network().save(model)
    target.write_text("old")

    line = fails(capsys, "export", model, target)

    assert "File too large" in line
    assert str(target) in line
    assert target.read_text() == "old"


def test_a_sweep_ends_and_resumes_when_there_is_room(tmp_path, capsys):
    command = ["sweep", "digits", "--epochs", "1", "--hidden", "16", "--lr", "1e-3,1e-2"]
    command += ["--threads", "1", "--out", str(tmp_path)]

    line = fails(capsys, *command, code=2)

    assert line.startswith(f"fastmlp: {tmp_path}")
    assert "File too large: the finished runs are kept, the same search continues" in line
    assert not list(tmp_path.glob("*.safetensors"))
    assert main(command) == 0
    assert fastmlp.load(tmp_path / "best.safetensors").layers[-1].out_features == 10


def test_checkpoints_are_not_written_but_training_goes_on(tmp_path):
    whole = train()
    with pytest.raises(StoppedError):
        train(tmp_path, callbacks=[StopAfter(2)])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    with full_disk(), pytest.warns(RuntimeWarning, match="could not be written, training goes on"):
        finished = train(tmp_path)

    assert_same(finished, whole)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
