"""Runs that are killed at random moments, in the middle of writing too, resume with the same bits.

The long version, at least 60 kills: ``pytest -m slow tests/test_kills.py``.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

TRAIN = """
import json, sys
import numpy as np
import runs
folder, out, n_threads, every, slowness = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
if slowness:  # writing takes long, so that many kills fall into it
    import os, time
    from fastmlp.common import files
    def fsync(descriptor, fsync=os.fsync):
        time.sleep(slowness)
        fsync(descriptor)
        time.sleep(slowness)
    files.os = type("os", (), dict(vars(os), fsync=staticmethod(fsync)))
class Says:
    def on_train_begin(self, info):
        print("begins", flush=True)
model, optimizer, history = runs.train(
    folder or None, every=every or "1 epoch", epochs=25, early_stopping=None,
    n_threads=int(n_threads), callbacks=[Says()],
)
np.savez(out, theta=model.theta, steps=history.steps, **model.state, **optimizer.state)
with open(out + ".json", "w") as stream:
    json.dump(runs.records(history), stream)
"""


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, *map(str, arguments)],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def result(*arguments):
    process = started(*arguments)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    out = str(arguments[1])
    with np.load(out + ".npz") as arrays:
        return {name: arrays[name] for name in arrays.files}, json.loads(
            Path(out + ".json").read_text()
        )


def check_kills(n_kills, tmp_path, every, slowness, seed):
    """Kill a run at random moments until it has been killed often enough; compare the end."""
    expected, records = result("", tmp_path / "whole", 1, 0, 0)
    rng, folder, killed = random.Random(seed), tmp_path / "run", 0
    while killed < n_kills:
        process = started(folder, tmp_path / "killed", rng.choice([1, 2]), every, slowness)
        assert process.stdout.readline() == b"begins\n"
        time.sleep(rng.uniform(0.0, 0.2 + 40 * slowness))
        process.kill()
        _, errors = process.communicate()
        assert b"Error" not in errors, errors.decode()
        if process.returncode == 0:  # it was done: the next one starts from the beginning
            for path in folder.iterdir():
                path.unlink()
        else:
            killed += 1
            files = list(folder.glob("checkpoint-*")) if folder.exists() else []
            assert len(files) <= 3
    arrays, again = result(folder, tmp_path / "resumed", 2, every, slowness)

    assert again == records
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert not list(folder.glob(".fastmlp-incomplete-*"))


def test_a_few_kills(tmp_path):
    check_kills(3, tmp_path, every=0, slowness=0.02, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("every", [0, 0.02], ids=["by epochs", "by time"])
@pytest.mark.parametrize("slowness", [0, 0.02], ids=["", "slow disk"])
@pytest.mark.parametrize("seed", range(3))
def test_many_kills(every, slowness, seed, tmp_path):
    check_kills(8, tmp_path, every=every, slowness=slowness, seed=seed)
