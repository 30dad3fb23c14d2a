"""Which instructions the kernels are compiled for, and what belongs to each set of instructions.

They are chosen once per process, from the processor or the environment variable ``FASTMLP_ISA``,
because every compiled kernel depends on them.
"""

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from . import caches

__all__ = ["LEVELS", "Isa", "best_level", "current", "processor_features"]

LEVELS = ("generic", "avx2", "avx512", "amx")


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
    first_cache, second_cache : int
        Bytes of these caches.
    processor : str or None
        LLVM's name of a processor with these instructions and no more, where this one has more.
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
    first_cache: int
    second_cache: int
    processor: str | None = None
    bf16_tiles: bool = False

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
    features = processor_features()
    best = best_level(features)
    level = os.environ.get("FASTMLP_ISA") or best  # an empty variable counts as unset
    if level not in LEVELS:
        raise ValueError(f"FASTMLP_ISA is {level!r}: use one of {', '.join(LEVELS)}")
    if LEVELS.index(level) > LEVELS.index(best):
        raise ValueError(
            f"FASTMLP_ISA asks for {level!r}, but this processor offers {best!r} at most"
        )
    described = _described(level)
    if level == best:
        described["processor"] = None
    tiles = level == "amx" and _tiles_permitted()
    return Isa(
        level,
        first_cache=caches.first_level(),
        second_cache=caches.second_level(),
        bf16_tiles=tiles,
        **described,
    )


def best_level(features: frozenset[str]) -> str:
    """Return the highest level that a processor with these features offers."""
    if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= features:
        return "amx" if {"amx-tile", "amx-bf16", "avx512bf16"} <= features else "avx512"
    return "avx2" if {"avx2", "fma"} <= features else "generic"


def _described(level: str) -> dict[str, Any]:
    """Return the registers of a level, and the blocks measured to be fastest there."""
    if level in ("avx512", "amx"):
        values = 32, 64, (16, 12, 8), 4, "cooperlake"
    elif level == "avx2":
        values = 16, 32, (12, 6, 4), 8, "haswell"
    elif platform.machine().lower() in ("arm64", "aarch64"):  # NEON
        values = 32, 16, (16, 12, 8), 8, None
    else:  # SSE
        values = 16, 16, (12, 6, 4), 8, "nehalem"
    names = "n_registers", "vector_bytes", "heights", "steps_ahead", "processor"
    return dict(zip(names, values, strict=True))


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
