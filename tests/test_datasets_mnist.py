"""MNIST's files: the IDX format, folder layouts, and errors."""

import gzip
import os
import struct
import zlib

import numpy as np
import pytest
from dataset_support import (
    assert_one_sentence,
    assert_value_or_sentence,
    idx_bytes,
    peak_memory,
    write_mnist,
)
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import datasets
from fastmlp.datasets.idx import read_idx


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_official_files_are_read(tmp_path, load, suffix, dotted):
    arrays = write_mnist(tmp_path, suffix=suffix, dotted=dotted)

    data = load(tmp_path)

    assert data.name == load.__name__
    assert data.shape == (28, 28)
    assert data.X_train.dtype == np.uint8
    assert data.y_test.dtype == np.int64
    np.testing.assert_array_equal(data.X_train, arrays["train-images-idx3-ubyte"].reshape(-1, 784))
    np.testing.assert_array_equal(data.y_train, arrays["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(data.X_test, arrays["t10k-images-idx3-ubyte"].reshape(-1, 784))
    np.testing.assert_array_equal(data.y_test, arrays["t10k-labels-idx1-ubyte"])


def test_a_gzipped_file_is_recognised_by_its_contents(tmp_path):
    arrays = write_mnist(tmp_path)
    name = "train-labels-idx1-ubyte"
    (tmp_path / name).write_bytes(gzip.compress(idx_bytes(arrays[name])))

    data = datasets.mnist(str(tmp_path))

    np.testing.assert_array_equal(data.y_train, arrays[name])


@given(n_rows=st.integers(1, 40), zipped=st.booleans(), cut=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_in_one_sentence(tmp_path_factory, n_rows, zipped, cut):
    contents = idx_bytes(np.arange(n_rows))
    contents = gzip.compress(contents) if zipped else contents
    path = tmp_path_factory.mktemp("cut") / "labels"
    path.write_bytes(contents[: int(cut * len(contents))])

    with pytest.raises(ValueError, match="'") as caught:
        read_idx(path, ())

    assert_one_sentence(caught)


@given(noise=st.binary(max_size=200), zipped=st.booleans())
def test_any_bytes_give_an_array_or_one_sentence(tmp_path_factory, noise, zipped):
    path = tmp_path_factory.mktemp("noise") / "labels"
    path.write_bytes(b"\x1f\x8b" + noise if zipped else b"\0\0\x08\x01" + noise)

    assert_value_or_sentence(read_idx, path, ())


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "starts with nothing"),
        (b"PK\x03\x04 a zip file", "starts with 50 4b 03 04 instead of 00 00 08 03"),
        (idx_bytes(np.zeros((2, 28, 28)), type_code=0x0D), "not an IDX file of unsigned bytes"),
        (idx_bytes(np.zeros(2)), "with 3 dimensions"),
        (idx_bytes(np.zeros((2, 28, 28)))[:10], "ends within its header"),
        (idx_bytes(np.zeros((2, 32, 32))), "must hold items of 28 x 28, got 32 x 32"),
        (idx_bytes(np.zeros((0, 28, 28))), "its header says 0"),
        (idx_bytes(np.zeros((2, 28, 28))) + b"!", "cannot hold exactly"),
        (idx_bytes(np.zeros((2, 28, 28)))[:-1], "truncated"),
        (gzip.compress(idx_bytes(np.zeros((2, 28, 28))) + b"!", mtime=0), "is longer than"),
        (gzip.compress(idx_bytes(np.zeros((2, 28, 28)))[:-1], mtime=0), "ends 1 bytes before"),
        (gzip.compress(idx_bytes(np.zeros((2, 28, 28))), mtime=0) + b"junk", "damaged gzip"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, contents, message):
    path = tmp_path / "images"
    path.write_bytes(contents)

    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path, (28, 28))

    assert_one_sentence(caught)


def test_a_flipped_byte_in_a_gzipped_file_is_noticed(tmp_path):
    contents = bytearray(gzip.compress(idx_bytes(np.arange(200) % 10), compresslevel=0))
    contents[100] ^= 1
    path = tmp_path / "labels"
    path.write_bytes(bytes(contents))

    with pytest.raises(ValueError, match="damaged gzip file"):
        read_idx(path, ())


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_cannot_cause_a_large_allocation(tmp_path, zipped):
    claim = struct.pack(">4B3I", 0, 0, 8, 3, 1_000_000, 28, 28)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(claim) if zipped else claim)

    with peak_memory() as peak, pytest.raises(ValueError, match="cannot hold"):
        read_idx(path, (28, 28))

    assert peak() < 1 << 20


def test_dimensions_that_would_overflow_are_refused(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1))

    with pytest.raises(ValueError, match="got 4294967295 x 4294967295"):
        read_idx(path, (28, 28))


def test_a_gzip_bomb_is_not_expanded(tmp_path):
    deflate = zlib.compressobj(9, wbits=31)
    bomb = deflate.compress(idx_bytes(np.zeros(5)))
    for _ in range(64):
        bomb += deflate.compress(bytes(1 << 20))
    path = tmp_path / "labels"
    path.write_bytes(bomb + deflate.flush())

    with peak_memory() as peak, pytest.raises(ValueError, match="is longer than"):
        read_idx(path, ())

    assert peak() < 1 << 20


def test_labels_of_another_dataset_are_refused(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(19)))

    with pytest.raises(ValueError, match=r"20 images but .* 19 labels"):
        datasets.mnist(tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([0, 1, 10, 2, 3])))

    with pytest.raises(ValueError, match="must hold labels from 0 to 9, got 10"):
        datasets.mnist(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()

    with pytest.raises(FileNotFoundError, match="neither t10k-images-idx3-ubyte nor") as caught:
        datasets.mnist(tmp_path)

    assert_one_sentence(caught)


@pytest.mark.parametrize(
    ("directory", "error", "message"),
    [
        ("nowhere", FileNotFoundError, "nowhere' does not exist"),
        (__file__, FileNotFoundError, "is not a folder"),
        (7, TypeError, "must be a path to a folder, but is of type int"),
    ],
)
@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist, datasets.cifar10])
def test_an_invalid_directory_is_refused(load, directory, error, message):
    with pytest.raises(error, match=message):
        load(directory)


@pytest.mark.data
def test_the_real_files_are_read():
    directory = os.environ.get("FASTMLP_MNIST_DIR")
    if not directory:
        pytest.skip("FASTMLP_MNIST_DIR is not set")

    data = datasets.mnist(directory)

    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert zlib.crc32(data.X_test) == 3838467927
