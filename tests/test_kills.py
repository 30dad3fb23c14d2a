"""Runs that are killed at random moments, in the middle of writing too, resume with the same bits.

The long version, 192 kills: ``pytest -m slow tests/test_kills.py``.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
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
def save(trained):
    arrays = [
        dict(theta=model.theta, steps=history.steps, **model.state, **optimizer.state)
        for model, optimizer, history in trained
    ]
    np.savez(out, **{f"{n} {name}": a for n, own in enumerate(arrays) for name, a in own.items()})
    with open(out + ".json", "w") as stream:
        json.dump([runs.records(history) for _, _, history in trained], stream)
"""
ONE = """
class Says:
    def on_train_begin(self, info):
        print("begins", flush=True)
save([runs.train(
    folder or None, every=every or "1 epoch", epochs=25, early_stopping=None,
    n_threads=int(n_threads), callbacks=[Says()],
)])
"""
PACK = """
import fastmlp
models, optimizers = [runs.network() for _ in range(5)], [fastmlp.Adam(0.01) for _ in range(5)]
print("begins", flush=True)
save(list(zip(models, optimizers, fastmlp.fit_many(
    models, runs.X, runs.Y, optimizers=optimizers, seeds=range(5), epochs=range(12, 22, 2),
    batch_size=32, n_threads=int(n_threads), early_stopping=9, restore_best=True,
    validation_data=(runs.X_VAL, runs.Y_VAL), verbose=False,
    callbacks=[fastmlp.Checkpoint(folder, every or "1 epoch", resume=True)] if folder else [],
))))
"""


def started(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN + program, *map(str, arguments)],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def result(program, *arguments):
    process = started(program, *arguments)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    out = str(arguments[1])
    with np.load(out + ".npz") as arrays:
        return {name: arrays[name] for name in arrays.files}, json.loads(
            Path(out + ".json").read_text()
        )


def check_kills(n_kills, tmp_path, every, slowness, seed, program=ONE):
    """Kill a program at random moments until it has been killed often enough; compare the end."""
    expected, records = result(program, "", tmp_path / "whole", 1, 0, 0)
    rng, folder, killed = random.Random(seed), tmp_path / "run", 0
    while killed < n_kills:
        threads = rng.choice([1, 2])
        process = started(program, folder, tmp_path / "killed", threads, every, slowness)
        assert process.stdout.readline() == b"begins\n"
        time.sleep(rng.uniform(0.0, 0.2 + 40 * slowness))
        process.kill()
        _, errors = process.communicate()
        assert b"Error" not in errors, errors.decode()
        if process.returncode == 0:  # it was done: the next one starts from the beginning
            shutil.rmtree(folder)
        else:
            killed += 1
            files = Counter(path.parent for path in folder.rglob("checkpoint-*"))
            assert max(files.values(), default=0) <= 3
    arrays, again = result(program, folder, tmp_path / "resumed", 2, every, 0)

    assert again == records
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert not list(folder.rglob(".fastmlp-incomplete-*"))


@pytest.mark.slow
def test_a_few_kills(tmp_path):
    check_kills(3, tmp_path, every=0, slowness=0.02, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("every", [0, 0.02], ids=["by epochs", "by time"])
@pytest.mark.parametrize("slowness", [0, 0.02], ids=["", "slow disk"])
@pytest.mark.parametrize("seed", range(3))
def test_many_kills(every, slowness, seed, tmp_path):
    check_kills(8, tmp_path, every=every, slowness=slowness, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("every", [0, 0.02], ids=["by epochs", "by time"])
@pytest.mark.parametrize("slowness", [0, 0.02], ids=["", "slow disk"])
@pytest.mark.parametrize("seed", range(2))
def test_many_kills_of_a_pack(every, slowness, seed, tmp_path):
    check_kills(12, tmp_path, every=every, slowness=slowness, seed=seed, program=PACK)
