"""A run that ends early and is resumed from a checkpoint ends with the same bits."""

import os
import signal
import threading

import numpy as np
import pytest
from runs import StopAfter, StoppedError, X, Y, assert_same, network, stopped_after, train
from sentences import refused

import fastmlp
from fastmlp import Checkpoint
from fastmlp.layers import Linear


def newest(folder):
    return max(folder.glob("checkpoint-*.safetensors"))


@pytest.mark.parametrize("epoch", [1, 3, 5])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_resumed_run_ends_with_the_same_bits(epoch, n_threads, tmp_path):
    whole = train(n_threads=3 - n_threads)

    stopped_after(epoch, tmp_path)
    resumed = train(tmp_path, n_threads=n_threads)

    assert_same(resumed, whole)


def test_a_run_may_end_and_be_resumed_many_times(tmp_path):
    for epoch in (1, 2, 5):
        stopped_after(epoch, tmp_path)

    assert_same(train(tmp_path), train())


def test_the_model_that_resumes_may_have_any_weights(tmp_path):
    whole = train()
    stopped_after(3, tmp_path)
    model = network()
    model.theta *= 3.0

    assert_same(train(tmp_path, model=model), whole)


def test_layers_trained_one_by_one_resume_too(tmp_path):
    class Plain(fastmlp.losses.MSE):
        """A loss that cannot be compiled."""

    options = {"loss": Plain(), "epochs": 4, "early_stopping": None, "restore_best": False}
    targets = np.eye(3)[Y]

    def fit(folder=None, **more):
        model = network()
        callbacks = [] if folder is None else [Checkpoint(folder, resume=True)]
        model.fit(
            X, targets, callbacks=[*more.pop("callbacks", ()), *callbacks], seed=2, verbose=False,
            optimizer="sgd", **options,
        )  # fmt: skip
        return model

    whole = fit()
    with pytest.raises(StoppedError):
        fit(tmp_path, callbacks=[StopAfter(2)])

    np.testing.assert_array_equal(fit(tmp_path).theta, whole.theta)


def test_a_run_that_had_ended_is_not_trained_further(tmp_path):
    whole = train(tmp_path)

    again = train(tmp_path, callbacks=[StopAfter(0)])  # would raise in any epoch

    assert_same(again, whole)


def test_early_stopping_counts_on(tmp_path):
    options = {"early_stopping": 2, "epochs": 60, "validation_data": (X[:40], Y[::-1][:40])}
    whole = train(**options)
    assert whole[2].stopped == "early stopping"

    stopped_after(len(whole[2]) - 2, tmp_path, **options)

    assert_same(train(tmp_path, **options), whole)
    assert_same(train(tmp_path, **options), whole)


def test_a_stop_by_a_callback_counts_but_a_time_limit_does_not(tmp_path):
    class Enough(fastmlp.Callback):
        def on_epoch_end(self, epoch, record, model):
            return "enough" if epoch == 2 else None

    stopped = train(tmp_path / "a", callbacks=[Enough()])
    assert_same(train(tmp_path / "a"), stopped)

    train(tmp_path / "b", time_limit=1e-9)
    assert_same(train(tmp_path / "b"), train())


def test_early_stopping_at_the_time_limit_ends_a_resumed_run_too(tmp_path):
    options = {"early_stopping": 2, "epochs": 60, "validation_data": (X[:40], Y[::-1][:40])}
    whole = train(**options)
    last = len(whole[2]) - 1

    class TimeIsUp(fastmlp.Callback):
        def on_epoch_end(self, epoch, record, model):
            return "time limit" if epoch == last else None

    train(tmp_path, callbacks=[TimeIsUp()], **options)

    assert_same(train(tmp_path, **options), whole)


def test_a_run_that_continues_an_earlier_one_resumes(tmp_path):
    def fit(folder=None, *callbacks):
        model, optimizer = network(), fastmlp.Adam(fastmlp.schedules.Cosine(0.01))
        same = {"optimizer": optimizer, "verbose": False, "seed": 1}
        model.fit(X, Y, epochs=2, **same)
        checkpoint = [] if folder is None else [Checkpoint(folder, resume=True)]
        return (
            model,
            optimizer,
            model.fit(X, Y, epochs=4, callbacks=[*callbacks, *checkpoint], **same),
        )

    whole = fit()
    with pytest.raises(StoppedError):
        fit(tmp_path, StopAfter(2))

    assert_same(fit(tmp_path), whole)


