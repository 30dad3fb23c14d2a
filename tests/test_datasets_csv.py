"""CSV tables: kinds of columns, missing values, labels, the split, and errors."""

import gzip
import warnings

import numpy as np
import pytest
from dataset_support import assert_one_sentence, assert_value_or_sentence, peak_memory
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import datasets
from fastmlp.datasets.splits import train_test_rows


@pytest.fixture
def table(tmp_path):
    """Return a function that writes its arguments as lines of a table and returns the path."""

    def write(*lines, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def rows_of(data):
    """Return inputs and targets of both parts, training rows first."""
    X = np.concatenate([data.X_train, data.X_test])
    return X, np.concatenate([data.y_train, data.y_test])


def test_numeric_columns_are_unchanged(table):
    path = table(
        "a,b,y", *(f"{i + 5},{i / 8 - 3}e2,{'odd' if i % 2 == 0 else 'even'}" for i in range(20))
    )

    data = datasets.csv(path, "y")

    X, y = rows_of(data)
    assert data.name == "table"
    assert data.features == ("a", "b")
    assert data.classes == ("even", "odd")
    assert data.X_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    assert sorted(X[:, 0]) == list(range(5, 25))
    np.testing.assert_array_equal(X[:, 1], (((X[:, 0] - 5) / 8 - 3) * 100).astype(np.float32))
    np.testing.assert_array_equal(y, X[:, 0] % 2)


def test_missing_numbers_become_the_median_of_the_training_rows(table):
    path = table("a,b,y", *(f"{'NA' if i % 3 == 0 else i * i},{i},{i / 7}" for i in range(3, 33)))

    data = datasets.csv(path, "y")

    missing = data.X_train[:, 1] % 3 == 0
    median = np.median(data.X_train[~missing, 1] ** 2)
    assert np.all(data.X_train[missing, 0] == median)
    assert np.all(data.X_test[data.X_test[:, 1] % 3 == 0, 0] == median)


@pytest.mark.parametrize(
    "missing", ["", " ", "NA", "n/a", "NaN", "nan", "NULL", "None", "?", " ? "]
)
def test_every_spelling_of_missing_leaves_a_column_numeric(table, missing):
    path = table("a,b,y", *(f"{i if i % 2 else missing},{i // 3},{i % 2}" for i in range(10)))

    assert datasets.csv(path, "y").features == ("a", "b")


def test_texts_become_columns_of_0_and_1(table):
    colours = ["red", " green ", "?", "red"]
    path = table("a,colour,y", *(f"{i},{colours[i % 4]},{i / 3}" for i in range(4, 44)))

    data = datasets.csv(path, "y")

    X, _ = rows_of(data)
    kind = X[:, 0] % 4
    assert data.features == ("a", "colour=(missing)", "colour=green", "colour=red")
    np.testing.assert_array_equal(X[:, 1], kind == 2)
    np.testing.assert_array_equal(X[:, 2], kind == 1)
    np.testing.assert_array_equal(X[:, 3], (kind == 0) | (kind == 3))


def test_a_text_that_only_the_test_rows_hold_is_all_zeros(table):
    path = table("id,y", *(f"name{i},{i / 3}" for i in range(10)))

    data = datasets.csv(path, "y")

    np.testing.assert_array_equal(data.X_train.sum(axis=1), 1)
    np.testing.assert_array_equal(data.X_test, np.zeros((2, 8)))


def test_numbers_can_be_named_categorical(table):
    path = table("code,x,y", *(f"0{i % 3},{i / 2},{i % 2}" for i in range(30)))

    data = datasets.csv(path, "y", categorical=["code"])

    assert data.features == ("code=00", "code=01", "code=02", "x")


def test_names_that_python_reads_as_numbers_are_names(table):
    path = table("a,x,y", *(f"1_{i % 2},{i / 2},{i % 2}" for i in range(10)))

    assert datasets.csv(path, "y").features == ("a=1_0", "a=1_1", "x")


def test_dropped_and_empty_columns_are_left_out(table):
    path = table("id,x,nothing,y", *(f"{i},{i},,{i % 2}" for i in range(10)))

    assert datasets.csv(path, "y", drop=["id"]).features == ("x",)


def test_a_text_in_a_late_row_makes_the_whole_column_text(table):
    path = table(
        "code,x,y", *(f"{'A' if i == 9_000 else '01'},{i / 2},{i / 3}" for i in range(9_001))
    )

    data = datasets.csv(path, "y")

    assert data.features is not None
    assert "code=01" in data.features
    assert not any(name == "code" for name in data.features)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1", "1.0", "0"], ("0", "1")),
        (["True", "False"], ("False", "True")),
        (["16777217", "16777216"], ("16777216", "16777217")),
        (["0.5", "1.5"], None),
        ([str(i) for i in range(21)], None),
    ],
)
def test_the_target_decides_the_task(table, values, classes):
    path = table("x,y", *(f"{i},{values[i % len(values)]}" for i in range(50)))

    data = datasets.csv(path, "y")

    assert data.classes == classes
    assert data.y_train.dtype == (np.float32 if classes is None else np.int64)


