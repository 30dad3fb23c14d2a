"""A pack that ends early and is resumed from its checkpoints ends with the same bits."""

import random
import shutil
import signal
import threading

import numpy as np
import pytest
from networks import Identity
from runs import X_VAL, Y_VAL, StoppedError, X, Y, assert_same, network
from sentences import refused

import fastmlp
from fastmlp import Adam, Checkpoint, EarlyStopping, Linear, ReLU, Sequential, fit_many
from fastmlp.schedules import OneCycle
from fastmlp.training.halt import Halt
from fastmlp.training.pack_progress import PackProgress

ROWS = [np.arange(200), np.arange(100, 330), None]


def models():
    small = Sequential(Linear(12, 7), ReLU(), Linear(7, 3), seed=2)
    return [network(), small, network()]


def train(folder=None, *, resume=True, every="1 epoch", keep=2, callbacks=(), inputs=X, **options):
    """Train a pack; return a model, an optimizer and a history for each."""
    pack, optimizers = models(), [Adam(OneCycle(0.01), clip_norm=2.0) for _ in range(3)]
    checkpoint = [] if folder is None else [Checkpoint(folder, every, keep, resume)]
    options = {
        "epochs": [4, 6, 5],
        "batch_size": [32, 16, 50],
        "rows": ROWS,
        "seeds": [5, 6, 7],
        "early_stopping": EarlyStopping(5),
        "restore_best": True,
        "validation_data": (X_VAL, Y_VAL),
        "sample_weight": np.linspace(0.5, 2.0, len(X)),
        "verbose": False,
    } | options
    histories = fit_many(
        pack, inputs, Y, optimizers=optimizers, callbacks=[*callbacks, *checkpoint], **options
    )
    return list(zip(pack, optimizers, histories, strict=True))


def assert_all_same(runs, others):
    for run, other in zip(runs, others, strict=True):
        assert_same(run, other)


def files_of(folder, index):
    return sorted((folder / f"model-{index:04}").glob("checkpoint-*"))


def as_killed(whole, folder, rng):
    """Copy what a pack had written for each model at some moment, or nothing yet."""
    for index in range(3):
        files = files_of(whole, index)
        n = rng.randrange(len(files) + 1)
        target = folder / f"model-{index:04}"
        target.mkdir(parents=True)
        for file in files[max(0, n - 2) : n]:
            shutil.copy(file, target)


@pytest.fixture(scope="module")
def whole():
    return train()


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_a_resumed_pack_ends_with_the_same_bits(n_threads, whole, tmp_path):
    rng = random.Random(n_threads)
    assert_all_same(train(tmp_path / "all", keep=None), whole)

    for number in range(3):
        folder = tmp_path / str(number)
        as_killed(tmp_path / "all", folder, rng)

        assert_all_same(train(folder, n_threads=n_threads), whole)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_so_does_one_that_was_killed_within_an_epoch(n_threads, tmp_path, monkeypatch):
    whole = train(epochs=2)
    monkeypatch.setattr("fastmlp.training.parts._FIRST_STEPS", 2)
    monkeypatch.setattr("fastmlp.training.parts._SHARE", 1e-9)  # the shortest parts
    train(tmp_path / "all", every=1e-9, keep=None, n_threads=3 - n_threads, epochs=2)
    assert len(files_of(tmp_path / "all", 0)) > 8

    as_killed(tmp_path / "all", tmp_path / "killed", random.Random(n_threads))

    resumed = train(tmp_path / "killed", every=1e9, n_threads=n_threads, epochs=2)
    assert_all_same(resumed, whole)


