"""Which instructions the kernels are compiled for, and what belongs to each set of instructions.

Kernels are compiled for a level, never for the very processor, so that they run on every machine
that offers the level: on x86, ``generic``, ``avx2`` and ``avx512`` are x86-64-v2, v3 and v4, and
``amx`` is v4 with bfloat16 tiles. The level is chosen once per process, from the processor or the
environment variable ``FASTMLP_ISA``, because every compiled kernel depends on it.
"""

import ctypes
import os
import platform
import sys
from dataclasses import dataclass, field
from functools import cache

import llvmlite.binding as llvm

__all__ = [
    "LEVELS",
    "Isa",
    "best_level",
    "current",
    "described",
    "levels_here",
    "only_compile_for",
    "processor_features",
]

LEVELS = ("generic", "avx2", "avx512", "amx")

# What a processor has at each level of x86 beyond the one before, by LLVM's names.
_FEATURES = {
    "avx2": {"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"},
    "avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "amx": {"amx-bf16", "amx-tile", "avx512bf16"},
}


@dataclass(frozen=True)
class Isa:
    """A set of instructions, and the register blocks that are fastest with it.

    Attributes
    ----------
    name : str
        One of ``LEVELS``.
    n_registers, vector_bytes : int
        How many vector registers there are, and how many bytes each has.
    heights : tuple of int
        A block of C held in registers has ``heights[v - 1]`` rows of ``v`` vectors.
    steps_ahead : int
        A block calls memory in ahead at every so many steps of the summed index: as often as the
        optimizer needs it, and no more, since each call takes time.
    processor, features : str
        LLVM's name of a processor with these instructions, and those that it lacks.
    bf16_tiles : bool
        Whether there is a tile unit for bfloat16 products that the system lets this process use.

    Raises
    ------
    ValueError
        If a block does not fit into the registers, or has a size that there is no code for.

    """

    name: str
    n_registers: int
    vector_bytes: int
    heights: tuple[int, ...]
    steps_ahead: int
    processor: str
    features: str = ""
    bf16_tiles: bool = field(default=False, repr=False)  # compiled code does not depend on it

    def __post_init__(self) -> None:
        if not 2 <= self.tile_vectors <= MOST_VECTORS:
            raise ValueError(
                f"blocks of up to {self.tile_vectors} vectors: from 2 to {MOST_VECTORS} are "
                "provided for"
            )
        for n_vectors, n_rows in enumerate(self.heights, start=1):
            if n_rows < 2:  # a block of half the height is used for the last rows
                raise ValueError(f"a block of {n_rows} rows: there must be at least 2")
            needed = n_rows * n_vectors + n_vectors + 1  # C, a row of B, one number of A
            if needed > self.n_registers:
                raise ValueError(
                    f"a block of {n_rows} rows and {n_vectors} vectors needs {needed} registers, "
                    f"but {self.name} has {self.n_registers}"
                )

    @property
    def tile_vectors(self) -> int:
        """Vectors in a row of the widest block."""
        return len(self.heights)

    @property
    def tile_rows(self) -> int:
        """Rows of the widest block."""
        return self.heights[-1]


MOST_VECTORS = 4  # in a row of a block


@cache
def processor_features() -> frozenset[str]:
    """Return LLVM's names of the features that this processor has."""
    try:
        return frozenset(name for name, has in llvm.get_host_cpu_features().items() if has)
    except RuntimeError:  # LLVM does not support this on every platform
        return frozenset()


@cache
def current() -> Isa:
    """Return the instruction set in use: the one in ``FASTMLP_ISA``, or else the best one here.

    Raises
    ------
    ValueError
        If ``FASTMLP_ISA`` is not a known level, or this processor does not support it.

    """
    if _only_compiled is not None:
        return described(_only_compiled, bf16_tiles=_only_compiled == "amx")
    best = best_level(processor_features())
    level = os.environ.get("FASTMLP_ISA") or best  # an empty variable counts as unset
    if level not in LEVELS:
        raise ValueError(f"FASTMLP_ISA is {level!r}: use one of {', '.join(LEVELS)}")
    if LEVELS.index(level) > LEVELS.index(best):
        raise ValueError(
            f"FASTMLP_ISA asks for {level!r}, but this processor offers {best!r} at most"
        )
    return described(level, bf16_tiles=level == "amx" and _tiles_permitted())


def only_compile_for(level: str) -> None:
    """Compile for any level of this architecture from now on; kernels may then not run here."""
    global _only_compiled
    _only_compiled = level
    current.cache_clear()


_only_compiled: str | None = None


def best_level(features: frozenset[str]) -> str:
    """Return the highest level that a processor with these features offers."""
    best = LEVELS[0]
    for level, needed in _FEATURES.items():
        if not needed <= features:
            break
        best = level
    return best


def levels_here() -> tuple[str, ...]:
    """Return the levels that there are on processors of this architecture."""
    return LEVELS if _is_x86() else LEVELS[:1]


def described(level: str, bf16_tiles: bool = False) -> Isa:
    """Return a level with the blocks measured to be fastest there."""
    features = ""
    if level in ("avx512", "amx"):
        values, processor = (32, 64, (16, 12, 8), 4), "x86-64-v4"
        if level == "amx":
            features = ",".join(f"+{name}" for name in sorted(_FEATURES["amx"]))
    elif level == "avx2":
        values, processor = (16, 32, (12, 6, 4), 8), "x86-64-v3"
    elif platform.machine().lower() in ("arm64", "aarch64"):  # NEON
        values, processor = (32, 16, (16, 12, 8), 8), "generic"
    else:
        values, processor = (16, 16, (12, 6, 4), 8), "x86-64-v2"
        if not _is_x86():  # an architecture that we know nothing about
            processor = llvm.get_host_cpu_name()
            features = ",".join(f"+{name}" for name in sorted(processor_features()))
    return Isa(level, *values, processor, features, bf16_tiles)


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


@cache
def _tiles_permitted() -> bool:
    """Ask Linux once per process for permission to use the tile unit; False on other systems.

    (Linux, Documentation/arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM of feature 18, XTILEDATA.)
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    try:
        return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0
    except (OSError, AttributeError):
        return False
