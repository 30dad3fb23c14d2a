"""CSV tables: cells as numbers, missing values or dates, and doubtful readings."""

import warnings

import numpy as np
import pytest
from dataset_support import column_of, how, write_table

from fastmlp import datasets


def read(folder, cells, *, delimiter=",", **options):
    """Return a table whose column ``a`` holds these cells, with ``b`` and the target ``y``."""
    quoted = [f'"{cell}"' if delimiter in cell else cell for cell in cells]
    lines = [
        delimiter.join((cell, str(i / 2), "no" if i % 2 else "yes"))
        for i, cell in enumerate(quoted)
    ]
    path = write_table(folder, delimiter.join("aby"), *lines)
    return datasets.csv(path, "y", **options)


def values(data):
    """Return column ``a`` in the order of the file."""
    return column_of(data, "a")[np.argsort(column_of(data, "b"))]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2,345.5", 2345.5),
        ("12 345", 12345),
        ("7'654'321", 7654321),
        ("£9.75", 9.75),
        ("19 €", 19),
        ("-$42", -42),
        ("EUR 6", 6),
        ("(8.25)", -8.25),
        ("+3e2", 300),
        ("\u221212", -12),
        ("  5  ", 5),
    ],
)
def test_one_number_in_other_notation_is_still_a_number(tmp_path, text, number):
    data = read(tmp_path, [text, *(f"{i * i}" for i in range(1, 20))])

    assert data.features == ("a", "b")
    assert values(data)[0] == number


@pytest.mark.parametrize(
    ("cells", "number", "style"),
    [
        ([f"${i},{i}50.25" for i in range(1, 10)], 1150.25, "currencies and thousands separators"),
        ([f"{i}.5%" for i in range(1, 10)], 0.015, "percent signs"),
        ([f"({i})" for i in range(1, 10)], -1, "parentheses for minus"),
        ([f"{i},5" for i in range(1, 10)], 1.5, "decimal commas"),
        ([f"{i}.000,5" for i in range(1, 10)], 1000.5, "decimal commas"),
    ],
)
def test_the_notation_of_a_whole_column_is_reported(tmp_path, cells, number, style):
    data = read(tmp_path, cells)

    assert values(data)[0] == pytest.approx(number)
    assert style in how(data, "a")


@pytest.mark.parametrize(
    ("cells", "number", "style"),
    [
        (["12.5 kg", "9 kg"], 12.5, "written with the unit 'kg'"),
        (["36 months", "60 months", "n/a"], 36.0, "written with the unit 'months'"),
        (["1,250cc", "998cc"], 1250.0, "written with thousands separators and the unit 'cc'"),
        (["12.5 m2", "131 m2"], 12.5, "written with the unit 'm2'"),
        (["3 kg/m3", "4 kg/m3"], 3.0, "written with the unit 'kg/m3'"),
        (["1a2", "2a2", "3b1"], None, ""),
        (["-4 °C", "17 °C"], -4.0, "written with the unit '°C'"),
        (["5 kg", "7 lb"], None, ""),
        (["1st", "2nd", "3rd"], None, ""),
    ],
)
def test_a_unit_after_every_number_is_no_part_of_it(tmp_path, cells, number, style):
    data = read(tmp_path, [cells[i % len(cells)] for i in range(12)])

    assert how(data, "a").startswith("category" if number is None else f"number, {style}")
    if number is not None:
        assert values(data)[0] == number


def test_a_comma_before_three_digits_is_decimal_if_the_delimiter_is_a_semicolon(tmp_path):
    with pytest.warns(UserWarning, match=r"comma in '1,125' as a decimal comma"):
        data = read(tmp_path, [f"{i},125" for i in range(1, 10)], delimiter=";")

    assert values(data)[0] == 1.125


def test_a_comma_before_three_digits_otherwise_separates_thousands(tmp_path):
    assert values(read(tmp_path, [f"{i},125" for i in range(1, 10)]))[0] == 1125


@pytest.mark.parametrize(
    "text", ["#n/a", "<NA>", "-", "--", "n.a.", ".", "#DIV/0!", "#VALUE!", "Missing", "#NA"]
)
def test_markers_of_missing_numbers_cause_no_warning(tmp_path, text):
    data = read(tmp_path, [text, *(f"{i * i}" for i in range(1, 20))])

    assert data.features == ("a", "b")
    assert "1 missing" in how(data, "a")


def test_additional_texts_can_mean_missing(tmp_path):
    data = read(tmp_path, ["-999", "off", *(f"{i}" for i in range(3, 30))], missing=["-999", "Off"])

    assert "2 missing" in how(data, "a")
    assert column_of(data, "a").min() == 3


def test_an_odd_cell_counts_as_missing_with_a_warning(tmp_path):
    cells = [f"{i * i}" for i in range(1, 31)]
    cells[6] = "broken"

    with pytest.warns(UserWarning, match=r"'a' is read as numbers.*'broken', first in data row 7"):
        data = read(tmp_path, cells)

    assert data.features == ("a", "b")


def test_a_column_in_which_a_quarter_are_not_numbers_is_categorical(tmp_path):
    cells = ["low", "high", "3", "4", "5", "6", "7", "8"] * 3

    with pytest.warns(UserWarning, match=r"texts such as 'low' among its numbers: numeric=\['a'\]"):
        data = read(tmp_path, cells)

    assert "a=low" in data.features


