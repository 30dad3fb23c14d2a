"""New rows whose numbers are written in another way than those of the training rows."""

import csv
import warnings

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

import polars as pl

from fastmlp.cli import main
from fastmlp.tabular import TableEncoder

POINTS = ("0.5", "7.25", "31.5", "4.125")
THOUSANDS = ("1,250.5", "900", "12,000.75", "3,000")
COMMAS = ("0,5", "7,25", "31,5", "4,125")
DOTTED = ("1.250,5", "900", "12.000,75", "3.000,5")
WHOLE = ("1250", "900", "12000", "3000")
PERCENT = ("5%", "7.5%", "1%", "99%")
POUNDS = ("£12.50", "£3", "£7.20", "£9.99")


def read(trained, new, european=None):
    """Return the numbers of new texts, and the warning about them without the column's name."""
    encoder = TableEncoder(missing=["void"]).fit(pl.DataFrame({"price": trained * 3}))
    (column,) = encoder.columns
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        numbers = encoder.transform(pl.DataFrame({"price": new}), european=european).numbers[:, 0]
    told = "; ".join(str(warning.message) for warning in caught)
    return (numbers + np.float32(column.center)).tolist(), told.removeprefix("the column 'price' ")


@pytest.mark.parametrize("new", [["2,5", "18,75", "6"], ["2.200,5", "18,75"], ["1.000.000"]])
@pytest.mark.parametrize("trained", [POINTS, THOUSANDS, WHOLE])
def test_decimal_commas_instead_of_points_are_read_and_told(trained, new):
    numbers, told = read(trained, new)

    assert numbers == [float(text.replace(".", "").replace(",", ".")) for text in new]
    assert told == f"is read with the comma in {new[0]!r} as a decimal comma, unlike in training"


@pytest.mark.parametrize("new", [["2.5", "18.75", "6"], ["2,200.5", "18.75"], ["1,000,000"]])
@pytest.mark.parametrize("trained", [COMMAS, DOTTED])
def test_decimal_points_instead_of_commas_are_read_and_told(trained, new):
    numbers, told = read(trained, new)

    assert numbers == [float(text.replace(",", "")) for text in new]
    assert told == f"is read with the point in {new[0]!r} as a decimal point, unlike in training"


@pytest.mark.parametrize(
    ("trained", "new"),
    [
        (POINTS, ["6.5", "2"]),
        (POINTS, ["6,500.5", "2"]),
        (POINTS, ["6.500"]),
        (THOUSANDS, ["6,500"]),
        (COMMAS, ["6,5", "2"]),
        (COMMAS, ["6,500"]),
        (DOTTED, ["6.500"]),
        (POUNDS, ["3.5", "GBP 4"]),
        (WHOLE, ["$3", "4"]),
    ],
)
def test_what_is_written_as_in_training_needs_no_words(trained, new):
    assert read(trained, new)[1] == ""


@pytest.mark.parametrize(
    ("trained", "european", "number", "mark", "what"),
    [
        (POINTS, None, 6500, "comma", "a thousands separator, which it had not"),
        (POINTS, False, 6500, "comma", "a thousands separator, which it had not"),
        (POINTS, True, 6.5, "comma", "a decimal comma, unlike"),
        (THOUSANDS, True, 6.5, "comma", "a decimal comma, unlike"),
        (COMMAS, None, 6.5, "point", "a decimal point, unlike"),
        (COMMAS, False, 6.5, "point", "a decimal point, unlike"),
        (COMMAS, True, 6500, "point", "a thousands separator, which it had not"),
        (DOTTED, False, 6.5, "point", "a decimal point, unlike"),
    ],
)
def test_a_mark_before_three_digits_is_read_by_what_separates_cells(
    trained, european, number, mark, what
):
    text = "6,500" if mark == "comma" else "6.500"

    numbers, told = read(trained, [text, "7"], european)

    assert numbers == [number, 7]
    assert told == f"is read with the {mark} in {text!r} as {what} in training"


