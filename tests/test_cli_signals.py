"""Signals that end the program early: it exits quietly, once, and keeps what was learned."""

import os
import signal
import subprocess
import sys

import pytest

import fastmlp

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")

TRAIN = [sys.executable, "-m", "fastmlp", "train", "digits", "--epochs", "1000000"]


def started(*options, **settings):
    """Start training and wait until the first epoch is done."""
    process = subprocess.Popen(
        [*TRAIN, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    return process


def ended(process):
    """Wait for the end; return the exit code, the last line of output, and standard error."""
    output, errors = process.communicate(timeout=300)
    told = [line for line in errors.splitlines() if "compiling" not in line]
    return process.returncode, output.splitlines()[-1], told


@pytest.mark.parametrize(
    ("name", "times"),
    [("SIGINT", 1), ("SIGINT", 50), ("SIGTERM", 1), ("SIGTERM", 20), ("SIGHUP", 2)],
)
def test_training_stops_and_the_network_is_saved(name, times, tmp_path):
    out = tmp_path / "m.safetensors"
    process = started("--out", out)

    for _ in range(times):
        if process.poll() is None:
            process.send_signal(getattr(signal, name))
    code, last, errors = ended(process)

    assert (code, errors) == (130, [])
    assert last == f"wrote {out}"
    assert fastmlp.load(out).n_parameters > 0


def test_several_signals_at_once_end_it_once(tmp_path):
    out = tmp_path / "m.safetensors"
    process = started("--out", out)

    for name in ("SIGHUP", "SIGINT", "SIGTERM") * 5:
        if process.poll() is None:
            process.send_signal(getattr(signal, name))
    code, _, errors = ended(process)

    assert (code, errors) == (130, [])
    assert out.exists()


def test_nohup_is_respected_and_sigterm_ends_a_job_that_ignores_ctrl_c(tmp_path):
    out = tmp_path / "m.safetensors"

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = started("--out", out, preexec_fn=ignore)
    for number in (signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    for _ in range(3):  # training continues
        assert process.stdout.readline().startswith("epoch")
    process.send_signal(signal.SIGTERM)
    code, _, errors = ended(process)

    assert (code, errors) == (130, [])
    assert out.exists()


AT_IMPORT = """
import signal, sys
from importlib.abc import MetaPathFinder

class Disturb(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            for _ in range({times}):
                signal.raise_signal(signal.{name})

sys.meta_path.insert(0, Disturb())
sys.argv = ["fastmlp", "train", "digits", "--epochs", "1"]
from fastmlp.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["argparse", "numpy", "fastmlp.layers", "numba"])
@pytest.mark.parametrize(("name", "times"), [("SIGINT", 1), ("SIGTERM", 3)])
def test_a_signal_during_imports_is_a_quiet_exit(module, name, times):
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT.format(module=module, name=name, times=times)],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 130
    assert done.stderr == "fastmlp: interrupted\n"
