"""When standard output fails, the work is still done and saved."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp
from fastmlp.cli import main
from fastmlp.cli.fitting import r2
from fastmlp.cli.report import r2_text, wrapped

COMMAND = f"{sys.executable} -m fastmlp"
posix = pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX's")


def shell(line, **environment):
    """Run a line of bash; return its exit code and messages, except those about compiling."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return done.returncode, [line for line in done.stderr.splitlines() if "compiling" not in line]


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk_under_the_output_loses_only_the_output(tmp_path):
    out = tmp_path / "m.safetensors"

    code, errors = shell(f"{COMMAND} train digits --epochs 4 --out {out} > /dev/full")

    assert code == 1
    assert errors == ["fastmlp: standard output cannot be written to: No space left on device"]
    assert fastmlp.load(out).n_parameters > 0


@posix
@pytest.mark.parametrize("redirection", [">&-", "<&- >&-", "| true", "| head -1", "2>&1 | head -1"])
def test_without_a_reader_everything_is_saved_silently(redirection, tmp_path):
    out = tmp_path / "m.safetensors"

    code, errors = shell(f"{COMMAND} train digits --epochs 4 --out {out} {redirection}")

    assert (code, errors) == (0, [])
    assert fastmlp.load(out).n_parameters > 0


@posix
def test_without_a_file_to_write_training_ends_with_its_reader():
    code, errors = shell(f"{COMMAND} train digits --epochs 1000000 | head -3")

    assert (code, errors) == (0, [])


@posix
def test_a_sweep_completes_though_nobody_reads_its_output(tmp_path):
    line = f"{COMMAND} sweep digits --lr 1e-3,2e-3 --epochs 1 --hidden 8 --jobs 1 --out {tmp_path}"

    code, _ = shell(f"{line} 2>&1 | true")

    assert code == 0
    assert (tmp_path / "best.safetensors").exists()
    assert len(list(tmp_path.glob("run-*.json"))) == 2


@posix
@pytest.mark.parametrize("name", ["é", "数据", "дом"])
def test_a_file_name_that_the_terminal_cannot_show_works(name, tmp_path):
    path = tmp_path / f"{name}.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},{'xy'[i % 2]}\n" for i in range(300)))

    code, told = shell(f"{COMMAND} train '{path}' --target b --epochs 1", PYTHONIOENCODING="ascii")

    assert code == 0
    assert not any(line.startswith(("Traceback", "fastmlp")) for line in told)


def test_a_failure_after_training_does_not_lose_the_network(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no report today")

    monkeypatch.setattr("fastmlp.cli.train.build_report", fail)
    out = tmp_path / "m.safetensors"

    assert main(["train", "digits", "--epochs", "1", "--out", str(out)]) == 2
    assert fastmlp.load(out).n_parameters > 0


@pytest.mark.parametrize("value", [0.1, -2.5, 12345.678])
def test_r2_of_a_constant_target_is_undefined(value, tmp_path, capsys):
    path = tmp_path / "flat.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},{value}\n" for i in range(300)))

    main(["train", str(path), "--target", "b", "--epochs", "1", "--json"])

    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["test_r2"] is None
    assert any("R2 undefined" in line for line in lines)
    assert max(map(len, lines[:-1])) < 150


def test_r2_far_below_zero_is_a_short_number():
    import numpy as np

    assert len(r2_text(r2(1e30, np.array([1.0, 1.0 + 1e-7])))) < 12
    assert r2_text(r2(0.25, np.array([0.0, 1.0]))) == "0.000"


@pytest.mark.parametrize(("columns", "widest"), [(200, 80), (80, 80), (40, 40)])
def test_descriptions_fit_the_terminal(columns, widest, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = wrapped("numbers, categories, " * 20).splitlines()

    assert widest - 12 <= max(map(len, lines)) <= widest