def test_the_notation_of_most_new_texts_decides():
    numbers, told = read(POINTS, ["2,5", "3,5", "4,75", "1,234.5"])

    np.testing.assert_array_equal(numbers, [2.5, 3.5, 4.75, np.nan])
    assert told.startswith("is read with the comma in '2,5' as a decimal comma, unlike in training")
    assert "other values count as missing: '1,234.5', first in data row 4" in told


@pytest.mark.parametrize(
    ("trained", "new", "numbers", "told"),
    [
        (POINTS, ["5%", "50%"], [0.05, 0.5], "has percent signs (1% is 0.01), which it had not"),
        (PERCENT, ["5", "2"], [5, 2], "has no percent signs, which it had in training"),
        (POUNDS, ["€3", "EUR 4.50"], [3, 4.5], "has the currency €, and £ in training"),
        (POUNDS, ["€3", "$4.50"], [3, 4.5], "mixes currencies"),
        (WHOLE, ["3 kg", "40 kg"], [3, 40], "has the unit 'kg', which it had not in training"),
    ],
)
def test_signs_and_units_that_are_new_are_read_and_told(trained, new, numbers, told):
    assert read(trained, new)[0] == pytest.approx(numbers, rel=1e-5)
    assert read(trained, new)[1].startswith(told)


def test_another_unit_is_no_number():
    numbers, told = read(("3 kg", "4 kg", "12 kg", "9 kg"), ["500 g", "20 kg"])

    np.testing.assert_array_equal(numbers, [np.nan, 20])
    assert "other values count as missing: '500 g'" in told


def test_one_text_in_another_notation_does_not_change_that_of_a_whole_column():
    frame = pl.DataFrame({"price": [*(f"{i},25" for i in range(30)), "8.75"]})

    encoder = TableEncoder().fit(frame)

    assert encoder.summary() == "price: number, written with decimal commas"
    assert not encoder.doubts
    assert encoder.transform(frame).numbers[-1, 0] + encoder.columns[0].center == 8.75


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Train with points in a file with commas, and return the folder and rows as texts."""
    rng = np.random.default_rng(8)
    rows = [(f"{x:.3f}", f"{x * 1000 + y:.1f}") for x, y in rng.uniform(1, 9, (60, 2))]
    folder = tmp_path_factory.mktemp("notation")
    write(folder / "t.csv", rows, ",")
    train(folder / "t.csv", "--out", folder / "m.safetensors")
    return folder, rows


def train(*arguments):
    quick = ("--target=y", "--method=realmlp-td-s", "--ensemble=1", "--time-limit=0.05")
    assert main(["train", *map(str, arguments), *quick]) == 0


def write(path, rows, delimiter):
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("x", "y"), *rows])


def in_european(rows):
    return [[text.replace(".", ",") for text in row] for row in rows]


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_new_files_may_be_european(capsys, model, command):
    folder, rows = model
    write(folder / "new.csv", in_european(rows), ";")
    files = folder / "t.csv", folder / "new.csv"

    printed = []
    for file in files:
        assert main([command, str(folder / "m.safetensors"), str(file)]) == 0
        printed.append(capsys.readouterr())

    assert printed[0].out == printed[1].out
    assert printed[0].err == ""
    (line,) = printed[1].err.splitlines()
    assert line.startswith("fastmlp: the column 'x' is read with the comma in '")
    assert line.endswith("as a decimal comma, unlike in training")


def test_doubts_about_a_file_of_test_rows_name_the_file(capsys, model):
    folder, rows = model
    write(folder / "test.csv", [*in_european(rows), ("", "?")], ";")

    train(folder / "t.csv", "--test", folder / "test.csv")

    err = capsys.readouterr().err.splitlines()
    (about_x, about_y) = (
        next(line for line in err if f"test.csv: the column '{name}'" in line) for name in "xy"
    )
    assert about_x.endswith("as a decimal comma, unlike in training")
    assert about_y.endswith("has no value in data row 61, which is left out")
