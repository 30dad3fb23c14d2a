"""`fastmlp train`, `predict` and `evaluate` on tables: from a raw file to new rows."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

import polars as pl
from tabular_support import SPECIES, birds

from fastmlp.cli import main

ROWS = 100


def run(capsys, *arguments):
    """Return the exit code, and the lines of standard output and of standard error."""
    code = main([*map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


def table(n=ROWS, seed=0):
    frame, species, grams = birds(n, seed)
    return frame.with_columns(species=pl.Series(species), grams=pl.Series(grams.round(1)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write tables of birds, and a model that predicts the species."""
    path = tmp_path_factory.mktemp("birds")
    table().write_csv(path / "birds.csv")
    table(40, seed=3).write_csv(path / "new.csv")
    assert (
        main(
            [
                "train",
                str(path / "birds.csv"),
                "--target=species",
                "--drop=grams",
                f"--out={path / 'm.safetensors'}",
            ]
        )
        == 0
    )
    return path


def test_scores_stand_beside_a_baseline(capsys, folder):
    _, out, _ = run(capsys, "train", folder / "birds.csv", "--target", "species", "--drop", "grams")

    heads = next(line for line in out if line.startswith("test rows"))
    names = [line.rsplit(None, 2)[0].strip() for line in out[out.index(heads) + 1 :][:4]]
    assert "model" in heads
    assert "always " in heads
    assert names == ["accuracy", "balanced accuracy", "AUC", "log loss"]


def test_scores_of_numbers_have_their_own_units(capsys, folder):
    code, out, _ = run(capsys, "train", folder / "birds.csv", "--target", "grams", "--json")

    report = json.loads(out[-1])
    assert code == 0
    assert set(report["test"]) == {"rmse", "mae", "r2"}
    assert report["test"]["rmse"] < report["baseline"]["rmse"]
    assert report["test_r2"] == report["test"]["r2"]
    assert any(line.startswith("test rows") and line.endswith("the mean") for line in out)


def test_columns_are_counted_by_kind(capsys, folder):
    _, out, err = run(capsys, "train", folder / "birds.csv", "--target", "species")

    told = " ".join(out)
    assert "columns: 1 left out, 2 numbers, 2 categories, 1 date" in " ".join(told.split())
    assert any(line.startswith("ring: left out, a different text") for line in err)
    assert any(line.startswith("span: number, ") for line in err)


def test_a_table_that_tells_nothing_is_said_to_tell_nothing(capsys, tmp_path):
    rng = np.random.default_rng(1)
    coin = rng.random(200) < 0.1
    path = tmp_path / "noise.csv"
    pl.DataFrame({"x": rng.normal(size=200), "coin": coin}).write_csv(path)

    _, out, _ = run(capsys, "train", path, "--target", "coin")

    assert any("no better than predicting always false" in line for line in out)


def test_rows_of_another_file_can_be_the_test_rows(capsys, folder):
    line = ["--target", "species", "--drop", "grams", "--test", folder / "new.csv", "--json"]

    _, out, _ = run(capsys, "train", folder / "birds.csv", *line)

    report = json.loads(out[-1])
    assert (report["train_rows"], report["test_rows"]) == (ROWS, 40)


def test_an_ensemble_has_as_many_networks_as_asked_for(capsys, folder):
    line = ["--target", "species", "--ensemble", "3", "--metric", "log-loss", "--json"]

    _, out, _ = run(capsys, "train", folder / "birds.csv", *line)

    assert json.loads(out[-1])["n_networks"] == 3


def test_a_pack_is_trained_within_a_time_limit_and_predicts_new_rows(capsys, folder, tmp_path):
    model = tmp_path / "pack.safetensors"
    line = ["--target", "species", "--method", "pack", "--ensemble", "2", "--time-limit", "0.001"]

    _, out, _ = run(capsys, "train", folder / "birds.csv", *line, "--out", model, "--json")
    code, predicted, _ = run(capsys, "predict", model, folder / "new.csv")

    report = json.loads(out[-1])
    assert report["method"] == "pack"
    assert 1 <= report["n_networks"] <= report["n_trained"] <= 2
    assert code == 0
    assert len(predicted) == 41


