"""Columns as real files have them, which are easily misread without a word."""

import decimal

import numpy as np
import pytest

pytest.importorskip("polars")
pytest.importorskip("narwhals")

import polars as pl

from fastmlp.tabular import TableEncoder

N = 60
OTHER = np.sin(np.arange(N))
ACCOUNTS = [10**17 + i % 7 for i in range(N)]
"""Whole numbers that float64 cannot tell apart."""


def fitted(values, **settings):
    """Return an encoder of a column with another beside it, and the encoded rows."""
    encoder = TableEncoder(**settings)
    return encoder, encoder.fit_transform(pl.DataFrame({"it": values, "other": OTHER}))


def line(encoder):
    return encoder.summary().splitlines()[0]


@pytest.mark.parametrize(
    "of",
    [
        pl.Series,
        lambda values: pl.Series([str(value) for value in values]),
        lambda values: pl.Series(values, dtype=pl.Int128),
        lambda values: pl.Series(values, dtype=pl.UInt64),
    ],
)
def test_whole_numbers_too_long_for_floats_are_told_apart(of):
    encoder, encoded = fitted(of(ACCOUNTS))

    assert line(encoder) == "it: category, 7 texts"
    assert "whole numbers that are too long to tell apart as numbers" in encoder.doubts[0]
    np.testing.assert_array_equal(encoded.codes[:, 0], np.arange(N) % 7 + 1)


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_long_whole_numbers_of_arrays_are_told_apart(dtype):
    table = np.array([ACCOUNTS, np.arange(N) % 5], dtype).T

    assert TableEncoder().fit(table).categories["x0"] == tuple(map(str, ACCOUNTS[:7]))


@pytest.mark.parametrize("start", [2**63 - 30, 2**53, -(10**18)])
def test_long_identifiers_are_left_out(start):
    encoder, _ = fitted(pl.Series([start + i for i in range(N)], dtype=pl.Int128))

    assert line(encoder).startswith("it: left out, a different whole number in nearly every row")


def test_long_whole_numbers_can_be_numbers_all_the_same():
    values = [3 * 10**18 + i * 10**14 for i in range(N)]
    encoder, encoded = fitted(values)

    assert line(encoder) == "it: number"
    np.testing.assert_allclose(np.diff(encoded.numbers[:, 0]), 1e14, rtol=1e-3)
    assert line(fitted(ACCOUNTS, numeric=["it"])[0]).startswith("it: left out, the same value")


@pytest.mark.parametrize("name", ["__index_level_0__", "Unnamed: 0", "column 1", "Index.No"])
def test_row_names_that_programs_write_are_left_out_after_sampling(name):
    frame = pl.DataFrame({name: [(i * 37) % 1009 for i in range(N)], "other": OTHER})

    assert f"{name}: left out, has a different whole number" in TableEncoder().fit(frame).summary()


@pytest.mark.parametrize(
    "values",
    [["True", "False"], ["TRUE", "false"], [1, 0], [1.0, 0.0], ["1", "0.0"], [True, False]],
)
def test_truth_values_may_be_numbers_later_and_numbers_truth_values(values):
    new = pl.DataFrame({"it": values, "other": OTHER[:2]})

    of_words = fitted([True, False, None] * 20)[0].transform(new)
    of_numbers = fitted([0, 1, None] * 20)[0].transform(new)

    np.testing.assert_array_equal(of_words.codes[:, 0], [2, 1])
    np.testing.assert_array_equal(np.diff(of_numbers.numbers[:, 0]), [-1])


def test_a_text_beside_others_is_no_truth_value():
    encoder, _ = fitted(["true", "unsure", "TRUE"] * 20)
    new = pl.DataFrame({"it": ["TRUE", "True", "unsure"], "other": OTHER[:3]})

    np.testing.assert_array_equal(encoder.transform(new).codes[:, 0], [1, 0, 3])


