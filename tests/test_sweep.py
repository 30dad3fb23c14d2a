"""The search over training parameters, from Python and from the command line."""

import csv
import json

import numpy as np
import pytest

from fastmlp import Adam, Linear, ReLU, Sequential, load, sweep
from fastmlp.cli import main

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 6)).astype(np.float32)
y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def train(seed, n_threads, lr, units=4, epochs=3):
    """Train a small network, as a user would."""
    model = Sequential(Linear(6, units), ReLU(), Linear(units, 2), seed=seed)
    model.fit(
        X,
        y,
        optimizer=Adam(lr=lr),
        epochs=epochs,
        batch_size=20,
        seed=seed,
        n_threads=n_threads,
        verbose=False,
    )
    loss, accuracy = model.evaluate(X, y)
    return model, {"val_accuracy": accuracy, "val_loss": loss, "n_threads": n_threads}


class Counted:
    """Counts its calls, and can stop early."""

    def __init__(self, last=None):
        self.calls, self.last = [], last

    def __call__(self, seed, n_threads, **settings):
        if len(self.calls) == self.last:
            raise KeyboardInterrupt
        self.calls.append(settings)
        return train(seed, n_threads, **settings)


GRID = {"lr": [1e-4, 3e-2], "units": [3, 5]}


def search(function=train, parameters=GRID, **options):
    return sweep.search(function, parameters, **{"n_jobs": 1, "verbose": False, **options})


def test_a_grid_trains_every_combination_and_sorts():
    function = Counted()

    result = search(function)

    assert function.calls == [
        {"lr": 1e-4, "units": 3},
        {"lr": 1e-4, "units": 5},
        {"lr": 3e-2, "units": 3},
        {"lr": 3e-2, "units": 5},
    ]
    accuracies = [run["val_accuracy"] for run in result.runs]
    assert accuracies == sorted(accuracies, reverse=True)
    assert result.best["lr"] == 3e-2


def test_the_best_model_is_kept():
    result = search()
    assert result.best_model.evaluate(X, y)[1] == result.best["val_accuracy"]


def test_processes_find_the_same_and_share_the_threads():
    alone = search(n_threads=2)
    together = search(n_jobs=2, n_threads=2)

    def found(result):
        return [(run["lr"], run["units"], run["val_accuracy"]) for run in result.runs]

    assert sorted(found(alone)) == sorted(found(together))
    assert {run["n_threads"] for run in alone.runs} == {2}
    assert {run["n_threads"] for run in together.runs} == {1}
    assert together.best_model.evaluate(X, y)[1] == together.best["val_accuracy"]


def test_an_interrupted_search_continues(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(Counted(last=3), folder=tmp_path)
    function = Counted()

    result = search(function, folder=tmp_path)

    assert function.calls == [{"lr": 3e-2, "units": 5}]
    assert len(result.runs) == 4
    assert result.runs == search(folder=tmp_path / "other").runs


def test_a_finished_search_returns_its_best_model(tmp_path):
    first = search(folder=tmp_path)
    function = Counted()

    again = search(function, folder=tmp_path)

    assert function.calls == []
    np.testing.assert_array_equal(again.best_model.theta, first.best_model.theta)
    np.testing.assert_array_equal(load(tmp_path / "best.safetensors").theta, first.best_model.theta)
    assert len(list(tmp_path.glob("run-*.safetensors"))) == 1


def test_another_seed_is_another_search(tmp_path):
    search(folder=tmp_path)
    function = Counted()
    search(function, folder=tmp_path, seed=1)
    assert len(function.calls) == 4


def test_another_context_is_another_search(tmp_path):
    search(folder=tmp_path, context="ten epochs")
    function = Counted()
    search(function, folder=tmp_path, context="twenty epochs")
    assert len(function.calls) == 4


def test_random_draws_are_seeded_and_in_range():
    parameters = {"lr": sweep.LogUniform(1e-4, 1e-1), "p": sweep.Uniform(0.0, 0.5), "n": [1, 2]}

    drawn = sweep.draw_settings(parameters, 50, seed=3)

    assert drawn == sweep.draw_settings(parameters, 50, seed=3)
    assert drawn != sweep.draw_settings(parameters, 50, seed=4)
    assert all(1e-4 <= s["lr"] <= 1e-1 and 0.0 <= s["p"] <= 0.5 for s in drawn)
    assert {s["n"] for s in drawn} == {1, 2}
    assert np.median([s["lr"] for s in drawn]) < 2e-2


def test_random_draws_from_lists_are_distinct():
    drawn = sweep.draw_settings({"a": [1, 2, 3], "b": [4, 5]}, 6, seed=0)
    assert len({tuple(s.items()) for s in drawn}) == 6


def test_table_and_csv(tmp_path):
    result = search()

    result.to_csv(tmp_path / "t.csv")

    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["val_accuracy"]) for row in rows] == [
        run["val_accuracy"] for run in result.runs
    ]
    lines = result.table().splitlines()
    assert lines[0].split()[:3] == ["lr", "units", "val_accuracy"]
    assert len(lines) == 5


