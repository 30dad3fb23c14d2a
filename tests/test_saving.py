"""A saved network is restored completely, and any other file is refused in one sentence."""

import errno
import os
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import header_of, with_header
from networks import ACTIVATION_LAYERS, architectures, blobs, every_layer
from sentences import refused

import fastmlp
from fastmlp import layers


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a trained network and the bytes of its file."""
    X, y = blobs(60, 12, 3)
    model = every_layer(12, 9, 3)
    model.fit(X, y, epochs=1, batch_size=20, verbose=False)
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    model.save(path)
    return model, path.read_bytes()


def assert_refused(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with refused(ValueError):
        fastmlp.load(path)


def test_roundtrip_keeps_every_bit(saved, tmp_path):
    model, content = saved
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    X, _ = blobs(30, 12, 3, seed=4)

    loaded = fastmlp.load(path)

    assert loaded.params.keys() == model.params.keys()
    for name, value in model.params.items():
        assert loaded.params[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded.params[name], value)
    for layer, other in zip(loaded.layers, model.layers, strict=True):
        assert type(layer) is type(other)
        for name in other.state:
            np.testing.assert_array_equal(layer.state[name], other.state[name])
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@settings(max_examples=15)
@given(architectures(), st.sampled_from(["float32", "float64"]))
def test_any_architecture_comes_back(architecture, dtype):
    D, _, build = architecture
    model = fastmlp.Sequential(*build(), seed=9, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((5, D)).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.safetensors")
        loaded = fastmlp.load(Path(folder) / "model.safetensors")

    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert [type(la) for la in loaded.layers] == [type(la) for la in model.layers]


@pytest.mark.parametrize("activation", ACTIVATION_LAYERS.values())
def test_settings_of_layers_come_back(activation, tmp_path):
    options = {layers.LeakyReLU: (0.2,), layers.ELU: (0.7,)}.get(activation, ())
    model = fastmlp.Sequential(layers.Linear(3, 4), activation(*options), layers.Dropout(0.4))
    x = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")

    model.save(tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")

    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert loaded.layers[2].p == 0.4


def test_a_loaded_network_continues_training_like_the_saved_one(saved, tmp_path):
    (tmp_path / "model").write_bytes(saved[1])
    X, y = blobs(60, 12, 3)
    twins = [fastmlp.load(tmp_path / "model") for _ in range(2)]

    losses = [m.fit(X, y, epochs=1, batch_size=20, seed=3, verbose=False).steps for m in twins]

    np.testing.assert_array_equal(losses[0], losses[1])
    assert twins[0].theta.ctypes.data % 64 == 0


def test_the_file_is_readable_as_plain_safetensors(saved, tmp_path):
    from safetensors.numpy import load

    model, content = saved

    tensors = load(content)

    for name, value in model.params.items():
        np.testing.assert_array_equal(tensors[name], value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, tmp_path, share):
    content = saved[1]

    assert_refused(tmp_path, content[: int(len(content) * share)])


def test_files_that_are_not_models_are_refused(tmp_path):
    from safetensors.numpy import save

    for content in (
        b"",
        b"\x80\x04K\x01.",  # a pickle
        b"PK\x03\x04" + bytes(100),
        bytes(1000),
        b"\xff" * 1000,
        os.urandom(5000),
        save({"x": np.zeros(3)}),  # safetensors, but not ours
        with_header({}, b""),
        with_header(b"[" * 100_000, b""),
        with_header(b"{" + b" " * 50, b""),
        struct.pack("<Q", 2**62) + b"{}",
    ):
        assert_refused(tmp_path, content)


def test_a_missing_file_or_a_folder_is_named(tmp_path):
    with refused(OSError, "absent"):
        fastmlp.load(tmp_path / "absent")
    with refused(OSError, tmp_path.name):
        fastmlp.load(tmp_path)


def test_hostile_metadata_is_refused(saved, tmp_path):
    header, data = header_of(saved[1])
    [key] = [k for k in header["__metadata__"] if "Linear" in header["__metadata__"][k]]
    text = header["__metadata__"][key]
    for wrong in (
        text.replace("Linear", "Popen"),
        text.replace("Linear", "os.system"),
        text.replace("Linear", "__class__"),
        text.replace("12", "1000000000000"),
        text.replace("12", "-12"),
        text.replace("12", "1e400"),
        text.replace("12", '"12"'),
        text.replace("12", "13"),
        text.replace("0.3", "NaN"),
        text.replace("0.3", "7"),
        "[" * 50_000,
        "{}",
        "null",
        "",
    ):
        assert wrong != text
        changed = header | {"__metadata__": header["__metadata__"] | {key: wrong}}
        assert_refused(tmp_path, with_header(changed, data))


def test_hostile_tensors_are_refused(saved, tmp_path):
    header, data = header_of(saved[1])
    weight = header["1.weight"]
    start, end = weight["data_offsets"]
    for wrong in (
        weight | {"data_offsets": [start, end + 4]},
        weight | {"data_offsets": [end, start]},
        weight | {"data_offsets": [0, 2**60]},
        weight | {"shape": [2**31, 2**31]},
        weight | {"shape": weight["shape"][::-1]},
        weight | {"shape": [-1, 4]},
        weight | {"dtype": "I32"},
        weight | {"dtype": "F77"},
        None,
    ):
        assert_refused(tmp_path, with_header(header | {"1.weight": wrong}, data))
    assert_refused(tmp_path, with_header(header | {"9.weight": weight}, data))
    assert_refused(
        tmp_path, with_header({k: v for k, v in header.items() if k != "1.weight"}, data)
    )


def test_a_huge_claim_takes_no_memory(saved, tmp_path):
    header, _ = header_of(saved[1])
    [key] = [k for k in header["__metadata__"] if "Linear" in header["__metadata__"][k]]
    text = header["__metadata__"][key].replace("12", "200000000")
    changed = header | {"__metadata__": header["__metadata__"] | {key: text}}

    tracemalloc.start()
    try:
        assert_refused(tmp_path, with_header(changed, b""))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20_000_000


@settings(max_examples=100)
@given(st.data())
def test_flipped_bytes_load_or_are_refused(saved, data):
    content = bytearray(saved[1])
    header_length = struct.unpack("<Q", content[:8])[0] + 8
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header_length - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped"
        path.write_bytes(content)
        with suppress(ValueError):
            fastmlp.load(path)


def test_a_failed_save_leaves_the_old_file_and_no_litter(saved, tmp_path, monkeypatch):
    model, _ = saved
    path = tmp_path / "model.safetensors"
    model.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match=r"space|disk"):
        model.save(path)

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_full_disk_is_one_sentence_and_loses_nothing(saved, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(saved[1])

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    [sentence] = done.stdout.splitlines()
    assert path.name in sentence
    assert path.read_bytes() == saved[1]
    assert os.listdir(tmp_path) == [path.name]


FULL_DISK = """
import resource, signal, sys
import fastmlp
model = fastmlp.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    model.save(sys.argv[1])
except OSError as error:
    print(error)
"""


def test_saving_needs_a_writable_folder(saved, tmp_path):
    with refused(OSError, "absent"):
        saved[0].save(tmp_path / "absent" / "model")


def test_a_custom_layer_is_refused_by_name(tmp_path):
    from networks import Identity

    model = fastmlp.Sequential(layers.Linear(2, 2), Identity())

    with refused((TypeError, ValueError), "Identity"):
        model.save(tmp_path / "model")

    assert os.listdir(tmp_path) == []
