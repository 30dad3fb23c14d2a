"""The same answers from every instruction set that this processor can be told to use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp.kernels import isa

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
def test_products_with(level):
    run_tests_with(level, "test_ops_affine.py")


@pytest.mark.slow
@pytest.mark.parametrize("level", OTHERS)
def test_everything_that_computes_with(level):
    run_tests_with(
        level,
        *sorted(path.name for path in TESTS.glob("test_ops_*.py")),
        "test_fit.py",
        "test_compiled_vs_layerwise.py",
        "test_determinism.py",
    )


@pytest.mark.parametrize("level", ["sse9", ""])
def test_an_unknown_name_is_one_sentence(level):
    done = run_with(level, "-c", IMPORT)

    [sentence] = done.stdout.splitlines()
    assert "FASTMLP_ISA" in sentence
    assert "avx2" in sentence


IMPORT = """
from fastmlp.kernels import isa
try:
    isa.current()
except ValueError as error:
    print(error)
"""
