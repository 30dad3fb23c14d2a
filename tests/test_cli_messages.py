"""How the command line shows warnings, and names with control characters."""

import os
import subprocess
import sys

import pytest

from fastmlp.cli import main


def run(*arguments, cwd, **variables):
    return subprocess.run(
        [sys.executable, "-m", "fastmlp", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | variables,
        timeout=300,
    )


def test_a_warning_is_one_line_without_a_source_location(tmp_path):
    done = run("info", cwd=tmp_path, NUMBA_DISABLE_JIT="1")

    assert done.returncode == 0
    assert done.stderr == (
        "fastmlp: NUMBA_DISABLE_JIT is set, but fastmlp's own kernels are compiled all the same\n"
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["tra\x1b[2Jin"], "x1b[2J"),
        (["train", "no\x1b]0;such\x07.csv", "--target", "a"], "x1b]0;such"),
        (["train", "digits", "--opt\x9bion", "1"], "x9bion"),
        (["train", "digits", "extra\rthing"], "rthing"),
        (["train", "digits", "--out", "no\x1bfolder/model.safetensors"], "x1bfolder"),
    ],
)
def test_control_characters_are_escaped(arguments, shown, capsys):
    assert main(arguments) == 2

    told = capsys.readouterr().err
    assert told.endswith("\n")
    assert told[:-1].isprintable()
    assert shown in told
