"""The encoder between tables and networks: what becomes of each kind of column."""

import datetime
import json

import numpy as np
import pytest

pytest.importorskip("polars")
pytest.importorskip("narwhals")

import polars as pl

from fastmlp.tabular import TableEncoder


def column(values, **settings):
    """Return the encoder of a table with these values and another column, and what it encodes."""
    frame = pl.DataFrame({"it": values, "other": np.sin(np.arange(len(values)))}, strict=False)
    encoder = TableEncoder(**settings)
    return encoder, encoder.fit_transform(frame)


def line(encoder):
    return encoder.summary().splitlines()[0]


def test_numbers_are_centred_by_their_median():
    encoder, encoded = column([3.0, 7.5, 4.0, None, 4.5])

    assert encoded.numbers.dtype == np.float32
    np.testing.assert_array_equal(
        encoded.numbers[:, 0], np.float32([-1.25, 3.25, -0.25, np.nan, 0.25])
    )
    assert line(encoder) == "it: number, 1 missing"


def test_small_differences_of_large_numbers_are_kept():
    _, encoded = column([2e9 + 0.25 * i for i in range(9)])

    np.testing.assert_array_equal(np.diff(encoded.numbers[:, 0]), np.full(8, 0.25, np.float32))


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        (["1,250", "3,000,000", "750"], [1250, 3e6, 750]),
        (["€ 12", "€ 9", "€ 15"], [12, 9, 15]),
        (["12%", "8 %", "150%"], [0.12, 0.08, 1.5]),
        (["1.250,5", "3,25", "17"], [1250.5, 3.25, 17]),
        (["(8.25)", "4.75", "n/a"], [-8.25, 4.75, np.nan]),
    ],
)
def test_numbers_written_as_texts_are_numbers(written, numbers):
    _, encoded = column(written)

    expected = np.array(numbers) - np.nanmedian(numbers)
    np.testing.assert_allclose(encoded.numbers[:, 0], expected, rtol=1e-6)


def test_new_texts_are_read_with_the_notation_of_the_training_rows():
    encoder, _ = column(["1.250,5", "3,25", "17"])

    new = encoder.transform(pl.DataFrame({"it": ["4,017"], "other": [0.0]}))

    assert new.numbers[0, 0] == pytest.approx(4.017 - 17)


def test_a_text_among_new_numbers_counts_as_missing_with_a_warning():
    encoder, _ = column([3.5, 7.25, 4.0])

    with pytest.warns(UserWarning, match="'it' is read as numbers.*'lots', first in data row 2"):
        new = encoder.transform(pl.DataFrame({"it": ["4.5", "lots"], "other": [0.0, 1.0]}))

    assert np.isnan(new.numbers[1, 0])


def test_categories_are_codes_from_1_and_0_means_missing():
    encoder, encoded = column(["pear", "fig", None, "fig", "apple"])

    assert encoder.categories == {"it": ("apple", "fig", "pear")}
    assert encoded.codes.dtype == np.int32
    np.testing.assert_array_equal(encoded.codes[:, 0], [3, 2, 0, 2, 1])
    assert encoded.sizes == (3,)


def test_unknown_categories_count_as_missing():
    encoder, _ = column(["pear", "fig", "apple", "fig"])

    new = encoder.transform(pl.DataFrame({"it": ["kiwi", "fig", "?"], "other": [0.0] * 3}))

    np.testing.assert_array_equal(new.codes[:, 0], [0, 2, 0])


def test_rare_categories_share_a_code_with_unknown_ones():
    values = ["a"] * 4 + ["b"] * 3 + ["c", "d", None] + ["e"] * 2
    encoder, encoded = column(values, max_categories=2)

    new = encoder.transform(pl.DataFrame({"it": ["zebra", "b", None], "other": [0.0] * 3}))

    assert encoder.categories == {"it": ("a", "b", "(other)")}
    np.testing.assert_array_equal(encoded.codes[:, 0], [1] * 4 + [2] * 3 + [3, 3, 0, 3, 3])
    np.testing.assert_array_equal(new.codes[:, 0], [3, 2, 0])
    assert "all but the 2 most frequent share a code" in line(encoder)


def test_of_many_categories_those_in_few_rows_share_a_code():
    frequent = [f"town {number:03}" for number in range(120)]  # in five rows each
    rare = [f"village {number}" for number in range(30)]  # in four

    encoder, encoded = column(frequent * 5 + rare * 4)

    assert encoder.categories["it"] == (*frequent, "(other)")
    np.testing.assert_array_equal(encoded.codes[600:, 0], 121)


def test_the_most_frequent_categories_have_a_code_even_if_they_are_rare():
    streets = [f"street {number:03}" for number in range(110)]

    encoder, _ = column([*streets, *streets, "street 108"])

    assert encoder.categories["it"] == (*streets[:99], "street 108", "(other)")


def test_truth_values_are_categories_however_they_are_spelled_later():
    encoder, encoded = column([True, False, None, True, True])

    new = encoder.transform(pl.DataFrame({"it": ["true", "FALSE", ""], "other": [0.0] * 3}))

    np.testing.assert_array_equal(encoded.codes[:, 0], [2, 1, 0, 2, 2])
    np.testing.assert_array_equal(new.codes[:, 0], [2, 1, 0])


def test_numbers_can_be_read_as_categories():
    encoder, encoded = column([40213, 10115, 40213, 50667], categorical=["it"])

    assert encoder.categories == {"it": ("10115", "40213", "50667")}
    np.testing.assert_array_equal(encoded.codes[:, 0], [2, 1, 2, 3])


