"""CIFAR-10 in both layouts, and malicious pickles."""

import os
import pickle
import struct

import numpy as np
import pytest
from dataset_support import (
    assert_one_sentence,
    assert_value_or_sentence,
    cifar_batches,
    peak_memory,
    python2_pickle,
    write_cifar_binary,
    write_cifar_python,
)
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import datasets
from fastmlp.datasets import cifar, plain_pickle
from fastmlp.datasets.plain_pickle import load_plain

UINT8 = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tR"
EMPTY_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"


def modern_pickle(protocol):
    return lambda record: pickle.dumps(record, protocol=protocol)


def old_names(record):
    return pickle.dumps(record, protocol=4).replace(
        b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    )


def fortran(record):
    return python2_pickle({**record, b"data": np.asfortranarray(record[b"data"])})


def text_keys(record):
    return pickle.dumps({key.decode(): value for key, value in record.items()})


def assert_holds(data, batches):
    train = [batches[f"data_batch_{i}"] for i in range(1, 6)]
    np.testing.assert_array_equal(data.X_train, np.concatenate([images for images, _ in train]))
    np.testing.assert_array_equal(data.y_train, np.concatenate([labels for _, labels in train]))
    np.testing.assert_array_equal(data.X_test, batches["test_batch"][0])
    np.testing.assert_array_equal(data.y_test, batches["test_batch"][1])


@pytest.mark.parametrize(
    "dump",
    [python2_pickle, old_names, fortran, text_keys, *map(modern_pickle, (2, 3, 4, 5))],
)
def test_pickled_batches_are_read(tmp_path, dump):
    batches = cifar_batches()
    write_cifar_python(tmp_path, batches, dump)

    data = datasets.cifar10(tmp_path)

    assert_holds(data, batches)
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert data.X_train.flags.c_contiguous
    assert data.X_test.flags.c_contiguous
    assert data.shape == (3, 32, 32)
    assert data.classes is not None
    assert data.classes[3] == "cat"


def test_binary_batches_are_read(tmp_path):
    batches = cifar_batches()
    write_cifar_binary(tmp_path, batches)

    data = datasets.cifar10(tmp_path)

    assert_holds(data, batches)
    assert data.X_test.flags.c_contiguous


@pytest.mark.parametrize(
    ("folder", "write"),
    [("cifar-10-batches-py", write_cifar_python), ("cifar-10-batches-bin", write_cifar_binary)],
)
def test_the_parent_folder_works_too(tmp_path, folder, write):
    batches = cifar_batches()
    write(tmp_path / folder, batches)

    assert_holds(datasets.cifar10(str(tmp_path)), batches)


def test_the_returned_arrays_can_be_written_to(tmp_path):
    write_cifar_python(tmp_path, cifar_batches())

    data = datasets.cifar10(tmp_path)

    assert data.X_train.flags.writeable
    assert data.X_test.flags.writeable


def test_a_folder_without_batches_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds neither data_batch_1 nor") as caught:
        datasets.cifar10(tmp_path)

    assert_one_sentence(caught)


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_cifar_python, "test_batch"), (write_cifar_binary, "data_batch_4.bin")],
)
def test_a_missing_batch_is_named(tmp_path, write, name):
    write(tmp_path, cifar_batches())
    (tmp_path / name).unlink()

    with pytest.raises(FileNotFoundError, match=f"{name}' is missing"):
        datasets.cifar10(tmp_path)


@pytest.mark.parametrize("contents", [b"", b"\0" * 3072, b"\0" * 3074])
def test_a_truncated_binary_batch_is_refused(tmp_path, contents):
    write_cifar_binary(tmp_path, cifar_batches())
    (tmp_path / "data_batch_2.bin").write_bytes(contents)

    with pytest.raises(
        ValueError, match=r"data_batch_2.bin' has \d+ bytes, not a multiple"
    ) as caught:
        datasets.cifar10(tmp_path)

    assert_one_sentence(caught)


