"""C headers with weights of 8 bits: they are smaller, and say how far they are off."""

import re

import numpy as np
import pytest
from exported import error, require, run

from fastmlp import Linear, MemberHeads, Members, Normalize, ReLU, Sequential, SharedLinear


def model(seed=2):
    """Return a model for inputs that are not standard."""
    return Sequential(
        Normalize(np.linspace(3, 9, 40), np.linspace(1, 20, 40)),
        *(Linear(40, 64), ReLU(), Linear(64, 3)),
        seed=seed,
    )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("seed", [2, 3])
def test_the_error_is_about_the_one_that_the_header_states(compiler, seed, tmp_path):
    require(compiler)
    network = model(seed)
    X = np.random.default_rng(1).normal(np.linspace(3, 9, 40), np.linspace(1, 20, 40), (1000, 40))

    network.export(tmp_path / "small.h", int8=True)

    text = (tmp_path / "small.h").read_text()
    stated = float(re.search(r"up to\s+\* (\S+) of the largest", text)[1])
    found = error(run(compiler, tmp_path / "small.h", X), network.predict(X))
    assert 0.5 * stated < found < 2 * stated < 0.1


def test_every_weight_is_off_by_at_most_half_a_step_of_its_output(tmp_path):
    network = model()

    network.export(tmp_path / "small.h", int8=True)

    text = (tmp_path / "small.h").read_text()
    listed = re.search(r"signed char small_weight\d+\[2560\] = \{(.*?)\}", text, re.DOTALL)[1]
    whole = np.array(listed.split(","), float).reshape(40, 64)
    weight = network.params["1.weight"]
    step = np.abs(weight).max(axis=0) / 127
    assert np.abs(whole * step - weight).max() <= 0.5001 * step.max()
    assert np.abs(whole).max() == 127


def test_a_header_of_8_bits_is_much_smaller(tmp_path):
    network = model()

    network.export(tmp_path / "a.h")
    network.export(tmp_path / "b.h", int8=True)

    assert (tmp_path / "b.h").stat().st_size < 0.5 * (tmp_path / "a.h").stat().st_size


def test_the_weights_of_members_have_8_bits_too(tmp_path):
    require("gcc")
    network = Sequential(Members(5, 3), SharedLinear(16, 32, 3), ReLU(), MemberHeads(32, 2, 3))
    X = np.random.default_rng(2).normal(size=(50, 5))

    network.export(tmp_path / "small.h", int8=True)

    text = (tmp_path / "small.h").read_text()
    assert re.findall(r"signed char small_weight\d+\[(\d+)\]", text) == ["512", "192"]
    assert 1e-6 < error(run("gcc", tmp_path / "small.h", X), network.predict(X)) < 0.05


def test_a_weight_without_values_stays_without(tmp_path):
    require("gcc")
    network = Sequential(Linear(3, 4, init="zeros"))

    network.export(tmp_path / "zeros.h", int8=True)

    assert not run("gcc", tmp_path / "zeros.h", np.ones((2, 3))).any()


@pytest.mark.parametrize("name", ["model.onnx", "model.js"])
def test_other_formats_refuse_8_bits(name, tmp_path):
    with pytest.raises(ValueError, match=rf"{name}: int8 is for C headers"):
        model().export(tmp_path / name, int8=True)
