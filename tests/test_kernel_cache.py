"""The cache of compiled kernels: never stale, never torn, and nothing that must be there."""

import dataclasses
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp.kernels import isa, jit


def doubled(x):
    """Return twice x: what the tests below compile."""
    return x + x


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder for kernels made in this test."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "root" / "kernels")
    return tmp_path / "root" / "kernels"


def run(x=21.0):
    """Call the kernel as a new process would; return the result and whether it was in the cache."""
    dispatcher = jit.kernel(doubled)
    return dispatcher(x), bool(dispatcher.stats.cache_hits)


def only_file(folder):
    [file] = folder.iterdir()
    return file


def test_a_kernel_is_compiled_once(folder):
    assert run() == (42.0, False)
    assert run() == (42.0, True)


def test_each_signature_has_a_file(folder):
    run(21.0)
    run(21)

    assert len(list(folder.iterdir())) == 2
    assert run(21) == (42, True)


@pytest.mark.parametrize("n_bytes", [0, 10, 32, 33, 2000, -1])
def test_a_torn_file_is_compiled_again(folder, n_bytes):
    run()
    content = only_file(folder).read_bytes()
    only_file(folder).write_bytes(content[:n_bytes])

    assert run() == (42.0, False)
    assert run() == (42.0, True)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_file_is_compiled_again(folder, place):
    run()
    content = bytearray(only_file(folder).read_bytes())
    content[place] ^= 1
    only_file(folder).write_bytes(content)

    assert run() == (42.0, False)
    assert run() == (42.0, True)


def test_what_is_no_file_is_passed_over(folder):
    run()
    file = only_file(folder)
    file.unlink()
    file.mkdir()

    assert run() == (42.0, False)
    assert only_file(folder) == file  # no temporary file stays behind


def test_a_folder_that_cannot_be_made_does_no_harm(folder):
    folder.parent.write_text("in the way")

    assert run() == (42.0, False)
    assert run() == (42.0, False)


@pytest.mark.parametrize("function", ["tempfile.mkstemp", "os.replace"])
def test_a_full_or_read_only_disk_does_no_harm(folder, monkeypatch, function):
    def refuse(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    module, name = function.split(".")
    with monkeypatch.context() as patch:
        patch.setattr(getattr(jit, module), name, refuse)
        assert run() == (42.0, False)

    assert list(folder.iterdir()) == []
    assert run() == (42.0, False)
    assert run() == (42.0, True)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_without_permission_does_no_harm(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o500)

    assert run() == (42.0, False)
    assert list(folder.iterdir()) == []


def test_an_edit_of_any_kernel_source_changes_the_folder(tmp_path, monkeypatch):
    sources = Path(jit.__file__).parent
    for source in sources.glob("*.py"):
        shutil.copy(source, tmp_path)
    original = jit._fingerprint()
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    assert jit._fingerprint() == original

    for source in sources.glob("*.py"):
        copy = tmp_path / source.name
        copy.write_bytes(source.read_bytes() + b"\n")
        assert jit._fingerprint() != original, f"{source.name} was edited"
        copy.write_bytes(source.read_bytes())
    (tmp_path / "new.py").touch()
    assert jit._fingerprint() != original


def test_each_instruction_set_has_a_folder(monkeypatch):
    original = jit._fingerprint()
    without = dataclasses.replace(isa.current(), vector_bytes=8)
    monkeypatch.setattr(isa, "current", lambda: without)

    assert jit._fingerprint() != original


def test_the_folder_lies_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(tmp_path))

    assert jit.cache_folder.__wrapped__().parent == tmp_path


SMALL = """
from fastmlp.kernels import jit
from test_kernel_cache import doubled
print(jit.kernel(doubled)(21.0))
"""

TRAINING = """
import hashlib
from networks import blobs, every_layer
X, y = blobs(100, 20, 3)
model = every_layer(20, 33, 3)
model.fit(X, y, epochs=2, batch_size=40, verbose=False)
print(hashlib.sha256(model.theta.tobytes() + model.predict(X).tobytes()).hexdigest())
"""


def at_once(script, cache, n_processes=3):
    """Run a script in several processes that start together; return what each printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
            env=os.environ | {"FASTMLP_CACHE_DIR": str(cache)},
        )
        for _ in range(n_processes)
    ]
    printed = []
    for process in processes:
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, err[-2000:]
        assert err == ""
        printed.append(out)
    return printed


def files_below(cache):
    return {file: file.stat().st_mtime_ns for file in cache.rglob("*") if file.is_file()}


@pytest.mark.parametrize("script", [SMALL, pytest.param(TRAINING, marks=pytest.mark.slow)])
def test_several_first_runs_at_once(script, tmp_path):
    together = at_once(script, tmp_path)

    assert len(set(together)) == 1
    files = files_below(tmp_path)
    assert files
    assert all("fastmlp" in file.name or "doubled" in file.name for file in files)
    assert at_once(script, tmp_path, 1) == together[:1]
    assert files_below(tmp_path) == files  # nothing was left to compile