def test_numeric_overrides_the_detection(tmp_path):
    cells = ["low", "high", "3", "4", "5", "6", "7", "8"] * 3

    with pytest.warns(UserWarning, match="'low', 'high', first in data row 1"):
        data = read(tmp_path, cells, numeric=["a"])

    assert data.features == ("a", "b")


def test_markers_of_missing_numbers_are_categories_among_texts(tmp_path):
    data = read(tmp_path, ["None", "red", "-", ""] * 5)

    assert data.features[:4] == ("a=(missing)", "a=-", "a=None", "a=red")


@pytest.mark.parametrize(
    ("cells", "first", "style"),
    [
        (["2021-03-01", "2021-03-02", "2021-03-04"], 1614556800, "date, in seconds since 1970"),
        (["2021-03-01T01:00:00Z", "2021-03-02T00:00:00Z"], 1614560400, "date and time"),
        (["2021-03-01 00:30", "2021-03-02 12:45"], 1614558600, "date and time"),
        (["01.03.2021", "24.12.2021"], 1614556800, "date"),
        (["1-Mar-2021", "2-Apr-2021"], 1614556800, "date"),
        (["March 1, 2021", "May 2, 2021"], 1614556800, "date"),
        (["03/01/2021", "03/31/2021"], 1614556800, "date"),
        (["Mon, 01 Mar 2021 02:00:30 GMT", "Tue, 2 Mar 2021 00:00:00 GMT"], 1614564030, "date and"),
        (["2021-03-01T10:00:00+05:30", "2021-03-02T00:00:00Z"], 1614573000, "date and time"),
        (["2021-03-01 04:00:00-02", "2021-03-02 00:00:00+00"], 1614578400, "date and time"),
        (["2021-03-01", "2021-03-02 18:15:00", "2021-03-03"], 1614556800, "date and time"),
        (["03/01/2021 12:20 AM", "03/31/2021 12:20 p.m."], 1614558000, "date and time"),
        (["2021.03.01", "2021.11.30"], 1614556800, "date"),
        (["2021-03", "2021-12"], 1614556800, "date"),
        (["3/2021", "11/2020"], 1614556800, "date"),
        (["2021 Mar", "1999 Jun"], 1614556800, "date"),
        (["March 2021", "December 1999"], 1614556800, "date"),
        (["00:10", "23:59"], 600, "time, in seconds"),
        (["7:05 PM", "12:00 am"], 68700, "time, in seconds"),
        (["11:20", "0:34.5"], 40800, "time, in seconds"),
        (["38:31:05", "7:00:00", "12:00:30.5"], 138665, "time, in seconds"),
    ],
)
def test_dates_and_times_become_seconds(tmp_path, cells, first, style):
    data = read(tmp_path, [cells[i % len(cells)] for i in range(12)])

    assert values(data)[0] == first
    assert how(data, "a").startswith(style)


def test_an_ambiguous_date_is_doubtful(tmp_path):
    with pytest.warns(UserWarning, match="'a' may have the day or the month first"):
        read(tmp_path, ["05/06/2021", "07/08/2021", "01/02/2022"] * 4)


def test_a_time_zone_in_only_some_cells_is_doubtful(tmp_path):
    cells = [f"2022-06-{day:02d} 08:30{'+03:00' if day % 2 else ''}" for day in range(1, 25)]

    with pytest.warns(UserWarning, match="'a' has a time zone in only some cells, .* read as UTC"):
        read(tmp_path, cells)


def test_dates_in_several_notations_are_said_to_be_no_dates(tmp_path):
    cells = [f"2020-07-{day:02d}" if day % 3 else f"{day}.7.2020" for day in range(1, 29)]

    with pytest.warns(
        UserWarning, match="'a' is read as categories, .* '2020-07-01' and '3.7.2020'"
    ):
        read(tmp_path, [cell for cell in cells for _ in range(2)])
    with pytest.warns(UserWarning, match="'a' is left out, since its dates are written in several"):
        read(tmp_path, cells)


def test_texts_among_dates_are_said_to_be_there(tmp_path):
    cells = [f"{day}.4.2011" if day % 4 else f"week {day}" for day in range(1, 31)] * 2

    with pytest.warns(UserWarning, match="holds texts such as 'week 4' among its dates"):
        read(tmp_path, cells)


def test_seasons_are_no_months(tmp_path):
    data = read(tmp_path, ["2008-09", "2009-10", "2010-11", "2011-12"] * 3)

    assert how(data, "a").startswith("category")


def test_values_large_relative_to_their_spread_stay_float64(tmp_path):
    cells = [f"{1_700_000_000 + 7 * i}" for i in range(40)]

    data = read(tmp_path, cells)

    assert data.X_train.dtype == np.float64
    assert sorted(column_of(data, "a")) == [float(cell) for cell in cells]


def test_numbers_that_float32_cannot_hold_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"column 'a' must hold finite .* got 1e\+40 in data row 3"
    ):
        read(tmp_path, ["1", "2", "1e40", *map(str, range(20))])


def test_plain_columns_give_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, [f"{i}.5" for i in range(20)])