def test_labels_follow_the_order_of_the_classes(table):
    path = table("x,y", *(f"{i},{'cab'[i % 3]}" for i in range(30)))

    data = datasets.csv(path, "y")

    X, y = rows_of(data)
    np.testing.assert_array_equal(y, np.array([2, 0, 1])[X[:, 0].astype(int) % 3])


@pytest.mark.parametrize(
    ("task", "classes"), [("regression", None), ("classification", ("0", "1", "2"))]
)
def test_the_task_can_be_chosen(table, task, classes):
    path = table("x,y", *(f"{i},{i % 3}" for i in range(30)))

    assert datasets.csv(path, "y", task=task).classes == classes


def test_fractions_can_be_classes_when_asked_for(table):
    path = table("x,y", *(f"{i},{i % 2 + 0.5}" for i in range(30)))

    assert datasets.csv(path, "y", task="classification").classes == ("0.5", "1.5")


def test_the_seed_decides_the_test_rows(table):
    path = table("x,y", *(f"{i},{i % 2}" for i in range(100)))

    first, again, other = (datasets.csv(path, "y", seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.X_test, again.X_test)
    np.testing.assert_array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_test, other.X_test)


def test_quotes_semicolons_blank_lines_and_a_byte_order_mark_are_read(table):
    path = table(
        '"a name";y',
        '"1";"no; ""never"""',
        "",
        "2;yes",
        "3;yes",
        '4;"no; ""never"""',
        encoding="utf-8-sig",
    )

    data = datasets.csv(path, "y", delimiter=";", test_fraction=0.5)

    assert data.features == ("a name",)
    assert data.classes == ('no; "never"', "yes")


def test_a_gzipped_table_is_read(tmp_path):
    path = tmp_path / "small.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n1,a\n2,b\n3,a\n4,b\n"))

    data = datasets.csv(path, "y", test_fraction=0.5)

    assert data.name == "small"
    assert sorted(rows_of(data)[0].ravel()) == [1, 2, 3, 4]


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=200),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_the_split_loses_no_row_and_no_class(labels, fraction, seed):
    y = np.array(labels)
    n_test = sum(min(round(fraction * n), n - 1) for n in np.bincount(y) if n)
    if n_test == 0:
        with pytest.raises(ValueError, match="too few to hold out"):
            train_test_rows(len(y), fraction, seed, y)
        return

    train, test = train_test_rows(len(y), fraction, seed, y)

    assert sorted([*train, *test]) == list(range(len(y)))
    assert len(test) == n_test
    assert set(y[train]) == set(labels)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan"), 3])
