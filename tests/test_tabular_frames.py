"""Frames of every library, and arrays, give the same columns."""

import datetime

import numpy as np
import pytest

pytest.importorskip("polars")
pytest.importorskip("narwhals")

import polars as pl

from fastmlp.tabular import TableEncoder

N = 25
VALUES = {
    "number": [None if i % 6 == 0 else i * i / 4 for i in range(N)],
    "whole": [i % 7 - 3 for i in range(N)],
    "truth": [i % 3 == 0 for i in range(N)],
    "text": [None if i == 3 else "xyz"[i % 3] for i in range(N)],
    "moment": [
        datetime.datetime(2021, 5, 3, 9) + i * datetime.timedelta(hours=50) for i in range(N)
    ],
    "span": [datetime.timedelta(minutes=i * i) for i in range(N)],
}


def pandas_frame():
    return pytest.importorskip("pandas").DataFrame(VALUES)


def pandas_nullable_frame():
    return pandas_frame().convert_dtypes()


def pandas_category_frame():
    return pandas_frame().astype({"text": "category"})


def arrow_table():
    return pytest.importorskip("pyarrow").table(VALUES)


def object_array():
    return np.array(list(zip(*VALUES.values(), strict=True)), object)


@pytest.mark.parametrize(
    "make",
    [
        pandas_frame,
        pandas_nullable_frame,
        pandas_category_frame,
        arrow_table,
        object_array,
        lambda: pl.DataFrame(VALUES).lazy(),
        lambda: pl.DataFrame(VALUES).with_columns(pl.col("text").cast(pl.Categorical)),
    ],
)
def test_all_kinds_of_frames_are_encoded_alike(make):
    expected = TableEncoder().fit_transform(pl.DataFrame(VALUES))

    encoded = TableEncoder().fit_transform(make())

    np.testing.assert_array_equal(encoded.numbers, expected.numbers)
    np.testing.assert_array_equal(encoded.codes, expected.codes)


def test_arrays_of_numbers_keep_their_values():
    X = np.random.default_rng(1).normal(size=(9, 3))

    encoded = TableEncoder().fit_transform(X)

    np.testing.assert_allclose(encoded.numbers, X - np.median(X, axis=0), rtol=1e-6)


def test_arrays_of_texts_are_read_like_tables():
    encoder = TableEncoder().fit(np.array([["4", "red"], ["5", "blue"], ["7.5", "red"]]))

    assert encoder.summary() == "x0: number\nx1: category, 2 texts"


def test_arrays_of_dates_are_dates():
    days = np.array(["2020-02-28", "NaT", "2020-03-01", "2020-02-29"], "datetime64[D]")

    encoder = TableEncoder().fit(days[:, None])

    assert encoder.summary() == "x0: date as month, day, weekday, number, 1 missing"


def test_names_that_are_no_texts_become_texts():
    frame = pytest.importorskip("pandas").DataFrame({0: [1.5, 2.5, 4.0], 7: [3.0, 1.0, 2.5]})

    assert TableEncoder().fit(frame).number_names == ("0", "7")


def test_two_columns_of_one_name_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])

    with pytest.raises(ValueError, match="two columns of the table are named 'a': rename one"):
        TableEncoder().fit(frame)


def test_columns_of_lists_are_refused_by_name():
    with pytest.raises(TypeError, match="'tags' must hold numbers, texts or dates, got values of"):
        TableEncoder().fit(pl.DataFrame({"tags": [["a"], ["b", "c"]]}))
