"""All instruction sets that this processor offers give right results."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from sentences import refused

from fastmlp.kernels.machine import isa, simd

TESTS = Path(__file__).parent
OTHERS = [
    level
    for level in isa.LEVELS[: isa.LEVELS.index(isa._best_level(isa.processor_features())) + 1]
    if level != isa.current().name
]


def run_with(level, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=TESTS.parent,
        env=os.environ | {"FASTMLP_ISA": level},
    )


def run_tests_with(level, *names):
    files = [str(TESTS / name) for name in names]
    done = run_with(level, "-m", "pytest", "-q", "-x", *files)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("level", OTHERS)
def test_products_and_functions_with(level):
    run_tests_with(level, "test_ops_affine.py", "test_ops_activation.py")


@pytest.mark.parametrize("level", OTHERS)
def test_training_with(level):
    """Every layer and optimizer on several threads, raw inputs, and lower precisions."""
    run_tests_with(
        level,
        "test_determinism.py::test_threads_do_not_change_bits_for_any_optimizer",
        "test_compiled_vs_layerwise.py::test_raw_inputs_of_every_type_agree",
        "test_precision.py::test_training_stays_close_to_highest",
        "test_precision.py::test_weight_gradient",
    )


@pytest.mark.slow
@pytest.mark.parametrize("level", OTHERS)
def test_everything_that_computes_with(level):
    run_tests_with(
        level,
        *sorted(path.name for path in TESTS.glob("test_ops_*.py")),
        "test_fit.py",
        "test_steps.py",
        "test_compiled_vs_layerwise.py",
        "test_determinism.py",
        "test_precision.py",
        "test_bf16_products.py",
        "test_workspace.py",
        "test_bounds.py",
    )


@pytest.mark.parametrize("level", ["sse9", " "])
@pytest.mark.parametrize("what", [["info"], ["train", "digits"], ["warmup"]])
def test_an_unknown_name_is_one_sentence(level, what):
    done = run_with(level, "-m", "fastmlp", *what)

    assert done.returncode == 2
    [sentence] = done.stderr.splitlines()
    assert "FASTMLP_ISA" in sentence
    for known in isa.LEVELS:
        assert known in sentence


def chosen(monkeypatch, features, level=None, permitted=True):
    """Return the level that a process with these features, environment and permission would use."""
    monkeypatch.setattr(isa, "processor_features", lambda: frozenset(features))
    monkeypatch.setattr(isa, "_tiles_permitted", lambda: permitted)
    monkeypatch.delenv("FASTMLP_ISA", raising=False)
    if level is not None:
        monkeypatch.setenv("FASTMLP_ISA", level)
    return isa.current.__wrapped__()


AVX2 = {"avx2", "fma"}
AVX512 = AVX2 | {"avx512f", "avx512vl", "avx512bw", "avx512dq"}
AMX = AVX512 | {"avx512bf16", "amx-tile", "amx-bf16"}


@pytest.mark.parametrize(
    ("features", "level"),
    [
        (set(), "generic"),
        ({"neon"}, "generic"),
        ({"avx2"}, "generic"),
        (AVX2, "avx2"),
        (AVX512 - {"avx512dq"}, "avx2"),
        (AVX512, "avx512"),
        (AMX - {"amx-bf16"}, "avx512"),
        (AMX - {"avx512bf16"}, "avx512"),
        (AMX, "amx"),
    ],
)
def test_the_best_level_is_what_the_features_allow(features, level, monkeypatch):
    assert chosen(monkeypatch, features).name == level


@pytest.mark.parametrize("level", isa.LEVELS)
def test_any_lower_level_can_be_asked_for(level, monkeypatch):
    found = chosen(monkeypatch, AMX, level)

    assert found.name == level
    assert found.bf16_tiles == (level == "amx")


@pytest.mark.parametrize(
    ("features", "best", "level"),
    [(set(), "generic", "avx2"), (AVX2, "avx2", "avx512"), (AVX512, "avx512", "amx")],
)
def test_a_level_that_the_processor_lacks_is_one_sentence(features, best, level, monkeypatch):
    with refused(ValueError, "FASTMLP_ISA", level, best):
        chosen(monkeypatch, features, level)


def test_an_empty_name_means_no_limit(monkeypatch):
    assert chosen(monkeypatch, AVX512, "") == chosen(monkeypatch, AVX512)


def test_without_permission_there_are_no_tiles(monkeypatch):
    found = chosen(monkeypatch, AMX, permitted=False)

    assert found.name == "amx"
    assert not found.bf16_tiles


@pytest.mark.parametrize(("rows", "vectors"), [(4, 4), (8, 1), (1, 2)])
def test_a_register_block_that_there_is_no_code_for_is_refused(rows, vectors, monkeypatch):
    monkeypatch.setattr(simd, "TILE_ROWS", rows)
    monkeypatch.setattr(simd, "TILE_VECTORS", vectors)
    monkeypatch.delitem(sys.modules, "fastmlp.kernels.products.panels", raising=False)

    with refused(ValueError, str(rows), str(vectors), "2 or 3 vectors"):
        runpy.run_module("fastmlp.kernels.products.panels")


class RefusingSystem:
    """A C library whose system calls all fail."""

    def __init__(self, name):
        pass

    def syscall(self, *arguments):
        return -1


def missing_system(name):
    raise OSError("no such library")


@pytest.mark.parametrize("library", [RefusingSystem, missing_system, lambda name: object()])
def test_a_system_that_refuses_the_tile_unit_is_no_error(library, monkeypatch):
    monkeypatch.setattr(isa.ctypes, "CDLL", library)

    assert isa._tiles_permitted.__wrapped__() is False


@pytest.mark.parametrize(("name", "value"), [("sys.platform", "darwin"), ("machine", "arm64")])
def test_other_systems_are_not_asked_for_tiles(name, value, monkeypatch):
    monkeypatch.setattr(isa.ctypes, "CDLL", None)
    if name == "machine":
        monkeypatch.setattr(isa.platform, "machine", lambda: value)
    else:
        monkeypatch.setattr(isa.sys, "platform", value)

    assert isa._tiles_permitted.__wrapped__() is False
