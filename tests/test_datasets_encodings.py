"""Text files in other encodings than UTF-8."""

import gzip
import warnings

import pytest
from dataset_support import assert_one_sentence

pytest.importorskip("polars")

import polars as pl

from fastmlp import datasets
from fastmlp.datasets import frame_blocks as blocks_module
from fastmlp.datasets import text_file
from fastmlp.datasets.frame_blocks import frame_blocks
from fastmlp.datasets.frame_file import read_frame_file

TEXT = "Ort,Straße\r\nZürich,Rämi\r\nGenève,Côté\r\nGraz,„Ring“\r\n"
LATIN = TEXT.replace("„Ring“", "Ring")
TABBED = TEXT.replace(",", "\t")


def write(folder, contents, name="t.csv"):
    path = folder / name
    path.write_bytes(contents)
    return path


def expected(text=TEXT):
    header, *rows = (line.split(",") for line in text.replace("\t", ",").split())
    return pl.DataFrame(rows, schema=header, orient="row")


def assert_read(path, text=TEXT, encoding=None):
    """Check the table as a whole and in blocks."""
    assert read_frame_file(path, encoding=encoding).frame.equals(expected(text))
    blocks = list(frame_blocks(path, encoding=encoding))
    assert pl.concat([block.frame for block in blocks]).equals(expected(text))


@pytest.fixture
def no_warnings():
    """Make errors of warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("named", [None, "latin-1"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding, named):
    mark = "" if encoding == "utf-8-sig" else "\ufeff"

    assert_read(write(tmp_path, (mark + TABBED).encode(encoding)), TABBED, named)


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1"])
def test_what_is_not_utf8_is_read_as_windows_1252_with_a_warning(tmp_path, encoding):
    text = TEXT if encoding == "windows-1252" else LATIN
    path = write(tmp_path, text.encode(encoding))

    with pytest.warns(UserWarning, match="is not UTF-8 and is read as Windows-1252: set encoding"):
        assert_read(path, text)


def test_letters_that_happen_to_be_utf8_are_read_as_the_rest(tmp_path):
    path = write(tmp_path, "wort,y\nGruß»,ä\ngrün,ö\n".encode("windows-1252"))

    with pytest.warns(UserWarning, match="Windows-1252"):
        assert read_frame_file(path).frame["wort"].to_list() == ["Gruß»", "grün"]


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("windows-1252", "Ärger"),
        ("cp1251", "Москва"),
        ("shift_jis", "東京"),
        ("gb18030", "上海"),
        ("UTF-16", "Łódź"),
        ("UTF8", "Łódź"),
    ],
)
def test_an_encoding_can_be_named(tmp_path, encoding, word):
    contents = f"a,{word}\n1,{word}\n".encode(encoding)
    if encoding == "UTF-16":
        contents = contents.removeprefix(b"\xff\xfe")

    frame = read_frame_file(write(tmp_path, contents), encoding=encoding).frame

    assert frame.columns == ["a", word]
    assert frame[word].to_list() == [word]


def test_compressed_files_have_encodings_too(tmp_path):
    path = write(tmp_path, gzip.compress(TABBED.encode("utf-16")), "t.txt.gz")

    assert_read(path, TABBED)


@pytest.mark.usefixtures("no_warnings")
def test_json_lines_have_encodings_too(tmp_path):
    path = write(tmp_path, '{"ort": "Köln"}\n{"ort": "Łódź"}\n'.encode("utf-16"), "t.jsonl")

    assert read_frame_file(path).frame["ort"].to_list() == ["Köln", "Łódź"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "windows-1252"])
def test_characters_may_lie_across_the_pieces_that_are_read(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(text_file, "PIECE", 3)
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 16)
    path = write(tmp_path, ("ort\tx\n" + "wöhrd\t1\nfürth\t2\n" * 9).encode(encoding))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        places = pl.concat([block.frame for block in frame_blocks(path)])["ort"].to_list()

    assert places == ["wöhrd", "fürth"] * 9


def test_the_last_letter_of_a_file_decides_too(tmp_path):
    path = write(tmp_path, "x,y\n1,café".encode("windows-1252"))

    with pytest.warns(UserWarning, match="Windows-1252"):
        assert read_frame_file(path).frame["y"].to_list() == ["café"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("utf-9", "did you mean 'utf-8'"),
        ("ANSI", "did you mean 'windows-1252'"),
        ("base64", "use one such as"),
        ("no such thing", "use one such as"),
        ("a\0b", "use one such as"),
    ],
)
def test_an_unknown_encoding_is_refused(tmp_path, name, hint):
    path = write(tmp_path, b"x,y\n1,a\n")

    with pytest.raises(ValueError, match=f"unknown encoding .*{hint}") as caught:
        datasets.csv(path, "y", encoding=name)

    assert_one_sentence(caught)


def test_files_of_types_have_no_encoding(tmp_path):
    pl.DataFrame({"a": [1], "b": [2]}).write_parquet(tmp_path / "t.parquet")

    with pytest.raises(ValueError, match="encoding is for text files"):
        read_frame_file(tmp_path / "t.parquet", encoding="latin-1")


def test_a_dataset_is_read_in_the_encoding_that_is_named(tmp_path):
    rows = [f"{i % 7},{'дa' if i % 2 else 'нет'}\n" for i in range(20)]
    path = write(tmp_path, ("x,ответ\n" + "".join(rows)).encode("koi8-r"))

    assert datasets.csv(path, "ответ", encoding="koi8-r").classes == ("дa", "нет")