@pytest.mark.parametrize(("name", "write"), [("test_batch", write_cifar_python)])
@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([1, 2], "it is not a dict"),
        ({}, "'data' is not an array"),
        (
            {b"data": np.zeros((2, 5), np.uint8), b"labels": [1, 2]},
            "not an array of 3072",
        ),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": b"12"}, "not a list of whole"),
        (
            {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, None]},
            "not a list of whole",
        ),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "2 images and 1 labels"),
        (
            {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 10]},
            "labels from 0 to 9, got 10",
        ),
        (
            {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, -3]},
            "labels from 0 to 9, got -3",
        ),
        ({b"data": np.zeros((2, 3072), np.int64), b"labels": [1, 2]}, "not uint8"),
        ({b"data": np.array([None]), b"labels": [1, 2]}, "not uint8"),
    ],
)
def test_a_pickle_with_other_contents_is_refused(tmp_path, name, write, record, message):
    write(tmp_path, cifar_batches())
    (tmp_path / name).write_bytes(python2_pickle(record))

    with pytest.raises(ValueError, match=message) as caught:
        datasets.cifar10(tmp_path)

    assert_one_sentence(caught)


def test_a_batch_that_is_too_large_is_not_opened(tmp_path):
    write_cifar_python(tmp_path, cifar_batches())
    with open(tmp_path / "data_batch_1", "wb") as file:
        file.truncate(cifar.MAX_BATCH_BYTES + 1)

    with peak_memory() as peak, pytest.raises(ValueError, match="not an official file"):
        datasets.cifar10(tmp_path)

    assert peak() < 1 << 20


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_a_command_runs_nothing(tmp_path, protocol):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'it-ran'}",)

    write_cifar_python(tmp_path, cifar_batches())
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Hostile()}, protocol=protocol))

    with pytest.raises(ValueError, match="nothing in it was run") as caught:
        datasets.cifar10(tmp_path)

    assert not (tmp_path / "it-ran").exists()
    assert_one_sentence(caught)


HOSTILE = {
    "eval": b"\x80\x02c__builtin__\neval\nX\x04\x00\x00\x001+1 \x85R.",
    "getattr on an allowed name": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
    "a name with a path": b"\x80\x02cnumpy\nndarray.tofile\n.",
    "numpy.load": b"\x80\x02cnumpy\nload\n.",
    "instance of Python 2": b"\x80\x02(ios\nsystem\n.",
    "object building": b"\x80\x02(cnumpy\nndarray\nK\x00\x85o.",
    "new object": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7f\x85t\x81.",
    "extension registry": b"\x80\x02\x82\x01.",
    "persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "allocating ndarray": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86tR.",
    "reconstruct of something else": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\nK\x00\x85C\x01btR."
    ),
    "object dtype": b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tR.",
    "structured dtype": b"\x80\x02cnumpy\ndtype\n(X\x05\x00\x00\x00u1,O8\x89\x88tR.",
    "encode with another codec": (
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R."
    ),
    "attributes of an allowed name": b"\x80\x02cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.",
    "attributes of a list": b"\x80\x02]}X\x01\x00\x00\x00aK\x01sb.",
    "a call of a list": b"\x80\x02]K\x00\x85R.",
    "a call without a tuple": b"\x80\x02cnumpy\ndtype\nK\x01R.",
    "array of a huge shape": (
        b"\x80\x02"
        + EMPTY_ARRAY
        + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"
        + UINT8
        + b"\x89C\x00tb."
    ),
    "array of a negative shape": (
        b"\x80\x02"
        + EMPTY_ARRAY
        + b"(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86"
        + UINT8
        + b"\x89C\x01atb."
    ),
    "array of a thousand dimensions": (
        b"\x80\x02"
        + EMPTY_ARRAY
        + b"(K\x01("
        + b"J\xff\xff\xff\x7f" * 1000
        + b"t"
        + UINT8
        + b"\x89C\x00tb."
    ),
    "array filled with a list": b"\x80\x02"
    + EMPTY_ARRAY
    + b"(K\x01K\x00\x85"
    + UINT8
    + b"\x89]tb.",
    "array filled twice": (
        b"\x80\x02" + EMPTY_ARRAY + 2 * (b"(K\x01K\x01\x85" + UINT8 + b"\x89C\x01atb") + b"."
    ),
    "a string longer than the file": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",
    "an endless number": b"\x80\x02I" + b"9" * 100_000 + b"\n.",
    "a forgotten memo": b"\x80\x02h\x05.",
    "an empty stack": b"\x80\x02.",
    "a mark as the answer": b"\x80\x02(.",
    "items without a mark": b"\x80\x02}K\x01u.",
    "an odd number of items": b"\x80\x02}(X\x01\x00\x00\x00au.",
    "an unhashable key": b"\x80\x02}]K\x01s.",
    "appending to a dict": b"\x80\x02}K\x01a.",
    "no end": b"\x80\x02N",
}


