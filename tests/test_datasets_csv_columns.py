"""CSV tables: columns that are left out, too many categories, and the line for each column."""

import sys

import numpy as np
import pytest
from dataset_support import assert_one_sentence, how, write_table

from fastmlp import datasets


def table_of(folder, n_rows=60, **columns):
    """Write columns, each a function of the row, with ``b`` and the target ``y``."""
    columns = columns | {"b": lambda i: f"{i % 7}.5", "y": lambda i: "no" if i % 2 else "yes"}
    rows = [",".join(str(column(i)) for column in columns.values()) for i in range(n_rows)]
    return write_table(folder, ",".join(columns), *rows)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a", lambda i: i),
        ("a", lambda i: i + 1),
        ("a", lambda i: (i * 7) % 60),
        ("customer_id", lambda i: 9000 + 13 * i),
        ("PassengerId", lambda i: 10**9 - i),
        ("rownames", lambda i: 2 * i),
    ],
)
def test_a_column_that_numbers_the_rows_is_left_out_with_a_warning(tmp_path, name, cell):
    path = table_of(tmp_path, **{name: cell})

    with pytest.warns(UserWarning, match=rf"'{name}' is left out.*numeric=\['{name}'\] uses it"):
        data = datasets.csv(path, "y")

    assert data.features == ("b",)
    assert how(data, name).startswith("left out")


def test_row_numbers_can_be_used(tmp_path):
    path = table_of(tmp_path, step=lambda i: i)

    assert datasets.csv(path, "y", numeric=["step"]).features == ("step", "b")


def test_row_numbers_are_used_if_there_is_nothing_else(tmp_path):
    path = write_table(tmp_path, "a,y", *(f"{i},{'uv'[i % 2]}" for i in range(40)))

    data = datasets.csv(path, "y")

    assert data.features == ("a",)
    assert "only numbers the rows" in how(data, "a")


def test_texts_that_differ_in_every_row_are_left_out_with_a_warning(tmp_path):
    path = table_of(tmp_path, who=lambda i: f"Smith {i}")

    with pytest.warns(UserWarning, match=r"'who' is left out.*such as 'Smith 0'.*categorical="):
        data = datasets.csv(path, "y")

    assert data.features == ("b",)


@pytest.mark.parametrize("cell", ["", "7", "same", "NA"])
def test_a_column_without_information_is_left_out(tmp_path, cell):
    data = datasets.csv(table_of(tmp_path, a=lambda i: cell), "y")

    assert data.features == ("b",)
    assert how(data, "a").startswith("left out")


def test_rare_categories_share_a_feature_if_there_are_many(tmp_path):
    path = table_of(tmp_path, 2000, a=lambda i: f"k{i // 2 % 150 if i % 2 else i % 20}")

    data = datasets.csv(path, "y")

    names = [name for name in data.features if name.startswith("a=")]
    assert len(names) == 101
    assert names[-1] == "a=(other)"
    np.testing.assert_array_equal(data.X_train[:, :101].sum(axis=1), 1)
    assert "share a feature" in how(data, "a")


def test_every_column_has_a_line(tmp_path):
    path = table_of(tmp_path, colour=lambda i: ["red", "blue", ""][i % 3], gap=lambda i: "")

    data = datasets.csv(path, "y")

    assert [str(column) for column in data.columns_read] == [
        "y: target, 2 classes",
        "colour: category, 2 texts, 20 missing",
        "gap: left out, without values",
        "b: number",
    ]


def test_warnings_about_many_columns_are_few(tmp_path):
    path = table_of(tmp_path, **{f"id{i}_id": lambda i: 3 * i for i in range(12)})

    with pytest.warns(UserWarning, match="left out|doubtful") as caught:
        datasets.csv(path, "y")

    assert len(caught) == 6
    assert str(caught[-1].message).startswith("7 more columns are doubtful")


def test_a_name_that_is_wrong_does_not_list_a_thousand_others(tmp_path):
    path = table_of(tmp_path, 5, **{f"gene_{i}": lambda i: i for i in range(1000)})

    with pytest.raises(ValueError, match="unknown column 'gene_1x'") as caught:
        datasets.csv(path, "y", drop=["gene_1x"])

    assert len(str(caught.value)) < 200


def test_a_table_that_would_be_too_large_is_refused_in_advance(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "20kB")
    path = table_of(tmp_path, 400, a=lambda i: f"k{i % 40}")

    with pytest.raises(
        ValueError, match=r"400 rows of 41 features, would take 65.6 kB .* drop=\['a', 'b'\]"
    ) as caught:
        datasets.csv(path, "y")

    assert "\n" not in str(caught.value)


def test_the_memory_limit_can_be_raised(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "1 MB")
    path = table_of(tmp_path, 400, a=lambda i: f"k{i % 40}")

    assert datasets.csv(path, "y").n_features == 41


@pytest.mark.parametrize("size", ["much", "-1", "nan", "0"])
def test_an_invalid_memory_limit_is_refused(tmp_path, monkeypatch, size):
    monkeypatch.setenv("FASTMLP_MAX_BYTES", size)

    with pytest.raises(ValueError, match="FASTMLP_MAX_BYTES must be a number of bytes") as caught:
        datasets.csv(table_of(tmp_path), "y")

    assert_one_sentence(caught)


def test_without_polars_one_sentence_tells_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)

    with pytest.raises(ImportError, match=r'pip install "fastmlp\[tables\]"'):
        datasets.csv(table_of(tmp_path), "y")
