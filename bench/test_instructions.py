"""Contenders are limited to an instruction set, and it is checked that they comply."""

import json
import os
import subprocess
import sys

import pytest

from bench import evidence, instructions, limits, report
from bench.evidence import Evidence
from fastmlp.kernels.machine import isa

AVX2 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
HERE = isa.best_level(isa.processor_features())
LESS = [level for level in isa.LEVELS if instructions.LEVELS.index(level) < isa.LEVELS.index(HERE)]


@pytest.fixture
def processor(monkeypatch):
    """Return a function that simulates a processor with certain features."""

    def pretend(*features):
        monkeypatch.setattr(isa, "processor_features", lambda: frozenset(features))

    return pretend


def asked(level, *modules):
    """Return what a process limited to `level` reports after importing `modules`."""
    program = f"import json, {', '.join(modules)}; from bench import evidence; "
    program += f"print(json.dumps(evidence.collect({level!r})))"
    variables = os.environ | {"OPENBLAS_CORETYPE": "Prescott", "FASTMLP_ISA": "generic"}
    variables |= instructions.environment(level)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        check=True,
    )
    return {e.library: e for e in map(Evidence._make, json.loads(ran.stdout))}


def test_the_best_level_limits_nothing_whatever_the_shell_has_set():
    assert set(instructions.environment("best").values()) == {None}


def test_every_level_sets_the_same_variables():
    variables = [set(instructions.environment(level)) for level in [*LESS, HERE, "best"]]

    assert all(names == variables[0] for names in variables)


def test_the_processor_s_own_level_limits_nothing(processor):
    processor(*AVX2)

    given = instructions.environment("avx2")

    assert {name: value for name, value in given.items() if value} == {"FASTMLP_ISA": "avx2"}


def test_a_level_that_the_processor_lacks_is_refused(processor):
    processor(*AVX2)

    with pytest.raises(ValueError, match="no avx512: use avx2 or less"):
        instructions.environment("avx512")


@pytest.mark.parametrize("level", [*LESS, "best"])
def test_numpy_and_fastmlp_are_limited_whatever_the_shell_has_set(level):
    said = asked(level, "numpy", "fastmlp.kernels.machine.simd")

    assert said["numpy"].held
    assert said["fastmlp"].held
    assert said["fastmlp"].says.startswith(HERE if level == "best" else level)
    assert "OpenBLAS" not in said or said["OpenBLAS"].held in (True, None)


@pytest.mark.skipif("avx2" not in LESS, reason="this processor has no more than AVX2")
def test_libraries_without_a_limit_are_detected(monkeypatch):
    monkeypatch.setattr(instructions, "environment", lambda level: {})

    said = asked("avx2", "fastmlp.kernels.machine.simd", "numpy")

    assert not said["fastmlp"].held
    assert not said["numpy"].held


@pytest.mark.parametrize(
    ("words", "level", "held"),
    [
        ("SSE4.2", "generic", True),
        ("AVX2", "generic", False),
        ("AVX2 with Intel DL Boost", "avx2", True),
        ("AVX-512", "avx2", False),
        ("AVX10.1 and AMX with bfloat16", "avx2", False),
        ("AVX-512 with DL Boost", "avx512", True),
        ("AVX-512, AMX", "avx512", False),
        ("", "avx2", None),
    ],
)
def test_verbose_output_of_libraries_is_understood(words, level, held):
    assert evidence.from_words("oneDNN", words, level).held is held


def test_the_report_names_contenders_without_a_limit():
    found = report.Found({}, "avx2")
    found.peaks = limits.Limits(2, 1.0, 2.0, None, None, {2**20: 1.0})
    found.hear("torch", [["ATen", "AVX2", True], ["MKL", "did not say", None]])
    found.hear("onnxruntime", [["ONNX Runtime", "has no setting", False]])
    found.hear("torch", [["ATen", "AVX2", True]])

    content = report.document(found)

    assert report.remarks(content) == [
        "not limited to avx2: onnxruntime (ONNX Runtime: has no setting)"
    ]
    assert [e["library"] for e in content["instructions"]["torch"]] == ["ATen", "MKL"]
    assert report.instruction_table(content).row_count == 3