def test_further_marks_of_missing_values_are_known_among_numbers_and_texts():
    _, numbers = column([-99, 4, 8, -99], missing=["-99"])
    _, texts = column(["red", "Unclear", "blue", "red"], missing=["unclear"])

    np.testing.assert_array_equal(np.isnan(numbers.numbers[:, 0]), [True, False, False, True])
    np.testing.assert_array_equal(texts.codes[:, 0], [2, 0, 1, 2])


def test_dates_become_their_parts_and_a_number_of_days():
    days = [
        datetime.date(2021, 12, 31),
        datetime.date(2022, 1, 1),
        datetime.date(2023, 3, 15),
        None,
    ]
    encoder, encoded = column(days)

    assert encoder.number_names[:5] == tuple(
        f"it: {part}" for part in ("year", "month", "day", "weekday", "number")
    )
    np.testing.assert_array_equal(
        encoded.numbers[:, :5],
        np.float32(
            [[2021, 12, 31, 4, -1], [2022, 1, 1, 5, 0], [2023, 3, 15, 2, 438], [np.nan] * 5]
        ),
    )
    assert line(encoder) == "it: date as year, month, day, weekday, number, 1 missing"


def test_dates_in_texts_become_the_same_as_dates():
    moments = [
        datetime.datetime(2024, 2, 1, 6, 30) + datetime.timedelta(hours=31 * i) for i in range(30)
    ]
    encoder, typed = column(moments)

    written, read = column([f"{moment:%d.%m.%Y %H:%M}" for moment in moments])
    later = encoder.transform(
        pl.DataFrame(
            {"it": [f"{moment:%Y-%m-%d %H:%M}" for moment in moments], "other": [0.0] * 30}
        )
    )

    assert written.number_names == encoder.number_names
    np.testing.assert_array_equal(read.numbers, typed.numbers)
    np.testing.assert_array_equal(later.numbers[:, :-1], typed.numbers[:, :-1])


def test_times_of_day_become_seconds():
    encoder, encoded = column(["8:30", "17:45", "9:00"])

    np.testing.assert_array_equal(encoded.numbers[:, 0], [-1800, 31500, 0])
    assert line(encoder) == "it: time in seconds"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([7.5] * 30, "the same value 7.5 in every row"),
        (["yes"] * 30, "the same text 'yes' in every row"),
        ([None] * 30, "without values"),
        (list(range(30, 0, -1)), "only numbers the rows"),
        ([f"Ms {i * i}" for i in range(30)], "a different text in nearly every row"),
    ],
)
def test_columns_without_use_are_left_out_and_said_so(values, why):
    encoder, encoded = column(values)

    assert line(encoder).startswith(f"it: left out, {why}")
    assert encoded.numbers.shape == (30, 1)
    assert encoded.codes.shape == (30, 0)


def test_row_numbers_are_used_if_there_is_nothing_else():
    encoder = TableEncoder().fit(np.arange(12.0).reshape(-1, 1))

    assert encoder.summary() == "x0: number, used for want of others, only numbers the rows"


def test_a_table_without_information_is_refused():
    with pytest.raises(ValueError, match=r"no column with information, in 2 rows .*without values"):
        TableEncoder().fit(pl.DataFrame({"a": [None, None]}))


def test_columns_are_found_by_name_and_further_ones_ignored():
    encoder, encoded = column(["pear", "fig", "apple", "fig"])
    frame = pl.DataFrame(
        {"new": [1, 2, 3, 4], "other": np.sin(np.arange(4)), "it": ["pear", "fig", "apple", "fig"]}
    )

    again = encoder.transform(frame)

    np.testing.assert_array_equal(again.codes, encoded.codes)
    np.testing.assert_array_equal(again.numbers, encoded.numbers)


def test_a_column_that_is_gone_is_named():
    encoder, _ = column([1.5, 2.5, 9.0])

    with pytest.raises(ValueError, match="lacks the column 'it', which was there in training"):
        encoder.transform(pl.DataFrame({"other": [1.0]}))


def test_dates_instead_of_numbers_are_refused():
    encoder, _ = column([1.5, 2.5, 9.0])

    with pytest.raises(TypeError, match="'it' held numbers in training, got dates"):
        encoder.transform(pl.DataFrame({"it": [datetime.date(2020, 1, 1)], "other": [1.0]}))


def test_infinity_is_refused():
    with pytest.raises(
        ValueError, match="'it' must hold finite float32 numbers, got -inf in data row 2"
    ):
        column([1.5, -np.inf, 9.0])


def test_an_encoder_survives_json():
    encoder, _ = column(["8.5%", "7%", "12%"], missing=["unclear"])

    again = TableEncoder.from_config(json.loads(json.dumps(encoder.config())))

    assert again.columns == encoder.columns
    frame = pl.DataFrame({"it": ["8.5%", "7%", "Unclear"], "other": [0.0, 1.0, 2.0]})
    np.testing.assert_array_equal(again.transform(frame).numbers, encoder.transform(frame).numbers)


@pytest.mark.parametrize(
    "harm",
    [
        {"becomes": "os.system"},
        {"center": "0"},
        {"center": float("inf")},
        {"holds": "moment"},
        {"surplus": 1},
        {"written": {"date": "%x", "clock": "", "zoned": False}},
    ],
)
def test_a_corrupt_description_is_refused(harm):
    config = column([1.5, 2.5, 9.0])[0].config()
    config["columns"][0] |= harm

    with pytest.raises((ValueError, TypeError, KeyError)):
        TableEncoder.from_config(config)
