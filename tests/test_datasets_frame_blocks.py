"""Tables in blocks of rows: the same cells as in one piece, wherever the blocks end."""

import csv
import io
import json
import tracemalloc

import pytest

pytest.importorskip("polars")

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fastmlp.datasets import frame_blocks as module
from fastmlp.datasets.frame_blocks import frame_blocks
from fastmlp.datasets.frame_file import read_frame_file


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    small(monkeypatch, 16)


def small(monkeypatch, n_bytes):
    """Make blocks and what is read at a time small."""
    monkeypatch.setattr(module, "BLOCK_BYTES", n_bytes)
    monkeypatch.setattr("fastmlp.datasets.text_file.PIECE", max(1, n_bytes // 3))


def blocks(path, **options):
    return list(frame_blocks(path, **options))


def together(path, **options):
    """Return all blocks as one frame."""
    return pl.concat([block.frame for block in blocks(path, **options)], how="vertical_relaxed")


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


TABLES = {
    "plain": "a,b\n" + "".join(f"{i},x{i}\n" for i in range(40)),
    "no line end": "a,b\n1,2\n3,4\n5,6\n7,8\n9,10",
    "windows": "a;b\r\n" + "".join(f"{i},5;x\r\n" for i in range(20)),
    "lines in cells": 'a,b\n1,"two\nlines"\n2,"and\n\n\nmore ""here"""\n' * 1 + '3,"x\ny"\n' * 9,
    "blank lines": "a,b\n\n1,2\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n3,4\n\n5,6\n\n\n",
    "a quote in a word": "a,b\n" + "1,2\n" * 9 + '5" pipe,3\n' + '"x\ny",4\n' * 9,
    "carriage returns": "a,b\r" + "1,x\r" * 20,
    "long cells": "a,b\n" + f"{'long ' * 30},2\n" * 3,
    "byte order mark": "\ufeffa,b\n1,2\n3,4\n5,6\n",
    "no names": ",b,\n1,2,3\n4,5,6\n7,8,9\n",
    "accents": "é,b\n" + "ü,ß\n" * 9,
}


@pytest.mark.parametrize("n_bytes", [1, 7, 16, 1000])
@pytest.mark.parametrize("name", TABLES)
def test_blocks_hold_what_the_whole_file_holds(tmp_path, monkeypatch, name, n_bytes):
    small(monkeypatch, n_bytes)
    path = written(tmp_path, TABLES[name])

    whole = read_frame_file(path)
    found = blocks(path)

    assert together(path).equals(whole.frame)
    assert all(block.frame.height for block in found)
    assert {block.european for block in found} == {whole.european}
    assert {block.name for block in found} == {"t"}


cells = st.text(st.sampled_from('ab"\n\r,; '), max_size=6)


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=12), quoting=st.booleans())
def test_blocks_hold_whatever_a_writer_writes(tmp_path_factory, rows, quoting):
    out = io.StringIO()
    rule = csv.QUOTE_ALL if quoting else csv.QUOTE_MINIMAL
    csv.writer(out, quoting=rule, lineterminator="\n").writerows([("a", "b"), *rows])
    path = written(tmp_path_factory.mktemp("any"), out.getvalue())

    assert together(path).equals(read_frame_file(path).frame)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n" + "1,2\n" * 30 + "3\n", "line 32 of .* has 1 value, but the header names 2"),
        ('a,b\n1,"x\ny"\n' + "1,2\n" * 30 + "3,4,5\n", "line 34 of .* has 3 values"),
        ('a,b\n5" pipe,2\n' + "1,2\n" * 30 + "3\n", "line 33 of .* has 1 value"),
        ("a,b\n" + "1,2\n" * 30 + '3,"open\n' + "1,2\n" * 9, "line 41 of .* cannot be read"),
        ("a,b\n" + "1,2\n" * 30 + "\0", "line 32 of .* holds a zero byte"),
        ("a,b\n\n\n", "has a header but no rows"),
        ("a,a\n1,2\n", "two columns of .* are named 'a'"),
        ("", "is empty"),
    ],
)
def test_an_error_names_the_line_of_the_file(tmp_path, text, told):
    with pytest.raises(ValueError, match=told):
        blocks(written(tmp_path, text))


def test_compressed_files_are_read_in_blocks(tmp_path):
    import gzip

    path = written(tmp_path, gzip.compress(TABLES["plain"].encode()), "t.csv.gz")

    assert len(blocks(path)) > 3
    assert together(path).height == 40


@pytest.mark.parametrize("ending", ["parquet", "arrow", "stream"])
def test_files_with_types_are_read_in_blocks(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(module, "BLOCK_CELLS", 1)
    frame = pl.DataFrame({"a": range(5000), "b": [f"x{i}" for i in range(5000)]})
    path = tmp_path / f"t.{ending}"
    match ending:
        case "parquet":
            frame.write_parquet(path)
        case "arrow":
            frame.write_ipc(path)
        case "stream":
            frame.write_ipc_stream(path)

    assert [block.frame.height for block in blocks(path)] == [1024] * 4 + [904]
    assert together(path).equals(frame)


def test_json_lines_keep_the_columns_of_the_first_block(tmp_path):
    rows = [{"a": 1, "b": "x"}, {"a": 2}, {"a": None, "b": "y", "c": 3}, {"b": "z"}]
    path = written(tmp_path, "\n".join(map(json.dumps, rows)) + "\n\n", "t.jsonl")

    found = blocks(path)

    assert len(found) > 1
    assert [row for block in found for row in block.frame.rows()] == [
        (1, "x"),
        (2, None),
        (None, "y"),
        (None, "z"),
    ]


@pytest.mark.parametrize(
    ("name", "contents", "told"),
    [
        ("t.jsonl", b"", "has no columns"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2 of .* is not JSON"),
        ("t.parquet", b"PAR1 and nothing else", "cannot be read as Parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, name, contents, told):
    with pytest.raises(ValueError, match=told):
        blocks(written(tmp_path, contents, name))


def test_a_delimiter_is_for_text_files(tmp_path):
    path = written(tmp_path, b'{"a": 1}\n', "t.jsonl")

    with pytest.raises(ValueError, match="delimiter is for text files"):
        blocks(path, delimiter=";")


def test_a_block_is_all_that_is_kept(tmp_path, monkeypatch):
    small(monkeypatch, 1 << 16)
    monkeypatch.setattr(module, "_HEAD_BYTES", 1 << 16)
    path = written(tmp_path, "a,b\n" + "1.25,some text\n" * 300_000)

    tracemalloc.start()
    try:
        n_rows = sum(block.frame.height for block in frame_blocks(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert n_rows == 300_000
    assert peak < path.stat().st_size / 4
