"""fastmlp.search: successive halving in one process."""

import numpy as np
import pytest
from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import SGD, Adam, Dropout, Linear, ReLU, Sequential, schedules, sweep
from fastmlp.sweep import LogUniform, halving

X, y = blobs(150, 5, 3, seed=2)
DATA = (X[:120], y[:120])
VALIDATION = (X[120:], y[120:])
SPACE = {"units": [3, 6, 9], "lr": [1e-4, 1e-3, 1e-2]}


def make_model(units, seed, dropout=0.0):
    return Sequential(Linear(5, units), ReLU(), Dropout(dropout), Linear(units, 3), seed=seed)


def search(space=SPACE, make=make_model, **given):
    options = {"epochs": 9, "validation_data": VALIDATION, "batch_size": 30, "verbose": False}
    return fastmlp.search(make, space, *DATA, **options | given)


def fitted(settings, epochs, seed=0, lr=None, **given):
    """Train one candidate from the start, by its own call of fit."""
    model = make_model(settings["units"], seed)
    history = model.fit(
        *DATA,
        optimizer=Adam(lr=settings["lr"] if lr is None else lr),
        **{"batch_size": 30, "epochs": epochs, "seed": seed} | given,
        validation_data=VALIDATION,
        verbose=False,
    )
    return model, history


def test_every_rung_keeps_the_best_third():
    result = search()

    found = sorted((run["epochs"] for run in result.runs), reverse=True)
    assert found == [9, 3, 3, 1, 1, 1, 1, 1, 1]
    after_one = {i: fitted(run, 1)[1] for i, run in enumerate(result.runs)}
    best = sorted(after_one, key=lambda i: -after_one[i].val_accuracy[-1])
    threshold = after_one[best[2]].val_accuracy[-1]
    for i, run in enumerate(result.runs):
        assert (after_one[i].val_accuracy[-1] >= threshold) or run["epochs"] == 1


@pytest.mark.parametrize("seed", [0, 7])
def test_candidates_are_what_one_fit_of_all_their_epochs_gives(seed):
    result = search(seed=seed)
    for run in result.runs:
        model, history = fitted(run, run["epochs"], seed)
        assert run["val_accuracy"] == history.val_accuracy[-1]
        assert run["val_loss"] == history.val_loss[-1]
        assert run["loss"] == history.loss[-1]
        if run is result.best:
            np.testing.assert_array_equal(result.best_model.theta, model.theta)


def test_a_schedule_spans_all_rungs():
    space = [{"units": 4, "lr": schedules.Cosine(0.02)}, {"units": 4, "lr": 1e-5}]
    result = search(space, factor=2)

    assert result.best["lr"] is space[0]["lr"]
    model, _ = fitted(result.best, 9, lr=schedules.Cosine(0.02))
    np.testing.assert_array_equal(result.best_model.theta, model.theta)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_do_not_depend_on_threads(n_threads):
    assert search(n_threads=n_threads).runs == search().runs


@pytest.mark.parametrize(
    ("n", "epochs", "first", "factor", "rungs"),
    [
        (81, 81, None, 3, [1, 3, 9, 27, 81]),
        (8, 20, None, 2, [2, 4, 8, 16, 20]),
        (5, 40, None, 3, [13, 39, 40]),
        (1, 10, None, 3, [10]),
        (200, 4, None, 3, [1, 3, 4]),
        (9, 12, 5, 3, [5, 12]),
        (9, 4, 30, 3, [4]),
    ],
)
def test_rungs(n, epochs, first, factor, rungs):
    assert halving._rungs(n, epochs, first, factor) == rungs


def test_random_candidates_are_drawn_as_in_a_sweep():
    space = {"units": [3, 6], "lr": LogUniform(1e-4, 1e-1)}
    result = search(space, n_candidates=5, seed=3)

    drawn = sweep.draw_settings(space, 5, 3)
    assert sorted(run["lr"] for run in result.runs) == sorted(one["lr"] for one in drawn)
    assert result.parameters == ("units", "lr")


