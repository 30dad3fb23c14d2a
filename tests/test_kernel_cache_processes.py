"""Processes that share a cache of compiled kernels, or have no sources of theirs."""

import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="owners and permissions are POSIX's")


ASK = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.path.insert(0, {folder!r})
from fastmlp.kernels.machine import isa, jit
print(jit.__file__, jit._fingerprint(isa.current()))
"""


def test_without_sources_the_bytecode_names_the_folder(tmp_path):
    import fastmlp

    package = tmp_path / "fastmlp"
    nothing = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastmlp.__file__).parent, package, ignore=nothing)
    shutil.copytree(
        Path(fastmlp.kernels.__file__).parent,
        package / "kernels",
        ignore=nothing,
        dirs_exist_ok=True,
    )
    edited = package / "kernels" / "losses" / "numbers.py"
    source = edited.read_text()

    def ask(text):
        edited.write_text(text)
        compileall.compile_dir(package, quiet=1, legacy=True, force=True)
        kept = {path: path.read_bytes() for path in package.rglob("*.py")}
        for path in kept:
            path.unlink()
        done = subprocess.run(
            [sys.executable, "-c", ASK.format(folder=str(tmp_path))],
            check=True,
            capture_output=True,
            text=True,
        )
        for path, content in kept.items():
            path.write_bytes(content)
        place, name = done.stdout.split()
        assert place == str(package / "kernels" / "machine" / "jit.pyc")
        return name

    before = ask(source)
    assert ask(source) == before
    assert ask(source.replace("0.5", "0.25")) != before


SMALL = """
from fastmlp.kernels.machine import jit
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
    """Run a script in several processes at once; return what each printed."""
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
        assert [line for line in err.splitlines() if "compiling kernels" not in line] == []
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