def test_models_that_had_finished_are_told_again_but_not_trained(whole, tmp_path):
    class Told:
        def __init__(self):
            self.indices = []

        def on_run_end(self, index, history, model):
            self.indices.append(index)

    train(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint-*")}
    told = Told()

    assert_all_same(train(tmp_path, callbacks=[told]), whole)

    assert sorted(told.indices) == [0, 1, 2]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint-*")} == before


@pytest.mark.parametrize("reason", [True, "good enough", "early stopping"])
def test_the_end_of_all_models_by_a_callback_does_not_end_a_resumed_pack(reason, whole, tmp_path):
    class Enough:
        def on_run_end(self, index, history, model):
            return reason

    train(tmp_path, callbacks=[Enough()], n_threads=1, epochs=[1, 6, 5])
    shutil.rmtree(tmp_path / "model-0000")  # the one with other settings

    assert_all_same(train(tmp_path), whole)


def test_nor_does_a_time_limit(whole, tmp_path):
    train(tmp_path, time_limit=1e-9)

    assert_all_same(train(tmp_path), whole)


def test_ctrl_c_saves_where_a_model_stopped(tmp_path, monkeypatch):
    options = {"epochs": 9, "early_stopping": None, "rows": None}
    monkeypatch.setattr("fastmlp.training.parts._FIRST_STEPS", 2)
    monkeypatch.setattr("fastmlp.training.parts._SHARE", 1e-18)  # the shortest parts
    whole = train(**options)
    within, halted, now, move = threading.Event(), threading.Event(), Halt.now, PackProgress.move

    def due(self, epochs_done=None):
        if epochs_done is None:
            within.set()
            halted.wait(60)
        return False

    def move_then_ctrl_c(self, steps):
        if within.is_set() and not halted.is_set():
            signal.raise_signal(signal.SIGINT)
        move(self, steps)

    def now_then_on(self, reason):
        now(self, reason)
        halted.set()

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "due", due)
        patched.setattr(PackProgress, "move", move_then_ctrl_c)
        patched.setattr(Halt, "now", now_then_on)
        stopped = train(tmp_path, every=1e9, n_threads=1, **options)
    assert {run[2].stopped for run in stopped} == {"interrupted"}
    [file] = tmp_path.rglob("checkpoint-*")
    assert 0 < int(file.stem[-9:]) < 11

    assert_all_same(train(tmp_path, every=1e9, **options), whole)


def test_a_model_that_fails_begins_again_where_it_was(whole, tmp_path, monkeypatch):
    write = Checkpoint.write

    def fails(self, step, part=None):
        write(self, step, part)
        if self.folder.name == "model-0001" and len(self.files()) == 2:
            raise StoppedError

    with monkeypatch.context() as broken:
        broken.setattr(Checkpoint, "write", fails)
        failed = train(tmp_path)
    assert [run[2].stopped for run in failed] == [None, "failed: StoppedError: ", None]

    assert_all_same(train(tmp_path), whole)


class TestRefusals:
    """They come before anything changes."""

    def test_a_folder_with_checkpoints_unless_they_are_wanted(self, tmp_path):
        train(tmp_path, epochs=1)

        with refused(ValueError, "model-0000", "earlier run", "resume=True"):
            train(tmp_path, epochs=1, resume=False)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"batch_size": [32, 16, 30]}, ["model-0002", "batch_size=50", "batch_size=30"]),
            ({"seeds": [5, 8, 7]}, ["model-0001", "seed=6", "seed=8"]),
            ({"rows": None}, ["model-0000", "other data"]),
            ({"inputs": X + 1}, ["model-0000", "other data"]),
            ({"early_stopping": EarlyStopping(5, ties="later")}, ["early_stopping"]),
        ],
    )  # fmt: skip
    def test_a_pack_with_other_data_or_settings(self, options, words, tmp_path, whole):
        options = {"epochs": 2} | options
        train(tmp_path, epochs=2)

        with refused(ValueError, "checkpoint-", *words):
            train(tmp_path, **options)

    def test_what_a_file_cannot_describe(self, tmp_path):
        pack = [*models(), Sequential(Linear(12, 3), Identity())]
        before = [model.theta.copy() for model in pack]

        with refused(TypeError, "Identity"):
            fit_many(pack, X, Y, callbacks=[Checkpoint(tmp_path)])
        for model, theta in zip(pack, before, strict=True):
            np.testing.assert_array_equal(model.theta, theta)

    def test_the_folder_of_a_single_model(self, tmp_path):
        network().fit(X, Y, epochs=1, callbacks=[Checkpoint(tmp_path)], verbose=False)

        with refused(ValueError, "single model", "another folder"):
            train(tmp_path)

    def test_several(self, tmp_path):
        with refused(TypeError, "one Checkpoint"):
            train(tmp_path / "a", callbacks=[Checkpoint(tmp_path / "b")])


def test_a_damaged_newest_file_is_reported_once_and_passed_over(whole, tmp_path, capsys):
    train(tmp_path)
    newest = files_of(tmp_path, 1)[-1]
    newest.write_bytes(newest.read_bytes()[:-7])

    assert_all_same(train(tmp_path), whole)

    [line] = capsys.readouterr().err.splitlines()
    assert "model-0001" in line
    assert "passed over" in line


def test_data_that_models_share_are_hashed_once(monkeypatch):
    hashed = []
    from fastmlp.training import blocks

    add = blocks._hashed

    def noted(found, *arrays):
        hashed.extend(id(array) for array in arrays)
        return add(found, *arrays)

    monkeypatch.setattr(blocks, "_hashed", noted)
    rows = fastmlp.common.rows.Rows(X, Y)
    digests = blocks.Digests()

    assert digests(rows) == digests(rows) == blocks.Digests()(rows)
    assert hashed.count(id(X)) == 2  # once for each `Digests`
