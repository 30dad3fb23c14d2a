"""`fastmlp train`, `predict` and `evaluate` on files with the faults that real ones have."""

import csv

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

from fastmlp.cli import main

N = 50
RNG = np.random.default_rng(3)
COLUMNS = {
    "height": [f"{value:.2f}" for value in RNG.normal(170, 9, N)],
    "colour": [("red", "blue")[i % 2] for i in range(N)],
    "born": [f"19{50 + i % 40}-0{i % 9 + 1}-17" for i in range(N)],
    "kind": [("tall", "small")[int(value > 0.4)] for value in RNG.random(N)],
}
QUICK = ("--method", "realmlp-td-s", "--ensemble", 1, "--time-limit", 0.01)


def written(folder, name="t.csv", **changed):
    """Write the columns, with others or in another way, and return the path."""
    columns = {k: v for k, v in (COLUMNS | changed).items() if v is not None}
    path = folder / name
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    return path


def run(capsys, *arguments):
    """Return the exit code, and the lines of standard output and of standard error."""
    code = main([*map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    out = folder / "m.safetensors"
    line = ["train", written(folder), "--target", "kind", *QUICK, "--out", out]
    assert main([*map(str, line)]) == 0
    return out


def but(column, places, text):
    """Return a column with another text in some rows."""
    return [text if i in places else value for i, value in enumerate(COLUMNS[column])]


def test_doubts_of_train_name_rows_of_the_file_and_come_once(capsys, tmp_path):
    path = written(tmp_path, height=but("height", range(11, N, 2), "tall"))

    _, _, err = run(capsys, "train", path, "--target", "kind", *QUICK)

    (doubt,) = [line for line in err if "'height' is read as numbers" in line]
    assert "'tall', first in data row " in doubt
    row = int(doubt.partition("data row ")[2].split()[0])
    assert row in range(12, N + 1, 2)


def test_errors_of_train_name_rows_of_the_file(capsys, tmp_path):
    path = written(tmp_path, height=but("height", [37], "1e60"))

    code, _, err = run(capsys, "train", path, "--target", "kind", *QUICK)

    assert code == 2
    assert "got 1e+60 in data row 38" in err[-1]


@pytest.mark.parametrize("values", [["2.5"] * N, ["same"] * N, ["7"] * N])
def test_a_target_that_never_changes_is_refused(capsys, tmp_path, values):
    code, _, err = run(capsys, "train", written(tmp_path, kind=values), "--target", "kind", *QUICK)

    assert code == 2
    assert "'kind' has the same value" in err[-1]
    assert "there is nothing to learn" in err[-1]


def test_classes_and_categories_that_differ_in_case_are_doubtful(capsys, tmp_path):
    changed = {"kind": but("kind", range(9), "TALL"), "colour": but("colour", [4, 5, 6], "Red")}

    _, _, err = run(capsys, "train", written(tmp_path, **changed), "--target", "kind", *QUICK)

    assert sum("which differ only in case" in line for line in err) == 2


def test_numbers_as_classes_of_nearly_one_row_each_are_doubtful(capsys, tmp_path):
    path = written(tmp_path)

    _, _, err = run(capsys, "train", path, "--target", "height", "--task", "classification", *QUICK)

    assert any("classes in 50 rows: --task regression predicts numbers" in line for line in err)


def test_the_plain_network_says_that_it_reads_only_csv(capsys, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')

    code, _, err = run(capsys, "train", path, "--target", "b", "--hidden", 4)

    assert code == 2
    assert "is JSON lines, and the plain network reads only CSV: leave out its options" in err[-1]


def test_test_rows_that_lack_a_column_are_told_by_the_name_of_their_file(capsys, tmp_path):
    held_out = written(tmp_path, "held-out.csv", born=None)

    code, _, err = run(
        capsys, "train", written(tmp_path), "--target", "kind", "--test", held_out, *QUICK
    )

    assert code == 2
    assert "held-out.csv' lacks the column 'born', which the model was trained with" in err[-1]


@pytest.mark.parametrize(
    "changed",
    [
        {"height": ["?"] * N},
        {"born": ["17.1.1950"] * N},
        {"born": [f"{day}T00:00:00Z" for day in COLUMNS["born"]]},
        {"colour": ["violet"] * N},
        {"colour": ["1"] * N},
        {"note": ["new"] * N},
        {"kind": None},
    ],
)
def test_there_is_a_prediction_for_every_row_whatever_it_holds(capsys, model, tmp_path, changed):
    code, out, _ = run(capsys, "predict", model, written(tmp_path, **changed))

    assert code == 0
    assert len(out) == N + 1


def test_dates_with_times_are_still_dates(capsys, model, tmp_path):
    expected = run(capsys, "predict", model, written(tmp_path), "--proba")
    timed = written(tmp_path, "timed.csv", born=[f"{day}T00:00:00Z" for day in COLUMNS["born"]])

    assert run(capsys, "predict", model, timed, "--proba") == expected


def test_a_column_of_unknown_categories_is_told(capsys, model, tmp_path):
    path = written(tmp_path, colour=["rouge", "bleu"] * (N // 2))

    _, _, err = run(capsys, "predict", model, path)

    assert len(err) == 1
    assert "'colour' holds 'rouge' and none of the categories of the training rows" in err[0]


def test_a_row_without_a_target_is_named(capsys, model, tmp_path):
    path = written(tmp_path, kind=but("kind", [8], ""))

    _, _, err = run(capsys, "evaluate", model, path)

    assert err == ["fastmlp: the column 'kind' has no value in data row 9, which is left out"]


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16"])
def test_each_file_has_its_own_encoding(capsys, tmp_path, model, encoding):
    named = {"größe" if name == "height" else name: cells for name, cells in COLUMNS.items()}
    named["colour"] = [("grün", "weiß")[i % 2] for i in range(N)]
    plain, other, out = (tmp_path / name for name in ("plain.csv", "other.csv", "m.safetensors"))
    lines = [",".join(row) + "\r\n" for row in [named, *zip(*named.values(), strict=True)]]
    plain.write_text("".join(lines), encoding="utf-8")
    other.write_text("".join(lines), encoding=encoding)

    code, _, told = run(capsys, "train", other, "--target", "kind", *QUICK, "--out", out)
    found = [run(capsys, "predict", out, path) for path in (plain, other)]
    evaluated = run(capsys, "evaluate", out, other)

    assert code == evaluated[0] == 0
    assert found[0][1] == found[1][1]
    assert not found[0][2]
    for err in (told, found[1][2], evaluated[2]):
        notes = [line for line in err if "is read as Windows-1252: set --encoding" in line]
        assert len(notes) == (encoding == "windows-1252")


def test_an_unknown_encoding_is_one_sentence(capsys, tmp_path, model):
    code, _, err = run(capsys, "predict", model, written(tmp_path), "--encoding", "utf_17")

    assert code == 2
    assert err == [
        "fastmlp predict: argument --encoding: unknown encoding 'utf_17': did you mean 'utf-16'?"
    ]
