"""`fastmlp train --report`: a page about the run, for every kind of data."""

import shlex

import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

import polars as pl
from tabular_support import birds

from fastmlp.cli import main, parser
from fastmlp.cli.findings import command_line


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write a table of birds."""
    frame, species, grams = birds(90)
    path = tmp_path_factory.mktemp("birds") / "birds.csv"
    frame.with_columns(species=pl.Series(species), grams=pl.Series(grams)).write_csv(path)
    return path


def page(tmp_path, *words):
    """Return the page of a training."""
    path = tmp_path / "page.html"
    assert main(["train", *map(str, words), f"--report={path}"]) == 0
    return path.read_text(encoding="utf-8")


def test_the_page_of_a_table_tells_of_data_and_importances(tmp_path, table):
    text = page(tmp_path, table, "--target=species", "--drop=grams", "--ensemble=2")

    for told in (
        "Predicting species: birds.csv",
        "always ",
        "Confusion matrix",
        "Calibration",
        "Importance of the columns",
        "a different text in nearly every row",
        "of 2 networks",
        "loss or accuracy of the validation rows",
        "--ensemble 2",
    ):
        assert told in text


def test_the_page_of_numbers_has_residuals_and_the_mean_as_baseline(tmp_path, table):
    text = page(tmp_path, table, "--target=grams", "--metric=mae")

    assert "Residuals" in text
    assert "the mean" in text
    assert "MAE of the validation rows" in text


@pytest.mark.parametrize("target", ["species", "grams"])
def test_a_plain_network_has_a_page_too(tmp_path, table, target):
    text = page(tmp_path, table, f"--target={target}", "--epochs=2")

    assert "2 epochs" in text
    assert "Importance of the columns" in text


def test_images_have_a_page_without_importances(tmp_path):
    text = page(tmp_path, "digits", "--epochs=1", "--hidden=8")

    assert "images of 8 x 8" in text
    assert "Importance" not in text


def test_training_that_diverges_has_a_page(tmp_path, capsys):
    path = tmp_path / "page.html"

    code = main(["train", "digits", "--optimizer=sgd", "--lr=1e30", f"--report={path}"])

    assert code == 1
    assert "diverged at step" in path.read_text(encoding="utf-8")


def test_the_command_on_the_page_does_the_same():
    typed = ["train", "my table.csv", "--target=-x", "--drop", '"a,b",c', "--lr=0.00123456789"]
    typed += ["--no-batch-norm", "--hidden=8,4", "--ensemble=2", "--resume", "--seed=0"]
    arguments = parser().parse_args(typed)

    again = shlex.split(command_line(arguments))

    assert again[:3] == ["fastmlp", "train", "my table.csv"]
    assert parser().parse_args(again[1:]) == arguments


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing/page.html", "the folder"),
        ("page.txt", "--report writes a page, whose name ends in .html, got"),
        ("page", "--report writes a page"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_training(tmp_path, capsys, name, told):
    code = main(["train", "digits", f"--report={tmp_path / name}"])

    printed = capsys.readouterr()
    assert code == 2
    assert told in printed.err
    assert printed.out == ""
