"""What `load` reports for files that are not models, damaged, too large, or contain NaN."""

import copy
import gzip
import json
import pickle
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import header_of, with_architecture, with_header
from networks import every_layer
from safetensors.numpy import save as as_safetensors
from sentences import refused

import fastmlp
from fastmlp.common.errors import printable
from fastmlp.export import SUFFIXES
from fastmlp.layers import BatchNorm, Linear, Normalize, ReLU

OTHER = {"w": np.ones((2, 3), "float32")}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Return the bytes of a network's file."""
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    every_layer(6, 5, 3).save(path)
    return path.read_bytes()


def loaded(folder, content):
    path = folder / "strange.safetensors"
    path.write_bytes(content)
    return fastmlp.load(path)


@pytest.mark.parametrize(
    "file",
    [
        as_safetensors(OTHER),
        as_safetensors(OTHER, {"format": "pt"}),
        as_safetensors(OTHER, {"architecture": "resnet50"}),
        as_safetensors(OTHER, {"architecture": '{"layers": 3}'}),
        as_safetensors(OTHER, {"architecture": '{"format": "onnx 1"}'}),
        as_safetensors({"ids": np.arange(5)}),  # of a dtype that models do not have
        with_header({}, b""),
    ],
)
def test_a_safetensors_file_of_another_program_is_recognised(file, tmp_path):
    with refused(ValueError, "strange.safetensors", "not written by fastmlp"):
        loaded(tmp_path, file)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (b"", "empty"),
        (pickle.dumps(OTHER), "pickle"),
        (b"PK\x03\x04" + bytes(50), ".npz, .pt"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"\x93NUMPY\x01\x00" + bytes(50), ".npy"),
        (gzip.compress(bytes(99), mtime=0), "gzip"),
        (b"a,b,c\n1,2,3\n", "not a safetensors file"),
        (bytes(7), "truncated"),
    ],
    ids=["empty", "pickle", "zip", "hdf5", "npy", "gzip", "csv", "truncated"],
)
def test_a_file_of_another_kind_is_named(file, kind, tmp_path):
    with refused(ValueError, kind):
        loaded(tmp_path, file)


@pytest.mark.parametrize("n", [1, 300])
def test_too_many_and_too_few_bytes_are_told_apart(content, n, tmp_path):
    with refused(ValueError, "longer than its header says", f"{n} byte"):
        loaded(tmp_path, content + bytes(n))
    with refused(ValueError, "truncated", f"{n} byte"):
        loaded(tmp_path, content[:-n])


def test_a_file_of_a_later_format_asks_for_a_later_version(content, tmp_path):
    file = with_architecture(content, lambda a: a | {"format": "fastmlp 7"})

    with refused(ValueError, "fastmlp 7", "version"):
        loaded(tmp_path, file)


def test_a_file_with_many_layers_is_refused_unless_allowed(tmp_path):
    path = tmp_path / "deep"
    fastmlp.Sequential(*[layer for _ in range(30) for layer in (Linear(2, 2), ReLU())]).save(path)

    with refused(ValueError, "60 layers", "max_layers"):
        fastmlp.load(path, max_layers=59)

    assert len(fastmlp.load(path, max_layers=60).layers) == 60


def test_the_default_bound_is_documented(content, tmp_path):
    many = [{"layer": "ReLU"}] * (fastmlp.saving.MAX_LAYERS + 1)

    with refused(ValueError, "10,001 layers"):
        loaded(tmp_path, with_architecture(content, lambda a: a | {"layers": many}))

    assert "10,000" in fastmlp.load.__doc__


def test_a_header_longer_than_its_layers_need_is_not_read(content, tmp_path):
    header, data = header_of(content)
    padded = with_header(json.dumps(header).encode() + b" " * 11_000_000, data)

    with refused(ValueError, "header", "max_layers"):
        loaded(tmp_path, padded)