@pytest.mark.parametrize("ending", ["csv.gz", "tsv", "parquet", "arrow", "jsonl"])
def test_other_files_give_the_same_model(capsys, folder, tmp_path, ending):
    import gzip

    path = tmp_path / f"birds.{ending}"
    frame = table()
    match ending:
        case "csv.gz":
            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        case "tsv":
            frame.write_csv(path, separator="\t")
        case "parquet":
            frame.write_parquet(path)
        case "arrow":
            frame.write_ipc(path)
        case "jsonl":
            frame.write_ndjson(path)
    line = ["--target", "species", "--drop", "grams", "--time-limit", "1000", "--ensemble", "1"]

    _, out, _ = run(capsys, "train", path, *line, "--json")
    _, expected, _ = run(capsys, "train", folder / "birds.csv", *line, "--json")

    assert json.loads(out[-1])["test"] == json.loads(expected[-1])["test"]


def test_new_rows_are_predicted_in_their_order(capsys, folder, tmp_path):
    header, *rows = (folder / "new.csv").read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join([header, *rows[::-1]]) + "\n")

    code, out, err = run(capsys, "predict", folder / "m.safetensors", folder / "new.csv")
    _, turned, _ = run(capsys, "predict", folder / "m.safetensors", tmp_path / "turned.csv")

    assert (code, err) == (0, [])
    assert out[0] == turned[0] == "species"
    assert len(out) == 41
    assert out[1:] == turned[:0:-1]
    right = np.array(out[1:]) == table(40, seed=3)["species"].to_numpy()
    assert right.mean() > 0.5  # a guess is right for a third


def test_probabilities_have_a_column_for_each_class(capsys, folder, tmp_path):
    out = tmp_path / "p.csv"

    run(capsys, "predict", folder / "m.safetensors", folder / "new.csv", "--proba", "--out", out)

    header, *rows = csv.reader(out.read_text().splitlines())
    assert tuple(header) == SPECIES
    np.testing.assert_allclose(np.array(rows, float).sum(axis=1), 1, atol=1e-5)


def test_predictions_of_numbers_are_numbers(capsys, folder, tmp_path):
    model = tmp_path / "grams.safetensors"
    run(capsys, "train", folder / "birds.csv", "--target", "grams", "--out", model)

    _, out, _ = run(capsys, "predict", model, folder / "new.csv")

    assert out[0] == "grams"
    assert np.isfinite(np.array(out[1:], float)).all()


def test_a_model_is_scored_on_new_rows(capsys, folder):
    code, out, _ = run(capsys, "evaluate", folder / "m.safetensors", folder / "new.csv", "--json")
    _, predicted, _ = run(capsys, "predict", folder / "m.safetensors", folder / "new.csv")

    report = json.loads(out[-1])
    right = np.mean(np.array(predicted[1:]) == table(40, seed=3)["species"].to_numpy())
    assert code == 0
    assert report["rows"] == 40
    assert report["scores"]["accuracy"] == pytest.approx(right)
    assert report["baseline"]["accuracy"] < right


def in_small_blocks(monkeypatch):
    """Read tables in blocks of a few rows."""
    monkeypatch.setattr("fastmlp.datasets.frame_blocks.BLOCK_BYTES", 200)


def test_predictions_do_not_depend_on_the_blocks_in_which_rows_are_read(
    capsys, folder, monkeypatch
):
    found = {}
    for size in ("large", "small"):
        for command in ("predict", "evaluate"):
            words = command, folder / "m.safetensors", folder / "new.csv"
            found[command, size] = run(capsys, *words)
        in_small_blocks(monkeypatch)

    assert found["predict", "small"] == found["predict", "large"]
    assert found["evaluate", "small"] == found["evaluate", "large"]