@pytest.mark.parametrize("contents", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle_is_refused_without_taking_memory(contents):
    with peak_memory() as peak, pytest.raises(ValueError, match=r"^it ") as caught:
        load_plain(contents)

    assert peak() < 1 << 20
    assert_one_sentence(caught)


@pytest.mark.parametrize(
    "contents",
    [b"\x80\x02]r\xff\xff\xff\x7f.", b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"]."],
    ids=["memo index", "frame"],
)
def test_an_absurd_number_takes_no_memory(contents):
    with peak_memory() as peak:
        value = load_plain(contents)

    assert value == []
    assert peak() < 1 << 20


NESTED = b")" + b"q\x00h\x00\x86" * 60
"""A tuple of twice the tuple before it, sixty times over: hashing it would take 2^60 steps."""


@pytest.mark.parametrize(
    "contents",
    [
        b"\x80\x02}" + NESTED + b"K\x01s.",
        b"\x80\x04" + NESTED + b"h\x00\x93.",
        b"\x80\x02" + NESTED + b")R.",
    ],
    ids=["as a key", "as a name", "as a call"],
)
def test_tuples_that_take_forever_to_hash_are_not_hashed(contents):
    with pytest.raises(ValueError, match=r"^it "):
        load_plain(contents)


def test_many_small_objects_are_refused(monkeypatch):
    monkeypatch.setattr(plain_pickle, "MAX_INSTRUCTIONS", 10_000)

    with peak_memory() as peak, pytest.raises(ValueError, match="more than 10000 instructions"):
        load_plain(b"\x80\x02(" + b"]" * 100_000 + b"l.")

    assert peak() < 2 << 20


def test_encoding_one_string_many_times_is_refused():
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    again = b"h\x00h\x01h\x02\x86R"
    contents = b"\x80\x02" + text + b"q\x01X\x06\x00\x00\x00latin1q\x02c_codecs\nencode\nq\x00"

    with pytest.raises(ValueError, match="its strings expand to more than"):
        load_plain(contents + again * 1000 + b".")


def test_a_list_that_holds_itself_is_harmless(tmp_path):
    write_cifar_python(tmp_path, cifar_batches())
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02]q\x00h\x00a.")

    with pytest.raises(ValueError, match="it is not a dict"):
        datasets.cifar10(tmp_path)


@given(st.binary(max_size=300))
def test_any_bytes_give_plain_data_or_one_sentence(noise):
    assert_value_or_sentence(load_plain, b"\x80\x02" + noise)


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_gives_plain_data_or_one_sentence(at, byte):
    contents = bytearray(python2_pickle({b"data": np.zeros((2, 4), np.uint8), b"labels": [1, 2]}))
    contents[at % len(contents)] = byte

    assert_value_or_sentence(load_plain, bytes(contents))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.binary() | st.text(),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_data_comes_back_as_it_was(value):
    for protocol in (3, 4, 5):
        assert load_plain(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.data
@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "cifar-10-batches-bin"])
def test_the_real_files_are_read(folder):
    directory = os.environ.get("FASTMLP_CIFAR10_DIR")
    if not directory or not os.path.isdir(os.path.join(directory, folder)):
        pytest.skip(f"FASTMLP_CIFAR10_DIR does not name the folder that holds {folder}")

    data = datasets.cifar10(os.path.join(directory, folder))

    assert data.X_train.shape == (50_000, 3072)
    assert data.X_test.shape == (10_000, 3072)
    assert np.bincount(data.y_train).tolist() == [5000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
