"""All instruction sets that this processor offers give right results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sentences import refused

from fastmlp.kernels.machine import caches, isa

TESTS = Path(__file__).parent
OTHERS = [
    level
    for level in isa.LEVELS[: isa.LEVELS.index(isa.best_level(isa.processor_features())) + 1]
    if level != isa.current().name
]
# Each level compiles every kernel anew. The tests that always run take AVX2 where it is not the
# best, otherwise generic code; the slow tests take all levels.
OFTEN = "avx2" if "avx2" in OTHERS else "generic"
DISTINCT = [
    level if level == OFTEN else pytest.param(level, marks=pytest.mark.slow) for level in OTHERS
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


@pytest.mark.parametrize("level", DISTINCT)
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


AVX2 = {"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}
AVX512 = AVX2 | {"avx512f", "avx512vl", "avx512bw", "avx512cd", "avx512dq"}
AMX = AVX512 | {"avx512bf16", "amx-tile", "amx-bf16"}


@pytest.mark.parametrize(
    ("features", "level"),
    [
        (set(), "generic"),
        ({"neon"}, "generic"),
        ({"avx2", "fma"}, "generic"),
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


def described(**changes):
    """Return an instruction set with 16 registers of 32 bytes, but for the changes."""
    usual = {"name": "avx2", "n_registers": 16, "vector_bytes": 32, "heights": (12, 6, 4)}
    usual |= {"steps_ahead": 8, "processor": "x86-64-v3"}
    return isa.Isa(**usual | changes)


@pytest.mark.parametrize("level", isa.LEVELS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_block_of_every_level_fits_into_its_registers(level, machine, monkeypatch):
    monkeypatch.setattr(isa.platform, "machine", lambda: machine)

    found = chosen(monkeypatch, AMX, level)

    assert found.tile_rows == found.heights[found.tile_vectors - 1]


@pytest.mark.parametrize(
    ("heights", "words"),
    [((12, 7), ("17 registers", "16")), ((12, 6, 5), ("19 registers",)), ((16, 6), ("18",))],
)
def test_a_block_that_does_not_fit_into_the_registers_is_refused(heights, words):
    with refused(ValueError, "avx2", *words):
        described(heights=heights)


@pytest.mark.parametrize("heights", [(), (8,), (2, 2, 2, 2, 2)])
def test_blocks_of_a_width_that_there_is_no_code_for_are_refused(heights):
    with refused(ValueError, f"{len(heights)} vectors", "from 2 to 4"):
        described(heights=heights)


def test_a_block_of_a_single_row_is_refused():
    with refused(ValueError, "a block of 1 rows"):
        described(heights=(8, 1))


@pytest.mark.parametrize(
    ("level", "processor", "features"),
    [
        ("generic", "x86-64-v2", ""),
        ("avx2", "x86-64-v3", ""),
        ("avx512", "x86-64-v4", ""),
        ("amx", "x86-64-v4", "+amx-bf16,+amx-tile,+avx512bf16"),
    ],
)
def test_a_level_is_compiled_for_no_more_than_its_instructions(
    level, processor, features, monkeypatch
):
    monkeypatch.setattr(isa.platform, "machine", lambda: "x86_64")

    found = chosen(monkeypatch, AMX | {"avx512fp16", "gfni"}, level)

    assert (found.processor, found.features) == (processor, features)


def test_an_unknown_architecture_is_compiled_for_as_it_is(monkeypatch):
    monkeypatch.setattr(isa.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(isa.llvm, "get_host_cpu_name", lambda: "rocket")

    found = chosen(monkeypatch, {"v", "d"})

    assert (found.name, found.processor, found.features) == ("generic", "rocket", "+d,+v")


@pytest.mark.parametrize(("machine", "n_levels"), [("x86_64", 4), ("AMD64", 4), ("aarch64", 1)])
def test_only_x86_has_several_levels(machine, n_levels, monkeypatch):
    monkeypatch.setattr(isa.platform, "machine", lambda: machine)

    assert isa.levels_here() == isa.LEVELS[:n_levels]


@pytest.mark.parametrize("level", isa.LEVELS)
def test_any_level_can_be_compiled_for_without_running_it(level, monkeypatch):
    monkeypatch.setattr(isa, "processor_features", frozenset)
    monkeypatch.setattr(isa, "_only_compiled", None)
    monkeypatch.setattr(isa, "current", isa.current.__wrapped__)
    monkeypatch.setattr(isa.current, "cache_clear", lambda: None, raising=False)

    isa.only_compile_for(level)

    assert isa.current().name == level


HELD = """
import numpy as np
from fastmlp import ops
x = np.ones((9, 40), np.float32)
ops.affine(x, np.ones((40, 50), np.float32), np.ones(50, np.float32))
from fastmlp.kernels.machine.jit import kernel
def doubler():  # such a function is not cached; cached code cannot be inspected
    @kernel
    def double(x):
        for i in range(x.size):
            x[i] *= 2
    return double
double = doubler()
double(x[0])
[code] = double.inspect_asm().values()
print("zmm" in code, "ymm" in code)
"""


@pytest.mark.parametrize("level", [level for level in OTHERS if level in ("generic", "avx2")])
def test_at_a_lower_level_no_higher_instruction_is_compiled(level):
    if isa.processor_features() and not isa.processor_features() & {"sse2"}:
        pytest.skip("levels of x86")
    done = run_with(level, "-c", HELD)

    assert done.stdout.split() == ["False", str(level == "avx2")], done.stderr


FOLDER = {"type": "Data", "level": "1", "size": "48K"}


@pytest.mark.parametrize(
    ("files", "size"),
    [
        (FOLDER, 48 << 10),
        (FOLDER | {"type": "Instruction"}, 32 << 10),
        (FOLDER | {"level": "2", "type": "Unified"}, 32 << 10),
        (FOLDER | {"size": "16K"}, 32 << 10),
        (FOLDER | {"size": "1M"}, 128 << 10),
        (FOLDER | {"size": "strange"}, 32 << 10),
        ({}, 32 << 10),
    ],
)
def test_the_first_cache_is_what_linux_tells_within_reason(files, size, tmp_path, monkeypatch):
    folder = tmp_path / "index0"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    monkeypatch.setattr(caches.sys, "platform", "linux")
    monkeypatch.setattr(caches, "_DEVICES", tmp_path)

    assert caches._size.__wrapped__(1) == size


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


WITH_OTHERS = """
import numba, numpy as np
@numba.njit
def double(x):
    for i in range(x.size):
        x[i] *= 2
double(np.ones(100, np.float32))
theirs = double.inspect_asm()[double.signatures[0]]
from fastmlp.kernels.machine.jit import kernel
ours = kernel(double.py_func)
ours(np.ones(100, np.float32))
again = numba.njit(double.py_func)
again(np.ones(100, np.float32))
[mine], [later] = ours.inspect_asm().values(), again.inspect_asm().values()
print("ymm" in mine, theirs.count("ymm") == later.count("ymm"))
"""


@pytest.mark.skipif("generic" not in OTHERS, reason="this processor has one level")
def test_what_else_numba_compiles_in_the_process_is_left_alone():
    done = run_with("generic", "-c", WITH_OTHERS)

    assert done.stdout.split() == ["False", "True"], done.stderr