def test_a_file_that_is_wrong_at_its_end_leaves_no_predictions(
    capsys, folder, tmp_path, monkeypatch
):
    in_small_blocks(monkeypatch)
    path, out = tmp_path / "t.csv", tmp_path / "p.csv"
    path.write_text((folder / "new.csv").read_text() + "1,2\n")

    code, _, err = run(capsys, "predict", folder / "m.safetensors", path, "--out", out)

    assert code == 2
    assert "line 42 of" in err[-1]
    assert not out.exists()


def test_rows_without_a_target_are_left_out_and_counted(capsys, folder, tmp_path):
    path = tmp_path / "gaps.csv"
    table(40, seed=3).with_columns(
        species=pl.when(pl.int_range(40) < 6).then(None).otherwise("species")
    ).write_csv(path)

    _, out, err = run(capsys, "evaluate", folder / "m.safetensors", path, "--json")

    assert json.loads(out[-1])["rows_without_target"] == 6
    assert any("has no value in 6 rows, which are left out" in line for line in err)


def test_a_doubt_about_new_values_names_the_row(capsys, folder, tmp_path):
    path = tmp_path / "odd.csv"
    odd = ["wide" if i == 4 else None for i in range(40)]
    frame = table(40, seed=3)
    frame.with_columns(span=pl.coalesce(pl.Series(odd), "span")).write_csv(path)

    _, _, err = run(capsys, "predict", folder / "m.safetensors", path)

    assert len(err) == 1
    assert "'span' is read as numbers" in err[0]
    assert "'wide', first in data row 5" in err[0]


def test_an_option_of_the_plain_network_trains_it(capsys, folder):
    line = ["--target", "species", "--hidden", "8", "--epochs", "1", "--drop", "grams"]

    _, out, _ = run(capsys, "train", folder / "birds.csv", *line)

    assert any(line.startswith("hidden layers 8, relu") for line in out)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train birds.csv --target species --method realmlp", "did you mean 'realmlp-td'"),
        (
            "train birds.csv --target species --method realmlp-td-s --hidden 9",
            "--hidden for the plain",
        ),
        ("train birds.csv --target species --metric rmse", "unknown metric 'rmse'"),
        ("train birds.csv --target species --test none.csv", "none.csv"),
        ("train digits --ensemble 3", "--ensemble is for tables; digits has no columns"),
        (
            "train birds.csv --target -x",
            "write a value that begins with a minus sign as --target=VALUE",
        ),
        ("predict birds.csv birds.csv", "not a safetensors file"),
        ("predict m.safetensors other.csv", "lacks the column 'span' and 3 more"),
        ("predict m.safetensors none.csv", "the table 'none.csv' does not exist"),
        ("predict m.safetensors none.csv --out p.csv", "the table 'none.csv' does not exist"),
        ("evaluate m.safetensors unlabelled.csv", "lacks the column 'species'"),
        ("evaluate m.safetensors strange.csv", "holds 'emu' in data row 2, which is not one of"),
        ("predict m.safetensors broken.parquet", "cannot be read as Parquet"),
    ],
)
def test_what_is_wrong_is_one_sentence(capsys, folder, monkeypatch, line, message):
    monkeypatch.chdir(folder)
    (folder / "other.csv").write_text("a,b\n1,2\n")
    table(9).drop("species").write_csv(folder / "unlabelled.csv")
    table(9).with_columns(
        species=pl.when(pl.int_range(9) == 1).then(pl.lit("emu")).otherwise("species")
    ).write_csv(folder / "strange.csv")
    (folder / "broken.parquet").write_bytes(b"PAR1" + bytes(50))

    try:
        code, _, err = run(capsys, *line.split())
    except SystemExit as end:
        code, err = end.code, capsys.readouterr().err.splitlines()

    assert code == 2
    assert message in err[-1]
    assert not any("Traceback" in text for text in err)


def test_a_plain_network_cannot_read_tables(capsys, folder, tmp_path):
    model = tmp_path / "digits.safetensors"
    run(capsys, "train", "digits", "--epochs", "1", "--hidden", "8", "--out", model)

    code, _, err = run(capsys, "predict", model, folder / "new.csv")

    assert code == 2
    assert "holds a network without a description of a table's columns" in err[0]
