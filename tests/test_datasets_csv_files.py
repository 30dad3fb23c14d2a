"""CSV files: delimiters, compression, quotes, damage, and limits on their size in memory."""

import bz2
import gzip
import lzma
import sys

import numpy as np
import pytest
from dataset_support import assert_one_sentence, column_of, write_table
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import datasets
from fastmlp.datasets.records import read_records

ROWS = [("size", "kind"), *((f"{i}.5", "round" if i % 2 else "square") for i in range(20))]


def by_zstd(data):
    """Return data compressed by zstd, which Python has from 3.14 on."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return pytest.importorskip(name).compress(data)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(tmp_path, delimiter):
    path = write_table(tmp_path, *(delimiter.join(row) for row in ROWS), name="t.txt")

    assert datasets.csv(path, "kind").classes == ("round", "square")


def test_commas_in_the_cells_do_not_mislead(tmp_path):
    path = write_table(tmp_path, "a;b;y", *(f"{i},5;x, y, z;{i % 2}" for i in range(20)))

    assert datasets.csv(path, "y").features == ("a",)


@pytest.mark.parametrize("delimiter", [":", " ", "¦"])
def test_any_character_can_be_the_delimiter(tmp_path, delimiter):
    path = write_table(tmp_path, *(delimiter.join(row) for row in ROWS))

    assert datasets.csv(path, "kind", delimiter=delimiter).classes == ("round", "square")


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_an_invalid_delimiter_is_refused(tmp_path, delimiter):
    path = write_table(tmp_path, "x,y", "1,2")

    with pytest.raises(ValueError, match="delimiter must be one character"):
        datasets.csv(path, "y", delimiter=delimiter)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("T.CSV.GZ", gzip.compress),
        ("t.csv.bz2", bz2.compress),
        ("t.tsv.xz", lzma.compress),
        ("t.csv.zst", by_zstd),
        ("packed.csv", gzip.compress),
        ("packed.csv", by_zstd),
    ],
)
def test_compressed_files_are_read(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack("\n".join(map(",".join, ROWS)).encode()))

    data = datasets.csv(path, "kind")

    assert data.name.lower() in ("t", "packed")
    assert len(data.X_train) + len(data.X_test) == 20


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"two\nlines"', "two\nlines"),
        ('"a ""quoted"" word"', 'a "quoted" word'),
        ('5" wide', '5" wide'),
        ('"a, b"', "a, b"),
        (' "c, d"', "c, d"),
        ("plain \r", "plain"),
    ],
)
def test_quotes_enclose_a_whole_cell_or_are_text(tmp_path, cell, text):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i}.5,{cell if i % 2 else 'other'}\n" for i in range(20))
    path.write_text(f"x,y\n{rows}", newline="")

    assert datasets.csv(path, "y").classes == tuple(sorted(["other", text]))


def test_lines_may_end_in_carriage_returns_alone(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"x,y\r" + b"1.5,u\r2.5,v\r" * 5)

    assert datasets.csv(path, "y").classes == ("u", "v")


@pytest.mark.parametrize("line", [b"sep=;", b'"sep=;"\r'])
def test_a_first_line_for_excel_is_no_header(tmp_path, line):
    path = tmp_path / "t.csv"
    path.write_bytes(line + b"\nx;y\n" + b"1,5;u\n2,5;v\n" * 5 + b"3\n")

    with pytest.raises(ValueError, match=r"line 13 of .* has 1 value"):
        datasets.csv(path, "y")

    path.write_bytes(path.read_bytes().removesuffix(b"3\n"))
    assert datasets.csv(path, "y").classes == ("u", "v")


@pytest.mark.parametrize("quoted", [b"", b'5" pipe'])
def test_a_lone_carriage_return_is_text_where_lines_end_otherwise(tmp_path, quoted):
    path = tmp_path / "t.csv"
    path.write_bytes(b"note,y\n" + b"a\rb,u\nc" + quoted + b",v\n" * 5 + b"d,v\n" * 5)

    assert datasets.csv(path, "y", test_fraction=0.5).classes == ("u", "v")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is empty"),
        (b"x,y\n1,\x81\n", "line 2 of .* is neither UTF-8 nor Windows-1252: set encoding"),
        (b"x,y\n" + b"1,a\n" * 3_000_000 + b"1,\x8d\n", "line 3000002 of .* is neither UTF-8"),
        ("x,y\n1,ä\n2,ö\n".encode() + b"3,\xff\n", "line 4 of .* is not UTF-8, although other"),
        (b"x,y\n1,a\n2,\0\n", "line 3 of .* holds a zero byte"),
        (b"PK\x03\x04" + bytes(50), "a zip archive or a spreadsheet"),
        (b"x,y\n1,\xe9\n2,\0\n", "line 3 of .* holds a zero byte"),
        (b"x\0,\0y\0\n\0", "or UTF-16, which encoding='utf-16' reads"),
        (b"\xff\xfex\0,\0\0\xd8a\0", "line 1 of .* is not text in the encoding utf-16-le"),
        (b'x,y\n1,"a\nb"\n2\n', "line 4 of .* has 1 value"),
        (b'x,y\n1,a\n2,"b\n3,c\n', "line 4 of .* cannot be read"),
        (b"x,y\n1,a\n2,b,\n", "line 3 of .* has 3 values"),
        (b"x,y\n\n1,a\n\n2\n", "line 5 of .* has 1 value"),
        (b"only\n1\n2\n", "at least two columns, got 1: .* or set delimiter"),
    ],
)
def test_an_error_in_a_file_names_the_line(tmp_path, contents, message):
    path = tmp_path / "t.csv"
    path.write_bytes(contents)

    with pytest.raises(ValueError, match=message) as caught:
        datasets.csv(path, "y")

    assert_one_sentence(caught)


@pytest.mark.parametrize("pack", [gzip.compress, by_zstd])
def test_the_size_of_a_decompressed_file_is_limited(tmp_path, monkeypatch, pack):
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "3e6")
    path = tmp_path / "bomb.csv"
    path.write_bytes(pack(b"x,y\n" + b"1.5,a\n2.5,b\n" * 400_000))

    with pytest.raises(ValueError, match=r"expands to more than the 3\.0 MB that are allowed"):
        datasets.csv(path, "y")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, by_zstd])
@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data[:20] + bytes(60)])
def test_a_damaged_archive_is_refused(tmp_path, pack, change):
    path = tmp_path / "t.csv"
    path.write_bytes(change(pack("\n".join(map(",".join, ROWS)).encode())))

    with pytest.raises(ValueError, match=r"t\.csv' cannot be read .*: get it again") as caught:
        datasets.csv(path, "kind")

    assert_one_sentence(caught)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python reads zstd by itself")
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "backports", None)
    path = tmp_path / "t.csv.zst"
    path.write_bytes(b"(\xb5/\xfd and more")

    with pytest.raises(ImportError, match=r'zstd, which needs .*: pip install "fastmlp\[tables\]"'):
        datasets.csv(path, "kind")


def test_a_table_of_many_batches_is_read_completely(tmp_path, monkeypatch):
    monkeypatch.setattr("fastmlp.datasets.table.BATCH_BYTES", 1)
    monkeypatch.setattr("fastmlp.datasets.records.CHUNK", 64)
    header = ",".join(f"c{j}" for j in range(9)) + ",y"
    rows = [
        ",".join(f"{i}.{j}5" for j in range(9)) + f',"{"u, v"[:: 1 + i % 2]}"' for i in range(50)
    ]
    path = write_table(tmp_path, header, *rows)

    data = datasets.csv(path, "y")

    assert data.features == tuple(f"c{j}" for j in range(9))
    np.testing.assert_allclose(np.sort(column_of(data, "c7")), np.arange(50) + 0.75, rtol=1e-6)


@given(
    cells=st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))] * 3
        ),
        min_size=1,
        max_size=20,
    ),
    delimiter=st.sampled_from(",;\t|"),
)
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, cells, delimiter):
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *cells])
    path = tmp_path_factory.mktemp("any") / "t.csv"

    records = read_records(out.getvalue().encode(), path, delimiter, "a")

    read = [tuple(cell or "" for cell in row) for row in records.columns([0, 1, 2]).rows()]
    assert read == cells