@pytest.mark.parametrize(
    ("kind", "setting", "words"),
    [
        ("Linear", {"out_features": "\x1b[31m"}, ["layer 1", "out_features"]),
        ("Linear", {"slope\x1b": 1}, ["layer 1", "Linear"]),
        ("Dropout", {"p": 1}, ["layer 4", "p must be"]),
        ("BatchNorm", {"eps": -1}, ["layer 2", "eps"]),
        ("BatchNorm", {"momentum": None}, ["layer 2", "momentum"]),
        ("ReLU", {"negative_slope": 0.1}, ["layer 3", "ReLU"]),
        ("ReLU", {"layer": "Relu\x1b]0;"}, ["layer 3", "ReLU"]),
        ("ReLU", {"layer": "x" * 1_000_000}, ["layer 3"]),
        ("Linear", {"in_features": 10**4000}, []),
        ("Linear", {"in_features": "9" * 100_000}, ["in_features"]),
    ],
)
def test_a_wrong_setting_is_named_in_one_printable_sentence(
    content, kind, setting, words, tmp_path
):
    def change(architecture):
        next(la for la in architecture["layers"] if la["layer"] == kind).update(setting)

    path = tmp_path / "strange"
    path.write_bytes(with_architecture(content, change))

    said = answer_to(path)

    assert said.isprintable()
    assert len(said) < 400
    for word in words:
        assert word in said


def test_layers_that_do_not_fit_together_are_named(content, tmp_path):
    def swap(architecture):
        described = architecture["layers"]
        described[3] = {"layer": "Normalize"}

    header, data = header_of(with_architecture(content, swap))
    end = len(data)
    for name in ("3.mean", "3.std"):
        header[name] = {"dtype": "F32", "shape": [4], "data_offsets": [end, end + 16]}
        end += 16
    file = with_header(header, data + struct.pack("<8f", *[1.0] * 8))

    with refused(ValueError, "layer 3 does not fit the one before it"):
        loaded(tmp_path, file)


def test_a_name_used_twice_is_refused(content, tmp_path):
    header, data = header_of(content)
    text = json.dumps(header)
    twice = text.replace('"1.bias"', '"1.weight"', 1)
    assert twice != text

    with refused(ValueError, "corrupt"):
        loaded(tmp_path, with_header(twice.encode(), data))


@pytest.mark.parametrize("name", ["a\x1b[31mred.bin", "two\nlines", "bidi\u202e", "byte\udcff"])
def test_a_file_name_reaches_the_terminal_as_escapes(name, tmp_path):
    path = tmp_path / name
    try:
        path.write_bytes(b"not a model")
    except OSError:
        pytest.skip("no such names here")

    with pytest.raises(ValueError, match="safetensors") as caught:
        fastmlp.load(path)

    assert str(caught.value).isprintable()


def test_printable_leaves_letters_of_all_scripts_alone():
    assert printable("Größe_数据 é.csv") == "Größe_数据 é.csv"
    assert printable("a\tb\x07") == "a\\tb\\x07"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_weights_cause_a_warning_when_saving_and_loading(bad, tmp_path):
    model = fastmlp.Sequential(Linear(3, 4), ReLU(), Linear(4, 2))
    model.params["2.bias"][1] = bad

    with pytest.warns(RuntimeWarning, match=r"'bias' of layer 2, Linear\(4, 2\).*diverged"):
        model.save(tmp_path / "model")
    with pytest.warns(RuntimeWarning, match=r"'bias' of layer 2, Linear\(4, 2\).*diverged") as seen:
        back = fastmlp.load(tmp_path / "model")

    assert seen[0].filename == __file__
    np.testing.assert_array_equal(back.theta, model.theta)


def test_the_warning_counts_all_arrays_including_running_statistics(tmp_path):
    model = fastmlp.Sequential(Linear(3, 4), BatchNorm(4))
    model.layers[1].state["running_mean"][:] = np.nan
    with pytest.warns(RuntimeWarning, match="running_mean' of layer 1"):
        model.save(tmp_path / "model")

    model.theta.fill(np.nan)

    with pytest.warns(RuntimeWarning, match="'weight' of layer 0.*4 more"):
        model.save(tmp_path / "model")