def test_the_optimizer_and_fit_take_what_the_model_does_not():
    space = [
        {"units": 3, "optimizer": "momentum", "lr": 0.1, "batch_size": 10},
        {"units": 3, "optimizer": SGD(momentum=0.3), "l2": 0.01, "batch_size": 60},
    ]
    result = search(space, epochs=1)

    for run, batch_size, l2 in zip(space, (10, 60), (0.0, 0.01), strict=True):
        optimizer = SGD(0.1, momentum=0.9) if batch_size == 10 else SGD(momentum=0.3)
        model = make_model(3, 0)
        history = model.fit(
            *DATA, optimizer=optimizer, batch_size=batch_size, l2=l2, epochs=1, verbose=False
        )
        [found] = [one for one in result.runs if one["batch_size"] == run["batch_size"]]
        assert found["loss"] == history.loss[0]


def test_an_optimizer_object_gives_the_defaults_and_is_not_used_itself():
    optimizer = Adam(lr=0.03, beta1=0.5)
    result = search({"units": [4, 7]}, optimizer=optimizer, epochs=2)

    assert optimizer.t == 0
    model = make_model(result.best["units"], 0)
    model.fit(*DATA, optimizer=Adam(0.03, beta1=0.5), epochs=2, batch_size=30, verbose=False)
    np.testing.assert_array_equal(result.best_model.theta, model.theta)


def test_a_model_function_that_takes_anything_gets_the_rest():
    def make(seed, **rest):
        return make_model(rest["units"], seed, rest["dropout"])

    result = search({"units": [4], "dropout": [0.0, 0.5], "lr": [0.01]}, make)

    assert {run["dropout"] for run in result.runs} == {0.0, 0.5}


def test_without_validation_data_rows_are_set_aside():
    result = fastmlp.search(
        make_model, SPACE, X, y, epochs=3, validation_fraction=0.3, seed=4, verbose=False
    )
    order = np.random.default_rng(4).permutation(150)
    kept = np.sort(order[:45])

    assert result.best["val_accuracy"] == result.best_model.evaluate(X[kept], y[kept])[1]


def test_numbers_are_compared_by_loss():
    def make(units, seed):
        return Sequential(Linear(5, units), ReLU(), Linear(units, 1), seed=seed)

    result = fastmlp.search(
        make, SPACE, X, X[:, 0] * 2, loss="mse", epochs=9, batch_size=16, verbose=False
    )

    last = [run["val_loss"] for run in result.runs if run["epochs"] == 9]
    assert result.best["val_loss"] == min(last)
    assert result.best["lr"] == 1e-2


def test_a_candidate_that_diverges_is_dropped(capsys):
    space = {"units": [4], "lr": [1e30, 1e-2, 1e-3]}
    result = search(space, optimizer="sgd", epochs=4, factor=2)

    assert result.runs[-1]["lr"] == 1e30
    assert "diverged" in result.runs[-1]["failed"]
    assert result.best["epochs"] == 4
    assert "diverged" in result.table()
    capsys.readouterr()


def test_if_all_diverge_there_is_no_best_model(capsys):
    result = search({"units": [4, 5], "lr": [1e30]}, optimizer="sgd")

    assert result.all_failed
    assert result.best_model is None
    capsys.readouterr()


def test_a_time_limit_ends_the_search_with_what_there_is(capsys):
    result = search(epochs=10**6, first_epochs=2, time_limit=0.5)

    assert result.best["epochs"] >= 2
    assert result.best_model is not None
    assert "time limit" in capsys.readouterr().err


def test_progress_is_told(capsys):
    search(verbose=True)

    assert "rung 3 of 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("space", "given", "words"),
    [
        ({"unit": [3]}, {}, ("unit", "units")),
        ({"units": [3], "momentum": [0.1]}, {}, ("momentum",)),
        ([], {}, ("at least one",)),
        ({}, {}, ("at least one",)),
        ("lr", {}, ("space",)),
        ([{"units": 3}], {"n_candidates": 3}, ("n_candidates",)),
        (SPACE, {"factor": 1}, ("factor", "2")),
        (SPACE, {"epochs": 0}, ("epochs",)),
        (SPACE, {"validation_data": None, "validation_fraction": 0.001}, ("validation_data",)),
        ({"units": [3], "lr": [-1.0]}, {}, ("lr",)),
    ],
)
def test_wrong_arguments_are_refused(space, given, words):
    with refused((TypeError, ValueError), *words):
        search(space, **given)


def test_a_function_that_makes_something_else_is_refused():
    with refused(TypeError, "Sequential"):
        search({"lr": [0.1]}, lambda: "model")
