"""CSV tables: targets that are classes or numbers, and rows without a target."""

import numpy as np
import pytest
from dataset_support import how, write_table

from fastmlp import datasets


def read(folder, cells, **options):
    """Return a table with these cells as the target ``y``."""
    rows = [f'{i / 2},"{cell}"' for i, cell in enumerate(cells)]
    return datasets.csv(write_table(folder, "x,y", *rows), "y", **options)


@pytest.mark.parametrize("word", ["None", "NA", "null", "n/a", "-", "missing"])
def test_markers_of_missing_numbers_are_classes_with_a_warning(tmp_path, word):
    with pytest.warns(UserWarning, match="which may mean a missing value: missing="):
        data = read(tmp_path, [word, "left", "right"] * 8)

    assert data.classes is not None
    assert word in data.classes


@pytest.mark.parametrize("word", ["NaN", "<NA>", "?"])
def test_unmistakable_markers_are_classes_only_if_needed(tmp_path, word):
    with pytest.warns(UserWarning, match="which may mean a missing value"):
        alone = read(tmp_path, [word, "left"] * 8)
    with pytest.warns(UserWarning, match="no value in 8 rows, which are left out"):
        among = read(tmp_path, [word, "left", "right"] * 8)

    assert alone.classes == tuple(sorted([word, "left"]))
    assert among.classes == ("left", "right")


def test_the_missing_argument_removes_a_class(tmp_path):
    with pytest.warns(UserWarning, match="no value in 10 rows"):
        data = read(tmp_path, ["none", "left", "right"] * 10, missing=["None"])

    assert data.classes == ("left", "right")


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    with pytest.warns(UserWarning, match="no value in data row 4, which is left out"):
        data = read(tmp_path, ["1.5", "2.5", "4.5", "", *(f"{i}.25" for i in range(20))])

    assert len(data.y_train) + len(data.y_test) == 23


@pytest.mark.parametrize(
    "cells",
    [
        [f"€{i}99" for i in range(1, 13)],
        [f"{i * 5}%" for i in range(12)],
        [f"{i}.00" for i in range(12)],
        [f"{1000 * i}" for i in range(1, 13)],
        [f"{i // 2}" for i in range(12)],
        ["unknown", *(f"{i * 37}" for i in range(1, 29))],
    ],
)
@pytest.mark.filterwarnings("ignore:.*among its numbers:UserWarning")
def test_quantities_are_not_classes(tmp_path, cells):
    assert read(tmp_path, cells).classes is None


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["0", "1"] * 4, ("0", "1")),
        (["3", "4", "5"] * 7, ("3", "4", "5")),
        (["10", "500"] * 6, ("10", "500")),
        (
            ["18014398509481985", "18014398509481984"] * 9,
            ("18014398509481984", "18014398509481985"),
        ),
    ],
)
def test_codes_are_classes(tmp_path, cells, classes):
    data = read(tmp_path, cells)

    assert data.classes == classes
    assert "task='regression'" in how(data, "y")


def test_mostly_numbers_with_many_texts_is_refused(tmp_path):
    cells = [f"{i}.5" if i % 4 else f"see note {i}" for i in range(80)]

    with pytest.raises(ValueError, match=r"'see note 0' \(data row 1\) among its numbers"):
        read(tmp_path, cells)


def test_a_class_for_every_row_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 50 different texts such as 'Ann 0' in 50 rows"):
        read(tmp_path, [f"Ann {i}" for i in range(50)])


def test_targets_large_relative_to_their_spread_stay_float64(tmp_path):
    cells = [f"{5e6 + i / 100:.2f}" for i in range(60)]

    data = read(tmp_path, cells)

    together = np.sort(np.concatenate([data.y_train, data.y_test]))
    np.testing.assert_array_equal(together, np.array(cells, float))


@pytest.mark.parametrize("word", ["NA", "?", "none"])
def test_a_target_without_any_value_is_refused(tmp_path, word):
    with pytest.raises(ValueError, match="'y' has no value in any row"):
        read(tmp_path, [word, ""] * 10)


def test_one_class_is_doubtful(tmp_path):
    with pytest.warns(UserWarning, match="has only one class, 'a'"):
        read(tmp_path, ["a"] * 10)
