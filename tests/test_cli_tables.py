"""`fastmlp train` on tables: options, notes about columns, and option names in messages."""

import gzip
import json

import numpy as np
import pytest
from dataset_support import write_table

from fastmlp.cli import main


def train(capsys, *arguments):
    """Train for one epoch; return the exit code, the report and the lines of standard error."""
    code = main(["train", *map(str, arguments), "--epochs", "1", "--json"])
    printed = capsys.readouterr()
    report = json.loads(printed.out.splitlines()[-1]) if code == 0 else None
    return code, report, printed.err.splitlines()


@pytest.fixture
def flowers(tmp_path):
    """Write a table with semicolons, a code, an odd cell, row numbers and a class."""
    rows = [
        f"{i};{i % 9}.5;{'tba' if i == 4 else 100 + i * i};{i % 3};{'rose' if i % 2 else 'iris'}"
        for i in range(200)
    ]
    return write_table(tmp_path, "nr;length;weight;code;kind", *rows, name="flowers.csv")


def test_each_column_has_a_line_on_standard_error(capsys, flowers):
    code, _, lines = train(capsys, flowers, "--target", "kind")

    assert code == 0
    assert "kind: target, 2 classes" in lines
    assert "length: number" in lines
    assert any(line.startswith("nr: left out, only numbers the rows") for line in lines)


def test_warnings_about_columns_name_options(capsys, flowers):
    _, _, lines = train(capsys, flowers, "--target", "kind")

    assert any("--numeric nr uses it" in line for line in lines)
    assert any("'tba', first in data row 5 (--categorical weight" in line for line in lines)


def test_options_for_tables_work(capsys, flowers):
    options = (
        "--delimiter ; --drop nr,length --categorical code --missing tba --task classification"
    )
    code, _, lines = train(capsys, flowers, "--target", "kind", *options.split())

    assert code == 0
    assert "weight: number, 1 missing" in lines
    assert "code: category, 3 texts" in lines
    assert not any(line.startswith(("fastmlp:", "nr:", "length:")) for line in lines)


def test_regression_can_be_chosen_for_a_column_of_codes(capsys, flowers):
    _, report, _ = train(
        capsys, flowers, "--target", "code", "--task", "regression", "--drop", "nr"
    )

    assert report["test_accuracy"] is None


def test_many_columns_are_summarised_in_few_lines(capsys, tmp_path):
    header = ",".join(f"c{j}" for j in range(300))
    rows = [",".join(f"{i * j}.5" for j in range(300)) + f",{i % 2}" for i in range(40)]

    _, _, lines = train(capsys, write_table(tmp_path, f"{header},y", *rows), "--target", "y")

    assert len(lines) < 20
    assert any(line.startswith("number (299 columns): c1, c2") for line in lines)


@pytest.mark.parametrize("name", ["T.CSV.GZ", "no_ending"])
def test_any_existing_file_is_read_as_a_table(capsys, tmp_path, name):
    path = tmp_path / name
    contents = b"x,y\n" + b"1.5,a\n2.5,b\n" * 50
    path.write_bytes(gzip.compress(contents) if name.endswith("GZ") else contents)

    assert train(capsys, path, "--target", "y")[0] == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("iris", "there is no such file"),
        ("flowers.csv", "--target is needed"),
        ("flowers.csv --target kinds", "unknown column 'kinds': did you mean 'kind'"),
        ("flowers.csv --target kind --drop kind", "the target column 'kind' cannot be dropped"),
        ("flowers.csv --target kind --delimiter ,", "separated by ','"),
        ("flowers.csv --target kind --delimiter ;;", "expected one character"),
        ("flowers.csv --target kind --task regresion", "did you mean 'regression'"),
        ("flowers.csv --target kind --task regression", "which regression cannot predict"),
        ("digits --drop a", "--drop is for tables; digits has no columns"),
    ],
)
def test_a_wrong_option_is_one_sentence(capsys, flowers, monkeypatch, line, message):
    monkeypatch.chdir(flowers.parent)

    code, _, lines = train(capsys, *line.split())

    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]


def test_an_unknown_name_suggests_no_unrelated_dataset(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    _, _, lines = train(capsys, "titanic")

    assert "did you mean" not in lines[0]
    assert "digits" in lines[0]


def test_targets_are_standardised_before_they_are_rounded():
    from types import SimpleNamespace

    from fastmlp.cli.data import Task

    y = np.full(50, 1e6) + np.linspace(-0.1, 0.1, 50)
    task = Task(SimpleNamespace(classes=None), y, y, y[:0], y[:0], float(y.mean()), float(y.std()))

    learnt = task.to_learn(y)

    assert learnt.dtype == np.float32
    assert len(np.unique(learnt)) == 50
    assert abs(learnt.std() - 1) < 1e-6


def test_targets_far_from_zero_for_their_spread_are_learnt(capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=1000)
    path = write_table(tmp_path, "a,t", *(f"{u:.5f},{2e6 - u / 5:.3f}" for u in x))

    main(["train", str(path), "--target", "t", "--epochs", "40", "--json"])

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["test_r2"] > 0.9


def test_r2_of_equal_targets_is_undefined(capsys, tmp_path):
    path = write_table(tmp_path, "a,t", *(f"{i % 13}.5,0.1" for i in range(200)))

    _, report, lines = train(capsys, path, "--target", "t")

    assert report["test_r2"] is None
    assert any("has the same value 0.1 in every row" in line for line in lines)
