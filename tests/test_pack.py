"""``fit_many``: many models at once, each with the bits that its own ``fit`` gives."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
from networks import Identity, blobs
from pack_support import nets, same

import fastmlp
from fastmlp import Linear, ReLU, optimizers
from fastmlp.layers import BatchNorm, Dropout


@pytest.mark.parametrize("n_threads", [1, 2, 3, 9])
def test_each_model_ends_as_its_own_fit_would_end(n_threads):
    X, y = blobs(90, 6, 3)
    models, seeds, epochs = nets([5, 17, 8, 33, 2]), [3, 1, 4, 1, 5], [2, 3, 1, 4, 2]
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=epochs, batch_size=16, seeds=seeds, n_threads=n_threads
    )

    for i, model in enumerate(alone):
        history = model.fit(X, y, epochs=epochs[i], batch_size=16, seed=seeds[i])
        same((models[i], histories[i]), (model, history))


def test_rows_and_validation_rows_stand_for_copies_of_these_rows():
    X, y = blobs(80, 6, 3)
    folds = [np.arange(80) % 4 != k for k in range(4)]
    bootstrap = np.random.default_rng(0).integers(0, 80, 120)
    rows = [*map(np.flatnonzero, folds[:3]), folds[3], bootstrap]
    held_out = [*(~fold for fold in folds), np.arange(7)]
    models = nets([9] * 5)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=3, batch_size=25, rows=rows, validation_rows=held_out
    )

    for i, model in enumerate(alone):
        own = {"validation_data": (X[held_out[i]], y[held_out[i]])}
        history = model.fit(X[rows[i]], y[rows[i]], epochs=3, batch_size=25, **own)
        same((models[i], histories[i]), (model, history))


def test_weights_belong_to_the_rows_of_the_shared_data():
    X, y = blobs(60, 6, 3)
    weight = np.random.default_rng(1).random(60) * 1e20
    rows = [np.arange(0, 60, 2), None, np.array([5, 5, 7, 9])]
    models = nets([9] * 3)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(
        models, X, y, epochs=2, rows=rows, sample_weight=weight, class_weight="balanced"
    )

    for i, model in enumerate(alone):
        r = np.arange(60) if rows[i] is None else rows[i]
        history = model.fit(X[r], y[r], epochs=2, sample_weight=weight[r], class_weight="balanced")
        same((models[i], histories[i]), (model, history))


def test_models_may_differ_in_everything():
    X, y = blobs(50, 6, 3)
    models = [
        *nets([7], dtype="float64"),
        fastmlp.Sequential(Linear(6, 8), BatchNorm(8), ReLU(), Dropout(0.3), Linear(8, 3)),
        fastmlp.Sequential(Identity(), Linear(6, 3)),
        *nets([12]),
    ]
    alone = copy.deepcopy(models)
    settings = {
        "loss": ["hinge", "cross_entropy", "cross_entropy", fastmlp.losses.CrossEntropy(0.1)],
        "batch_size": [8, 7, 50, 64],
        "l2": [0.0, 1e-3, 0.0, 0.1],
        "shuffle": [True, False, True, True],
        "early_stopping": [None, 1, None, fastmlp.EarlyStopping(1, monitor="loss")],
        "restore_best": [False, True, False, True],
    }
    rules = ["sgd", "adam", "momentum", "rmsprop"]

    histories = fastmlp.fit_many(models, X, y, epochs=5, optimizers=rules, **settings)

    for i, model in enumerate(alone):
        own = {name: values[i] for name, values in settings.items()}
        history = model.fit(X, y, epochs=5, optimizer=rules[i], **own)
        same((models[i], histories[i]), (model, history))


def test_each_model_has_its_own_validation_data():
    X, y = blobs(50, 6, 3)
    others = [blobs(20, 6, 3), None, (*blobs(9, 6, 3), np.arange(1.0, 10.0))]
    models = nets([5] * 3)
    alone = copy.deepcopy(models)

    histories = fastmlp.fit_many(models, X, y, epochs=2, validation_data=others)

    for i, model in enumerate(alone):
        same(
            (models[i], histories[i]), (model, model.fit(X, y, epochs=2, validation_data=others[i]))
        )


def test_training_can_be_continued():
    X, y = blobs(50, 6, 3)
    models = nets([5, 6])
    alone = copy.deepcopy(models)

    for _ in range(3):
        fastmlp.fit_many(models, X, y, epochs=2)

    for model, other in zip(models, alone, strict=True):
        other.fit(X, y, epochs=6)
        np.testing.assert_array_equal(model.theta, other.theta)


def test_of_one_optimizer_each_model_gets_a_fresh_copy():
    X, y = blobs(50, 6, 3)
    models, optimizer = nets([5, 6]), optimizers.SGD(lr=0.1, momentum=0.9)
    alone = copy.deepcopy(models)

    fastmlp.fit_many(models, X, y, epochs=2, optimizers=optimizer)

    assert optimizer.t == 0
    for model, other in zip(models, alone, strict=True):
        other.fit(X, y, epochs=2, optimizer=optimizers.SGD(lr=0.1, momentum=0.9))
        np.testing.assert_array_equal(model.theta, other.theta)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": [1, 2, 3]}, ValueError, "epochs must be one value for all 2 models or a list"),
        ({"seeds": range(3)}, ValueError, "got a list of 3"),
        ({"rows": [1, 2]}, TypeError, r"pass np\.array\(rows\)"),
        ({"rows": np.array([0, 30])}, ValueError, "rows must lie between 0 and 29, got 30"),
        ({"rows": np.array([-1])}, ValueError, "between 0 and 29, got -1"),
        ({"rows": np.zeros(30, bool)}, ValueError, "rows is empty"),
        ({"rows": np.ones(29, bool)}, ValueError, "length 30, got 29"),
        ({"rows": np.ones(30)}, TypeError, "row numbers or a mask, got float64"),
        ({"validation_rows": np.ones((2, 2), int)}, TypeError, "validation_rows must be an array"),
        ({"optimizers": [optimizers.SGD()] * 2}, ValueError, "optimizers must all be different"),
        ({"batch_size": [4, 0]}, ValueError, "batch_size must be at least 1"),
        ({"callbacks": [fastmlp.Callback()]}, TypeError, "on_run_end"),
        ({"time_limit": 0}, ValueError, "time_limit must be greater than 0"),
        ({"early_stopping": [None, 0]}, ValueError, "early_stopping must be at least 1"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_wrong_argument_changes_no_model(arguments, error, message):
    X, y = blobs(30, 6, 3)
    models = nets([3, 4])
    before = [model.theta.copy() for model in models]

    with pytest.raises(error, match=message):
        fastmlp.fit_many(models, X, y, **arguments)

    for model, theta in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize("models", [[], None, nets([3])[0], [Linear(2, 2)], nets([3]) * 2])
def test_models_must_be_a_list_of_different_models(models):
    X, y = blobs(30, 6, 3)

    with pytest.raises((TypeError, ValueError), match="model"):
        fastmlp.fit_many(models, X, y)


def test_validation_rows_exclude_validation_data():
    X, y = blobs(30, 6, 3)

    with pytest.raises(ValueError, match="either validation_rows or validation_data"):
        fastmlp.fit_many(nets([3]), X, y, validation_rows=np.arange(3), validation_data=(X, y))


def test_progress_is_a_line_for_each_model(capsys):
    X, y = blobs(64, 6, 3)
    rates = [optimizers.SGD(lr=lr) for lr in (0.01, 1e30, 0.01)]

    histories = fastmlp.fit_many(
        nets([3] * 3), X, y, epochs=[4, 5, 6], batch_size=8, optimizers=rates, n_threads=1,
        verbose=True,
    )  # fmt: skip

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"model {i}/3" for i in (1, 2, 3)]
    assert "epoch 4/4" in lines[0]
    assert f"loss {histories[0].loss[-1]:.4f}" in lines[0]
    assert f"stopped: {histories[1].stopped}" in lines[1]


def test_a_pack_is_silent_unless_asked(capsys):
    X, y = blobs(30, 6, 3)

    fastmlp.fit_many(nets([3] * 3), X, y, epochs=2)

    assert capsys.readouterr() == ("", "")


def test_the_page_on_packs_shows_code_that_runs():
    page = Path(__file__).parents[1] / "docs" / "how-to" / "packs.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names = {}

    for block in blocks:
        exec(compile(block, page.name, "exec"), names)

    assert len(names["histories"]) == len(names["members"]) == 5
    assert names["score"] > 0.9
    assert max(names["histories"][names["best"]].val_accuracy) > 0.9