def test_heat_map_shows_the_best_of_a_cell():
    pytest.importorskip("matplotlib")
    result = search(parameters=GRID | {"epochs": [1, 3]})

    figure = result.heat_map("units", "lr")

    axes = figure.axes[0]
    cells = axes.images[0].get_array()
    best = max(r["val_accuracy"] for r in result.runs if r["units"] == 3 and r["lr"] == 3e-2)
    assert axes.get_xlabel() == "lr"
    assert cells.shape == (2, 2)
    assert cells[0, 1] == best


def test_a_heat_map_needs_two_parameters():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="two parameters"):
        search(parameters={"lr": [1e-3, 1e-2]}).heat_map()


def test_invalid_search_arguments_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        search(parameters={})
    with pytest.raises(TypeError, match="n_runs"):
        search(parameters={"lr": sweep.LogUniform(1e-3, 1e-2)})
    with pytest.raises(ValueError, match="val_accuracy"):
        search(lambda seed, n_threads, lr: (None, {}), {"lr": [1.0]})


def test_runs_without_an_accuracy_come_last():
    def fickle(seed, n_threads, lr):
        return f"model {lr}", {"val_accuracy": None if lr > 1 else lr}

    result = search(fickle, {"lr": [2.0, 0.5, 0.1]})

    assert [run["lr"] for run in result.runs] == [0.5, 0.1, 2.0]
    assert result.best_model == "model 0.5"


SMALL = ("--hidden", "16", "--epochs", "2", "--jobs", "1")


class TestCommandLine:
    def test_prints_a_table_and_leaves_a_folder(self, tmp_path, capsys):
        pytest.importorskip("matplotlib")
        options = ["--lr", "1e-3,5e-3", "--l2", "0,1e-4", *SMALL]

        code = main(["sweep", "digits", *options, "--out", str(tmp_path), "--json"])

        lines = capsys.readouterr().out.splitlines()
        report = json.loads(lines[-1])
        accuracies = [run["val_accuracy"] for run in report["runs"]]
        assert code == 0
        assert len(accuracies) == 4
        assert accuracies == sorted(accuracies, reverse=True)
        assert report["best"] == report["runs"][0]
        assert report["test_accuracy"] > 0.5
        assert set(report["best"]) >= {"lr", "l2"}
        assert "hidden" not in report["best"]
        for name in ("results.csv", "heat-map.png", "best.safetensors"):
            assert (tmp_path / name).stat().st_size > 0

    def test_draws_from_ranges(self, capsys):
        options = ["--lr", "1e-3:1e-2", "--random", "3", *SMALL, "--hidden", "8/8,8"]

        assert main(["sweep", "digits", *options, "--json"]) == 0

        runs = json.loads(capsys.readouterr().out.splitlines()[-1])["runs"]
        assert len(runs) == 3
        assert all(1e-3 <= run["lr"] <= 1e-2 for run in runs)

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ([], "--lr 1e-3,2e-3"),
            (["--lr", "fast"], "number above 0"),
            (["--lr", "1e-2:1e-3", "--random", "2"], "lower number first"),
            (["--lr", "1e-3", "--val-fraction", "0"], "--val-fraction above 0"),
        ],
    )
    def test_refuses_bad_options_in_one_sentence(self, options, told, capsys):
        assert main(["sweep", "digits", *options]) == 2
        assert told in capsys.readouterr().err