def test_a_share_out_of_range_is_refused(table, fraction):
    path = table("x,y", *(f"{i},{i % 2}" for i in range(10)))

    with pytest.raises(ValueError, match="must be between 0 and 1"):
        datasets.csv(path, "y", test_fraction=fraction)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        (["y", "1"], "at least two columns, got 1: .* separated by ','"),
        (["x,y"], "has a header but no rows"),
        (["x,x,y", "1,2,3"], "two columns of .* are named 'x'"),
        (["x,y", "1,a", "2"], "line 3 of .* has 1 value, but the header names 2"),
        (["x,y", "1,a", "2,b,c"], "line 3 of .* has 3 values"),
        (["x,y", "1,", "2, "], "target column 'y' has no value in any row"),
        (["x,y", "1,", "2,a", "3,"], "1 row of 1 class is too few to hold out"),
        (
            ["x,y", "1,a", "inf,b"],
            "column 'x' must hold finite float32 .* inf in data row 2",
        ),
        (
            ["x,y", "1,a", "-1e39,b"],
            "column 'x' must hold finite float32 .* -1e\\+39 in data row 2",
        ),
        (["x,y", "1,0.5", "2,inf"], "column 'y' must hold finite numbers, got inf in data row 2"),
        (["x,y", "1,0.5", "2,1e300"], "target column 'y' holds numbers beyond"),
        (["x,y", "1,a"], "1 row of 1 class is too few .* or a larger test_fraction"),
        (["x,y", "1,a", "2,b"], "2 rows of 2 classes are too few to hold out"),
        (["x,y", "1,0.5"], "1 row is too few to hold out a share of 0.3"),
        (["x,y", ",a", ",b", ",a", ",b", ",a", ",b"], "no column with values besides"),
        (["x,y", '1,"a' + "b" * 200_000], "line 2 of .* cannot be read"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(table, lines, message):
    with pytest.raises(ValueError, match=message) as caught:
        datasets.csv(table(*lines), "y", test_fraction=0.3)

    assert_one_sentence(caught)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "z"}, ValueError, "unknown column 'z'"),
        ({"target": "Y"}, ValueError, "unknown column 'Y': did you mean 'y'"),
        ({"target": "y", "drop": ["z"]}, ValueError, "unknown column 'z'"),
        ({"target": "y", "drop": ["y"]}, ValueError, "cannot be dropped"),
        ({"target": "y", "drop": "x"}, TypeError, r"drop must be a list .* write \['x'\]"),
        ({"target": "y", "categorical": "x"}, TypeError, "categorical must be a list"),
        ({"target": "y", "task": "regresion"}, ValueError, "did you mean 'regression'"),
        ({"target": "y", "task": "regression"}, ValueError, "holds texts"),
    ],
)
def test_a_bad_option_is_refused_in_one_sentence(table, options, error, message):
    path = table("x,y", *(f"{i},{'ab'[i % 2]}" for i in range(10)))

    with pytest.raises(error, match=message) as caught:
        datasets.csv(path, **options)

    assert_one_sentence(caught)


def test_too_many_numeric_classes_are_refused(table):
    path = table("x,y", *(f"1,{i}" for i in range(1100)))

    with pytest.raises(ValueError, match="1100 different numbers, too many for classes"):
        datasets.csv(path, "y", task="classification")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        datasets.csv(tmp_path / "no.csv", "y")


def test_a_folder_is_refused_as_a_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a file"):
        datasets.csv(tmp_path, "y")


@pytest.mark.parametrize("cut", [1, 9, 15, -9, -1])
def test_a_cut_gzipped_table_is_refused(tmp_path, cut):
    path = tmp_path / "cut.csv.gz"
    contents = gzip.compress(b"x,y\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n8,b\n")
    path.write_bytes(contents[:cut])

    with pytest.raises(ValueError, match="cannot be read") as caught:
        datasets.csv(path, "y")

    assert_one_sentence(caught)


def test_one_endless_line_is_not_read_into_memory(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n" + b"," * (64 << 20), compresslevel=1))

    with peak_memory() as peak, pytest.raises(ValueError, match="line of more than"):
        datasets.csv(path, "y")

    assert peak() < 200 << 20


@given(noise=st.text(max_size=200))
def test_any_text_gives_a_dataset_or_one_sentence(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "table.csv"
    path.write_text("x,y\n" + noise, encoding="utf-8", newline="", errors="replace")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert_value_or_sentence(datasets.csv, path, "y")
