"""Files and frames that are strange but plausible are read rightly, or refused in one sentence."""

import datetime
import warnings

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")
pytest.importorskip("sklearn")

import polars as pl
from dataset_support import assert_one_sentence

from fastmlp import datasets
from fastmlp.datasets.frame_blocks import frame_blocks
from fastmlp.datasets.frame_file import read_frame_file
from fastmlp.tabular import TableEncoder, TabularClassifier

ROWS = "".join(f"{i / 8},{'ab'[i % 2]},{i * 3} kg\n" for i in range(24))


def write(folder, text):
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\r\n\n", "is empty"),
        ("Sales of 2024\n\na,b,c\n" + ROWS, r"got 'Sales of 2024': delete the lines .* in line 3"),
        ("# made by me\na,b,c\n" + ROWS, "got '# made by me': delete the lines above .* in line 2"),
        ("<html><body>1,2</body></html>\n", "is a web page: save it as CSV"),
        ("<!DOCTYPE html>\n<html>\n", "is a web page: save it as CSV"),
        ('<?xml version="1.0"?>\n<t/>\n', "is XML: save it as CSV"),
    ],
)
def test_files_that_do_not_begin_with_the_names_of_columns_are_refused(tmp_path, text, message):
    path = write(tmp_path, text)

    for read in (read_frame_file, lambda path: list(frame_blocks(path))):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert_one_sentence(caught)


@pytest.mark.parametrize("first", ["1.25,b,7", "-0.5,b,7", "a,2.5e-3,7", 'a,"3,5",7'])
def test_a_first_line_that_looks_like_data_is_told(tmp_path, first):
    with pytest.warns(UserWarning, match="read as the names of the columns, but looks like data"):
        read_frame_file(write(tmp_path, f"{first}\n{ROWS}"))


@pytest.mark.parametrize("first", ["2019,2020,2021", "v1.2,b,c", "a,b.5,c", "1,2,3"])
def test_names_may_be_whole_numbers(tmp_path, first):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_frame_file(write(tmp_path, f"{first}\n{ROWS}")).frame.height == 24


def test_the_end_mark_of_old_programs_is_no_row(tmp_path):
    path = write(tmp_path, f"a,b,c\n{ROWS}\x1a")

    (block,) = frame_blocks(path)

    assert read_frame_file(path).frame.height == block.frame.height == 24


def test_a_target_may_have_a_unit(tmp_path):
    data = datasets.csv(write(tmp_path, f"a,b,c\n{ROWS}"), "c")

    assert data.classes is None
    assert sorted({*data.y_train, *data.y_test}) == [i * 3 for i in range(24)]


def test_time_spans_may_have_days():
    frame = pl.DataFrame({"took": [f"{i % 4} days {i:02d}:30:00" for i in range(24)]})

    encoder = TableEncoder().fit(frame)
    seconds = encoder.transform(frame).numbers[:, 0] + encoder.columns[0].center

    assert encoder.summary() == "took: time in seconds"
    np.testing.assert_allclose(seconds, [(i % 4 * 24 + i + 0.5) * 3600 for i in range(24)])


def test_masked_values_of_an_array_are_missing():
    X = np.ma.masked_greater(np.arange(12).reshape(6, 2) * 5, 40)

    encoder = TableEncoder(numeric=["x0", "x1"]).fit(X)

    assert encoder.summary() == "x0: number, 1 missing\nx1: number, 2 missing"
    assert np.isnan(encoder.transform(X).numbers[-1, 1])


def test_twice_the_same_name_in_an_arrow_table_is_refused():
    pa = pytest.importorskip("pyarrow")
    values = pa.array([1.5, 2.5])

    with pytest.raises(ValueError, match="two columns of the table are named 'w': rename one"):
        TableEncoder().fit(pa.Table.from_arrays([values, values], names=["w", "w"]))


def test_an_arrow_record_batch_is_a_table():
    pa = pytest.importorskip("pyarrow")
    days = [datetime.date(2024, 5, day) for day in range(1, 13)]
    batch = pa.record_batch({"width": np.cos(np.arange(12)), "day": days})

    fitted = TabularClassifier("realmlp-td-s", random_state=0).fit(batch, ["m", "n"] * 6)

    assert list(fitted.feature_names_in_) == ["width", "day"]
    assert len(fitted.predict(batch)) == 12


@pytest.mark.parametrize("X", [{"a": [1.0, 2.0]}, [{"a": 1.0}, {"a": 2.0}]])
def test_dicts_are_no_tables(X):
    with pytest.raises(TypeError, match=r"got a .*dicts?: make a frame of it, such as polars"):
        TabularClassifier().fit(X, ["p", "q"])