@pytest.mark.parametrize("known", [["7", "12", "-3"], ["7.0", "12.0", "-3.0"], [7, 12, -3]])
@pytest.mark.parametrize("new", [["-3", "12"], ["-3.0", "12.0"], [-3.0, 12.0], [-3, 12]])
def test_whole_numbers_as_categories_may_gain_or_lose_their_point(known, new):
    encoder, _ = fitted(known * 20, categorical=["it"])

    codes = encoder.transform(pl.DataFrame({"it": new, "other": OTHER[:2]})).codes[:, 0]

    assert [encoder.categories["it"][code - 1].removesuffix(".0") for code in codes] == ["-3", "12"]


def test_a_column_of_none_of_the_known_categories_is_told():
    encoder, _ = fitted([True, False, None] * 20)
    new = pl.DataFrame({"it": ["yes", "no", "no", "yes", "no", "?"], "other": OTHER[:6]})

    with pytest.warns(UserWarning, match="'it' holds 'yes' and none of the categories .*'False'"):
        encoded = encoder.transform(new)

    np.testing.assert_array_equal(encoded.codes[:, 0], [0] * 6)


@pytest.mark.parametrize("values", [["fir"] * 3, [None, "?"] * 8, ["fir"] * 30 + ["elm"]])
def test_a_few_unknown_categories_or_empty_cells_are_nothing_to_tell(values):
    encoder, _ = fitted(["oak", "elm", None] * 20)

    encoded = encoder.transform(pl.DataFrame({"it": values, "other": OTHER[: len(values)]}))

    assert encoded.codes.sum() == values.count("elm")


def test_infinity_in_new_rows_is_refused_with_advice_that_helps():
    encoder, _ = fitted([float(i * i) for i in range(N)])

    with pytest.raises(ValueError, match="got inf in data row 1003: leave the cell empty"):
        encoder.transform(
            pl.DataFrame({"it": [1.0, 4.0, np.inf], "other": OTHER[:3]}), rows=range(1000, 1003)
        )


def test_messages_count_the_rows_of_the_users_table():
    rows = np.array([40, 3, 17, *range(50, 50 + N - 3)])

    encoder = TableEncoder().fit(
        pl.DataFrame({"it": ["many", "few", *map(str, range(N - 2))], "other": OTHER}), rows=rows
    )

    assert "'many', 'few', first in data row 4" in encoder.doubts[0]


def test_new_numbers_may_have_the_unit_or_not():
    encoder, _ = fitted([f"{i * i} km" for i in range(N)])
    again = TableEncoder.from_config(encoder.config())
    new = pl.DataFrame({"it": ["3 km", "7", "5 miles"], "other": OTHER[:3]})

    with pytest.warns(UserWarning, match="other values count as missing: '5 miles'"):
        numbers = again.transform(new).numbers[:, 0]

    np.testing.assert_array_equal(numbers, np.float32([3 - 870.5, 7 - 870.5, np.nan]))


@pytest.mark.parametrize(
    ("known", "new", "told"),
    [
        ([f"{i * i} %" for i in range(N)], ["3", "8.5"], "has no percent signs, which it had"),
        ([f"{i * i}.5" for i in range(N)], ["3%", "8.5%"], "has percent signs .1% is 0.01., which"),
    ],
)
def test_percent_signs_that_come_or_go_are_told(known, new, told):
    encoder, _ = fitted(known)
    again = TableEncoder.from_config(encoder.config())

    with pytest.warns(UserWarning, match=f"'it' {told}"):
        again.transform(pl.DataFrame({"it": new, "other": OTHER[:2]}))


def test_new_dates_in_texts_may_have_day_or_month_first():
    encoder, _ = fitted(pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 2, 29), eager=True))
    new = pl.DataFrame({"it": ["05/06/2021", "07/08/2021"], "other": OTHER[:2]})

    with pytest.warns(UserWarning, match="'it' may have the day or the month first"):
        encoder.transform(new)


def test_decimals_are_numbers():
    encoder, _ = fitted([decimal.Decimal(i) / 8 for i in range(N)])

    assert line(encoder) == "it: number"


def test_columns_of_lists_are_refused_with_what_to_do():
    with pytest.raises(TypeError, match=r"'it' must hold .* type list: .*drop=\['it'\]"):
        fitted([[1, 2]] * N)
