"""What a checkpoint refuses: other runs than its own, and arguments that make no sense."""

import numpy as np
import pytest
from runs import X, Y, network, stopped_after, train
from sentences import refused

import fastmlp
from fastmlp import Checkpoint
from fastmlp.layers import Linear


class TestOtherRuns:
    """A checkpoint of a run with other data or settings is refused in one sentence."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"batch_size": 30}, ["batch_size=32", "batch_size=30"]),
            ({"epochs": 9}, ["epochs=7", "epochs=9"]),
            ({"seed": 6}, ["seed=5", "seed=6"]),
            ({"l2": 0.1}, ["l2"]),
            ({"shuffle": False}, ["shuffle"]),
            ({"restore_best": False}, ["restore_best"]),
            ({"early_stopping": 3}, ["early_stopping"]),
            ({"label_smoothing": 0.1}, ["loss"]),
            ({"validation_data": None}, ["validation_data"]),
            ({"validation_data": (X[:50], Y[:50])}, ["validation_data"]),
            ({"sample_weight": None}, ["other data"]),
        ],
    )  # fmt: skip
    def test_settings(self, options, words, tmp_path):
        stopped_after(2, tmp_path)

        with refused(ValueError, "checkpoint-", *words):
            train(tmp_path, **options)

    def test_data(self, tmp_path):
        stopped_after(2, tmp_path)
        changed = X.copy()
        changed[7, 3] += 0.5

        with refused(ValueError, "other data"):
            train(tmp_path, inputs=changed)

    def test_layers(self, tmp_path):
        stopped_after(2, tmp_path)
        model = fastmlp.Sequential(Linear(12, 5), fastmlp.ReLU(), Linear(5, 3))
        before = model.theta.copy()

        with refused(ValueError, "other layers"):
            train(tmp_path, model=model)
        np.testing.assert_array_equal(model.theta, before)

    def test_a_model_that_is_not_a_checkpoint(self, tmp_path):
        network().save(tmp_path / "checkpoint-000000001.safetensors")

        with refused(ValueError, "saved model", "not a checkpoint"):
            train(tmp_path)


class TestArguments:
    @pytest.mark.parametrize(
        "every", ["0 epochs", "5", "epoch", "3 steps", "", 0, -1.0, float("nan")]
    )
    def test_every_is_epochs_or_seconds(self, every, tmp_path):
        with refused(ValueError, "every"):
            Checkpoint(tmp_path, every)

    def test_at_least_one_file_is_kept(self, tmp_path):
        with refused(ValueError, "keep"):
            Checkpoint(tmp_path, keep=0)

    def test_one_checkpoint_at_most(self, tmp_path):
        with refused(TypeError, "one Checkpoint"):
            train(tmp_path / "a", callbacks=[Checkpoint(tmp_path / "b")])

    def test_what_a_file_cannot_describe_is_refused_before_training(self, tmp_path):
        from networks import Identity

        model = fastmlp.Sequential(Linear(12, 3), Identity())
        with refused(TypeError, "Identity"):
            model.fit(X, Y, callbacks=[Checkpoint(tmp_path)], verbose=False)
        assert not list(tmp_path.iterdir())

    def test_estimators_refuse_it(self, tmp_path):
        sklearn = pytest.importorskip("fastmlp.sklearn")

        with refused(TypeError, "Sequential.fit"):
            sklearn.MLPClassifier((4,), callbacks=[Checkpoint(tmp_path)]).fit(X, Y)