def test_invalid_layer_arrays_are_refused(tmp_path):
    model = fastmlp.Sequential(Normalize(1, 2), Linear(3, 4), BatchNorm(4))
    for layer, name, value, words in (
        (0, "std", 0.0, "greater than 0"),
        (0, "std", np.nan, "finite"),
        (0, "mean", np.inf, "finite"),
        (2, "running_var", -1.0, "running_var"),
    ):
        strange = copy.deepcopy(model)
        strange.layers[layer].state[name][...] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            strange.save(tmp_path / "model")

        with refused(ValueError, f"layer {layer}", words):
            fastmlp.load(tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["b.onnx", "b.pt", "b.PTH", "b.pkl", "b.h5", "b.npz", "b.joblib", "b.keras", "b.x.json"]
)
def test_a_name_of_another_format_is_refused_before_anything_is_written(name, tmp_path):
    model = fastmlp.Sequential(Linear(2, 2))

    with refused(ValueError, name, "safetensors"):
        model.save(tmp_path / name)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_of_an_exported_file_is_refused_with_what_writes_it(suffix, tmp_path):
    model = fastmlp.Sequential(Linear(2, 2))

    with refused(ValueError, f"net{suffix}", "export(path)", "fastmlp export", "net.safetensors"):
        model.save(tmp_path / f"net{suffix}")


@pytest.mark.parametrize("name", ["b", "b.safetensors", "b.onnx.safetensors", "b.model", "v1.2"])
def test_other_file_names_are_accepted(name, tmp_path):
    fastmlp.Sequential(Linear(2, 2)).save(tmp_path / name)

    assert len(fastmlp.load(tmp_path / name).layers) == 1


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from([2**31, 2**63, -(2**63), 10**400, 1e308, 5e-324, -0.5, 0.5, 1e400]),
    st.sampled_from(
        ["", "F32", "F64", "BF16", "float16", "Linear", "\x1b[31m", "\udcff", "x" * 5000]
    ),
    st.sampled_from([[], {}, [0], [[]], {"layer": "ReLU"}, [1] * 3000, {"shape": [2]}]),
)


def places(value, path=()):
    """Yield the path to everything in a JSON value."""
    yield path
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield from places(value[key], (*path, key))


def mutate(value, draw):
    """Change, remove or double something in a JSON value, in place."""
    path = draw(st.sampled_from([p for p in places(value) if p]))
    for key in path[:-1]:
        value = value[key]
    what, key = draw(st.sampled_from(["set", "set", "remove", "double", "rename"])), path[-1]
    if what == "remove":
        del value[key]
    elif what == "double" and isinstance(value, list):
        value.insert(key, copy.deepcopy(value[key]))
    elif what == "rename" and isinstance(value, dict):
        value[draw(st.text(max_size=9))] = value.pop(key)
    else:
        value[key] = copy.deepcopy(draw(STRANGE))


@settings(max_examples=400)
@given(st.data())
def test_a_mutated_header_loads_or_is_one_sentence(content, tmp_path_factory, data):
    header, rest = header_of(content)
    architecture = json.loads(header["__metadata__"]["architecture"])
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data.draw(st.sampled_from([header, architecture])), data.draw)
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"].setdefault("architecture", json.dumps(architecture))
    if data.draw(st.booleans()):
        header["__metadata__"] = {"architecture": json.dumps(architecture)}
    path = tmp_path_factory.mktemp("mutated") / "model"
    path.write_bytes(with_header(header, rest))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # arrays may have changed places
        said = answer_to(path)

    assert said is None or (said.isprintable() and 10 < len(said) < 400)


def answer_to(path):
    """Return the message if a file is refused, or None if it can be used."""
    try:
        fastmlp.load(path).predict(np.ones((2, 6), "float32"))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "text", [b"[" * 300_000, b'{"a":' * 100_000, b"{" + b'"a":1,' * 9, b"{\xff}"]
)
def test_broken_json_is_one_sentence(text, tmp_path):
    with refused(ValueError, "strange"):
        loaded(tmp_path, struct.pack("<Q", len(text)) + text)
