"""`fastmlp sweep` on tables: over methods and ensembles, for classes and numbers."""

import json

import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

import polars as pl
from tabular_support import birds

import fastmlp
from fastmlp.cli import main, table_sweep


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write a table of birds."""
    return written(tmp_path_factory.mktemp("birds") / "birds.csv", 80)


def written(path, n_rows, seed=0):
    frame, species, grams = birds(n_rows, seed)
    frame.with_columns(species=pl.Series(species), grams=pl.Series(grams)).write_csv(path)
    return path


def sweep(capsys, *words):
    """Return the exit code, and the lines of standard output and of standard error."""
    code = main(["sweep", *map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


def test_ensembles_are_compared_and_the_best_can_predict(capsys, tmp_path, table):
    folder = tmp_path / "runs"
    line = [table, "--target=species", "--drop=grams", "--ensemble=1,2", f"--out={folder}"]

    code, out, err = sweep(capsys, *line, "--json")

    report = json.loads(out[-1])
    assert code == 0
    assert sorted(run["ensemble"] for run in report["runs"]) == [1, 2]
    assert report["best"]["val_accuracy"] == max(r["val_accuracy"] for r in report["runs"])
    assert [line for line in err if "run 2 of 2: ensemble 2: val_accuracy " in line]
    assert any(line.startswith("test rows") and "always " in line for line in out)
    assert len((folder / "results.csv").read_text().splitlines()) == 3

    best = folder / "best.safetensors"
    assert len(fastmlp.load(best)._model.recipes) == report["best"]["ensemble"]
    assert main(["evaluate", str(best), str(table)]) == 0
    assert "baseline" in capsys.readouterr().out


def test_a_sweep_of_numbers_is_decided_by_the_metric_and_continues(capsys, tmp_path, table):
    words = ["--target=grams", "--method=realmlp-td-s", "--metric=mae", f"--out={tmp_path}"]

    code, out, err = sweep(capsys, table, *words)
    again, same, told = sweep(capsys, table, *words)

    assert (code, again) == (0, 0)
    assert same == out
    assert any("val_mae" in line for line in err)
    assert any("1 of 1 runs are already done" in line for line in told)
    assert any(line.startswith("RMSE") for line in out)


def test_other_rows_of_the_same_number_are_another_sweep(capsys, tmp_path):
    words = ["--target=adult", "--method=realmlp-td-s", f"--out={tmp_path / 'runs'}"]
    path = tmp_path / "birds.csv"

    sweep(capsys, written(path, 60), *words)
    _, _, told = sweep(capsys, written(path, 60, seed=1), *words)

    assert not any("already done" in line for line in told)


def test_rows_that_compare_are_not_learned_from(monkeypatch, capsys, table):
    seen = []

    def build(encoder, rows, val, classes, plan, target):
        seen.append((len(rows), val))
        raise ValueError("not today")

    monkeypatch.setattr(table_sweep, "build", build)

    code, out, _ = sweep(capsys, table, "--target=species", "--ensemble=1", "--val-fraction=0.25")

    assert code == 1
    assert seen == [(48, None)]  # of 64 training rows
    assert any("not today" in line for line in out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method=realmlp-td-s", "--lr=1e-3"], "--method is for the networks that are made for"),
        (["--method=realmlp"], "unknown method 'realmlp': did you mean 'realmlp-td'?"),
        (["--ensemble=1,x"], "expected a whole number, 1 or more, got 'x'"),
        (["--ensemble=1", "--plot=a.png"], "needs two options with several values"),
        (["--ensemble=1", "--val-fraction=0"], "give a --val-fraction above 0"),
        (["--ensemble=1", "--checkpoint-every=1"], "give --out DIR"),
        (
            ["--ensemble=1", "--out=x", "--checkpoint-every=1", "--time-limit=9"],
            "--checkpoint-every and --time-limit exclude each other",
        ),
        ([], "a sweep needs values to try"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(capsys, table, words, told):
    code, out, err = sweep(capsys, table, "--target=species", *words)

    assert code == 2
    assert out == []
    assert told in err[-1]
