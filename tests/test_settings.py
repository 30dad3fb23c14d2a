"""Numbers that compiled kernels read when they run, so that they suit every machine of a level."""

import numpy as np
import pytest

from fastmlp import ops
from fastmlp.kernels.machine import jit, settings
from fastmlp.kernels.products import panels


def test_compiled_code_reads_the_value_when_it_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "kernels")
    answer = settings.make_setting("test_of_settings", 41)

    @jit.kernel(name="test_settings.read")
    def read(x):
        return x + answer()

    assert read(1) == 42
    settings._kept["test_of_settings"].value = 5
    assert read(1) == 6


def test_a_name_is_used_once():
    with pytest.raises(ValueError, match="'a_bytes' already"):
        settings.make_setting("a_bytes", 1)


@pytest.mark.parametrize("longest", [8, 96, panels.MOST_K])
def test_blocks_of_any_length_give_the_same_bits(longest, monkeypatch):
    rng = np.random.default_rng(longest)
    x, dz = (rng.standard_normal(shape, dtype=np.float32) for shape in ((300, 500), (300, 70)))
    weight, bias = rng.standard_normal((500, 70), dtype=np.float32), np.ones(70, np.float32)

    def products():
        dweight, dbias = np.empty_like(weight), np.empty_like(bias)
        dx = ops.affine_backward(dz, x, weight, dweight, dbias)
        return ops.affine(x, weight, bias), dx, dweight, dbias

    before = products()
    monkeypatch.setattr(settings._kept["block_of_k"], "value", longest)

    for expected, found in zip(before, products(), strict=True):
        assert np.array_equal(expected, found)