def test_settings_that_a_callback_changed_come_back(tmp_path):
    class LessDropout(fastmlp.Callback):
        def on_epoch_end(self, epoch, record, model):
            if epoch == 1:
                model.layers[4].p = 0.05

    whole = train(callbacks=[LessDropout()])
    with pytest.raises(StoppedError):
        train(tmp_path, callbacks=[LessDropout(), StopAfter(4)])

    assert_same(train(tmp_path), whole)


def test_columns_that_a_callback_adds_come_back(tmp_path):
    class Adds(fastmlp.Callback):
        def on_epoch_end(self, epoch, record, model):
            record["mine"] = [np.float32(0.1), float("inf"), float("nan"), None, "text"][epoch % 5]

    stopped = {"callbacks": [Adds(), StopAfter(5)]}
    with pytest.raises(StoppedError):
        train(tmp_path, **stopped)

    mine = train(tmp_path)[2].mine

    assert mine[:2] == [float(np.float32(0.1)), float("inf")]
    assert np.isnan(mine[2])
    assert mine[3:5] == [None, "text"]


def test_a_column_that_a_file_cannot_hold_is_refused(tmp_path):
    class Adds(fastmlp.Callback):
        def on_epoch_end(self, epoch, record, model):
            record["mine"] = object()

    with refused(TypeError, "numbers and texts", "object"):
        train(tmp_path, callbacks=[Adds()])


class TestWithinAnEpoch:
    """Checkpoints by time are written between two steps."""

    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_every_position_resumes_to_the_same_bits(self, n_threads, tmp_path, monkeypatch):
        whole = train()
        monkeypatch.setattr("fastmlp.training.parts._FIRST_STEPS", 3)
        monkeypatch.setattr("fastmlp.training.parts._SHARE", 1e-9)  # the shortest parts
        train(tmp_path / "all", every=1e-9, keep=None)
        files = sorted((tmp_path / "all").iterdir())
        assert len(files) > 2 * 7

        for file in files[::5]:
            folder = tmp_path / file.stem
            folder.mkdir()
            (folder / file.name).write_bytes(file.read_bytes())
            assert_same(train(folder, every=1e9, n_threads=n_threads), whole)

    def test_ctrl_c_saves_where_it_stopped(self, tmp_path):
        whole = train(epochs=60, early_stopping=None)

        class CtrlC(fastmlp.Callback):
            def poll(self):
                if self.info.steps_done() > 200:
                    signal.raise_signal(signal.SIGINT)

            def on_train_begin(self, info):
                self.info = info

        interrupted = train(tmp_path, epochs=60, early_stopping=None, callbacks=[CtrlC()])[2]
        resumed = train(tmp_path, epochs=60, early_stopping=None)

        assert interrupted.stopped in ("interrupted", None)  # it may have been too late
        assert_same(resumed, whole)

    def test_divergence_goes_back_to_where_it_would_have(self, tmp_path, monkeypatch):
        options = {"epochs": 6, "loss": "mse", "early_stopping": None, "restore_best": False}

        def fit(folder, every):
            model = fastmlp.Sequential(Linear(12, 3), seed=1)
            found = model.fit(
                X * 30, np.eye(3)[Y], optimizer=fastmlp.SGD(0.0035), verbose=False, seed=3,
                callbacks=[Checkpoint(folder, every, keep=None, resume=True)], **options,
            )  # fmt: skip
            return model, found.stopped

        monkeypatch.setattr("fastmlp.training.parts._FIRST_STEPS", 1)
        monkeypatch.setattr("fastmlp.training.parts._SHARE", 1e-9)
        whole, stopped = fit(tmp_path / "all", every=1e-9)
        assert stopped.startswith("diverged")

        for file in sorted((tmp_path / "all").iterdir())[::3]:
            folder = tmp_path / file.stem
            folder.mkdir()
            (folder / file.name).write_bytes(file.read_bytes())
            resumed, why = fit(folder, every=1e9)
            np.testing.assert_array_equal(resumed.theta, whole.theta)
            assert why == stopped


