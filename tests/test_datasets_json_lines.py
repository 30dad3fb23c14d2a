"""Tables in JSON lines, as programs write them: sparse, of mixed types, and with mistakes."""

import json
from pathlib import Path

import pytest

from fastmlp.datasets.frame_blocks import frame_blocks
from fastmlp.datasets.frame_file import read_frame_file

N = 130  # more than the rows that polars looks at by itself


def written(folder, rows, name="t.jsonl"):
    path = folder / name
    path.write_text(
        "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    )
    return path


def columns(path):
    """Return the columns, by both ways of reading them."""
    frame = read_frame_file(path).frame
    (block,) = frame_blocks(path)
    assert block.frame.equals(frame)
    return frame.to_dict(as_series=False)


def test_a_column_that_begins_late_is_read(tmp_path):
    rows = [{"a": i} | ({"late": i / 4} if i >= 120 else {}) for i in range(N)]

    assert columns(written(tmp_path, rows))["late"] == [None] * 120 + [i / 4 for i in range(120, N)]


@pytest.mark.parametrize(
    ("first", "later", "read"),
    [
        (3, 0.25, [3.0, 0.25]),
        (None, 7.5, [None, 7.5]),
        (7, "n.d.", ["7", "n.d."]),
        ("lost", True, ["lost", "true"]),
        (False, 12, ["false", "12"]),
        (1.5, float("nan"), [1.5, None]),
    ],
)
def test_a_late_value_of_another_type_widens_the_column(tmp_path, first, later, read):
    path = written(tmp_path, [{"a": first, "b": "x"}] * (N - 1) + [{"a": later, "b": "x"}])

    values = columns(path)["a"]

    assert [values[0], values[-1]] == read


@pytest.mark.parametrize("name", ["t.json", "t.ndjson"])
def test_other_names_of_such_files_are_known(tmp_path, name):
    assert columns(written(tmp_path, [{"u": 1, "v": "y"}], name)) == {"u": [1], "v": ["y"]}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"a": 1}, '{"a": oops}\n'], "line 2 of '.*' is not JSON .*an object in each line"),
        ([{"a": 1}, "\n", "[2]\n"], "line 3 of '.*' must hold an object such as"),
        (['[{"a": 1}, {"a": 2}]'], "line 1 of '.*' must hold an object such as"),
        ([{"a": 1}, '{"a": Infinity}\n'], "line 2 of '.*' is not JSON .Infinity is not a finite"),
        ([{"a": [1, 2]}, {"a": 3}], "column 'a' of '.*' holds lists or objects in some rows"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, rows, told):
    path = written(tmp_path, rows)

    for read in (read_frame_file, lambda path: list(frame_blocks(path))):
        with pytest.raises(ValueError, match=told):
            read(Path(path))
