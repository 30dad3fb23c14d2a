"""`fastmlp warmup` leaves nothing to compile."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_after_a_warmup_training_compiles_nothing(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "fastmlp", *arguments, "--json"]
        environment = os.environ | {"FASTMLP_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        return json.loads(done.stdout.splitlines()[-1])

    def compiled():
        return {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}

    report = run("warmup")
    after_warmup = compiled()
    run("train", "digits", "--epochs", "1")
    run("train", "digits", "--epochs", "1", "--batch-norm", "--activation", "mish")
    run("train", "digits", "--epochs", "1", "--precision", "medium", "--optimizer", "nesterov")

    assert report["seconds"] > 0
    assert after_warmup
    assert compiled() == after_warmup
