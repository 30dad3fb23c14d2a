"""`fastmlp warmup` leaves nothing to compile, here or wherever its folder is carried."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from cold import compiled_by

from fastmlp.kernels.machine import isa


def fastmlp(cache, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "fastmlp", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"FASTMLP_CACHE_DIR": str(cache)} | variables,
    )


def files_in(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_after_a_warmup_training_compiles_nothing(tmp_path):
    cache = tmp_path / "cache"

    report = json.loads(fastmlp(cache, "warmup", "--json").stdout)

    assert report["seconds"] > 0
    assert report["kernel_cache"] == str(cache)
    after_warmup = files_in(cache)
    assert after_warmup
    for options in (
        (),
        ("--batch-norm", "--activation", "mish"),
        ("--precision", "medium", "--optimizer", "nesterov"),
    ):
        assert fastmlp(cache, "train", "digits", "--epochs", "1", *options).returncode == 0
    assert files_in(cache) == after_warmup


@pytest.mark.slow
def test_a_folder_of_all_levels_serves_each_of_them_elsewhere(tmp_path):
    made, carried = tmp_path / "made", tmp_path / "elsewhere" / "carried"

    done = fastmlp(tmp_path / "unused", "warmup", "--levels", "all", "--out", str(made), "--json")

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["folders"]) == set(isa.levels_here())
    assert not (tmp_path / "unused").exists()
    shutil.move(made, carried)
    here = isa.levels_here()
    for level in here[: here.index(isa.best_level(isa.processor_features())) + 1]:
        assert compiled_by(tmp_path / "empty", FASTMLP_KERNELS=str(carried), FASTMLP_ISA=level) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--levels", "avx3"], ["--levels", "'avx3'"]),
        (["--levels", "generic,sse"], ["--levels", "'sse'", "generic"]),
        (["--out", __file__], ["--out", "is a file"]),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, arguments, words):
    done = fastmlp(tmp_path, "warmup", *arguments)

    assert done.returncode == 2
    [sentence] = done.stderr.splitlines()
    assert all(word in sentence for word in words)