class TestFiles:
    @pytest.mark.parametrize(("keep", "n_files"), [(1, 1), (3, 3), (None, 7)])
    def test_the_newest_are_kept(self, keep, n_files, tmp_path):
        train(tmp_path, keep=keep)

        found = sorted(path.name for path in tmp_path.iterdir())

        assert len(found) == n_files
        assert found[-1] == f"checkpoint-{7 * 11:09}.safetensors"

    def test_they_are_written_every_so_many_epochs_and_at_the_end(self, tmp_path):
        train(tmp_path, every="3 epochs", keep=None)

        steps = [int(path.stem[-9:]) // 11 for path in sorted(tmp_path.iterdir())]

        assert steps == [3, 6, 7]

    def test_they_are_models_with_their_optimizers(self, tmp_path):
        model, optimizer, _ = train(tmp_path, restore_best=False)

        loaded, same = fastmlp.load(newest(tmp_path), with_optimizer=True)

        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert same.t == optimizer.t
        np.testing.assert_array_equal(same.state["v"], optimizer.state["v"])

    @pytest.mark.parametrize(
        "damage", [lambda b: b[:-7], lambda b: b"", lambda b: b[:900] + b"x" + b[901:]]
    )
    def test_a_damaged_newest_one_is_reported_and_passed_over(self, damage, tmp_path, capsys):
        stopped_after(4, tmp_path)
        path = newest(tmp_path)
        path.write_bytes(damage(path.read_bytes()))

        resumed = train(tmp_path)

        assert_same(resumed, train())
        [line] = capsys.readouterr().err.splitlines()
        assert path.name in line
        assert "passed over" in line

    def test_a_header_that_no_run_needs_is_not_read(self, tmp_path, capsys, monkeypatch):
        stopped_after(4, tmp_path)
        monkeypatch.setattr("fastmlp.storage.checked_file.LONGEST", 1000)

        train(tmp_path, keep=None)

        assert "is passed over: its header is too long" in capsys.readouterr().err

    def test_training_starts_anew_if_all_are_damaged_and_says_so(self, tmp_path, capsys):
        stopped_after(4, tmp_path)
        for path in tmp_path.iterdir():
            path.write_bytes(path.read_bytes()[:-1])

        resumed = train(tmp_path)

        assert_same(resumed, train())
        assert "starts anew" in capsys.readouterr().err

    @pytest.mark.parametrize("keep", [1, 2])
    def test_a_new_file_is_kept_rather_than_a_damaged_one_of_a_later_step(self, keep, tmp_path):
        stopped_after(5, tmp_path, keep=keep)
        for path in tmp_path.iterdir():
            path.write_bytes(path.read_bytes()[:-1])

        stopped_after(2, tmp_path, keep=keep)

        assert fastmlp.load(newest(tmp_path)).theta.size  # it is a whole one
        assert len(list(tmp_path.iterdir())) == keep
        assert_same(train(tmp_path, keep=keep), train())

    def test_files_that_a_killed_run_could_not_remove_are_removed_at_once(self, tmp_path):
        stopped_after(4, tmp_path, keep=None)
        n_files = []

        class Counts(fastmlp.Callback):
            def on_train_begin(self, info):
                n_files.append(len(list(tmp_path.iterdir())))

        train(tmp_path, callbacks=[Counts()], keep=3)

        assert n_files == [3]

    def test_a_folder_with_checkpoints_is_refused_unless_they_are_wanted(self, tmp_path):
        stopped_after(2, tmp_path)

        with refused(ValueError, "earlier run", "resume=True"):
            train(tmp_path, resume=False)

    def test_a_full_disk_is_a_warning_and_the_last_file_stays(self, tmp_path, monkeypatch):
        stopped_after(2, tmp_path)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full)
            with pytest.warns(RuntimeWarning, match="No space left"):
                finished = train(tmp_path)

        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert_same(finished, train())
        assert_same(train(tmp_path), finished)


def test_it_works_on_another_thread(tmp_path):
    """Where no signals can be caught."""
    stopped_after(3, tmp_path)
    found = []

    thread = threading.Thread(target=lambda: found.append(train(tmp_path)))
    thread.start()
    thread.join()

    assert_same(found[0], train())
