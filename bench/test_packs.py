"""The contenders of packs learn the same from the same parameters."""

from dataclasses import replace

import numpy as np
import pytest

from bench.pack_peers import CONTENDERS, available, prepare
from bench.pack_widths import works
from bench.packs import SHAPES, tables
from bench.workloads import full_data_loss

WORK = replace(SHAPES["small"], n_rows=512)


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_starts_with_the_same_parameters_and_learns_the_same(name):
    if why := available(name):
        pytest.skip(why)
    pack = prepare(name, WORK, 3)
    before = pack.parameters(3)

    pack.epochs(4)
    losses = [full_data_loss(WORK, found) for found in pack.parameters(3)]
    pack.reset()

    for number, found in enumerate(pack.parameters(3)):
        for (weight, bias), (first, _) in zip(found, WORK.initial_parameters(number), strict=True):
            np.testing.assert_array_equal(weight, first)
            assert not bias.any()
    assert len(before) == 3
    reference = prepare("fastmlp", WORK, 3)
    reference.epochs(4)
    expected = [full_data_loss(WORK, found) for found in reference.parameters(3)]
    np.testing.assert_allclose(losses, expected, rtol=0.05)


def test_the_tables_show_what_was_skipped_and_what_was_measured():
    row = {"contender": "jax-vmap", "skipped": "jax is not installed"}
    measured = {
        "contender": "fastmlp", "skipped": None, "microseconds_a_step": 12.34, "ratio": None,
        "peak_bytes": 5e7, "loss": 0.5,
    }  # fmt: skip
    result = {"workload": "small", "networks": 8, "rows": [measured, row], "agrees": True}
    grid = {
        "data": "digits",
        "seconds": {"pack": 2.0, "processes": 4.0, "scikit-learn": 20.0},
        "best": {"pack": 0.95, "processes": 0.95, "scikit-learn": 0.951},
    }

    widths = {
        "networks": 8, "narrowest": 16, "widest": 30, "n_threads": 2, "together": 0.5,
        "alone": 0.98, "share": 1.02,
    }  # fmt: skip

    text = "\n".join(tables({"packs": [result], "widths": [widths], "grids": [grid]}))

    assert "| 8 of small | fastmlp | 12.3 | - | 50 | 0.5000 |" in text
    assert "jax is not installed" in text
    assert "take 1.02 times an even share of the work" in text
    assert "| digits | 2.00 s | 4.00 s | 20.00 s | 10.0 |" in text


def test_the_tables_end_with_the_instructions_that_were_used():
    openblas, numba = ["openblas", "Haswell", True], ["numba", "skylake", False]
    row = {"contender": "fastmlp", "skipped": "no", "instructions": [numba]}
    result = {"workload": "small", "networks": 8, "rows": [row], "agrees": True}
    grid = {
        "data": "digits",
        "seconds": {"pack": 2.0, "processes": 4.0, "scikit-learn": 20.0},
        "best": {"pack": 0.95, "processes": 0.95, "scikit-learn": 0.951},
        "instructions": [openblas, numba],
    }

    lines = tables({"isa": "avx2", "packs": [result], "widths": [], "grids": [grid, grid]})

    assert "| numba | skylake | NO | fastmlp, grids |" in lines
    assert lines[-1] == "| openblas | Haswell | yes | grids |"


def test_networks_of_different_widths_are_all_different():
    widths = [work.widths for work in works(64)]
    assert len(set(widths)) == 64
    assert widths != sorted(widths)
