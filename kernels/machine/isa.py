"""The vector width and tile unit that kernels are compiled for.

They are chosen once per process, from the processor or the environment variable ``FASTMLP_ISA``,
because every compiled kernel depends on them.
"""

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

__all__ = ["LEVELS", "Isa", "current", "processor_features"]

LEVELS = ("generic", "avx2", "avx512", "amx")


@dataclass(frozen=True)
class Isa:
    """The shape of a register block.

    Attributes
    ----------
    name : str
        One of ``LEVELS``.
    vector_bytes : int
        Bytes in a vector register.
    tile_rows, tile_vectors : int
        A block of C held in registers has ``tile_rows`` rows of ``tile_vectors`` vectors.
    bf16_tiles : bool
        Whether there is a tile unit for bfloat16 products that the system lets this process use.

    """

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    bf16_tiles: bool = False


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
    best = _best_level(features)
    level = os.environ.get("FASTMLP_ISA") or best  # an empty variable counts as unset
    if level not in LEVELS:
        raise ValueError(f"FASTMLP_ISA is {level!r}: use one of {', '.join(LEVELS)}")
    if LEVELS.index(level) > LEVELS.index(best):
        raise ValueError(
            f"FASTMLP_ISA asks for {level!r}, but this processor offers {best!r} at most"
        )
    if level == "generic":
        many_registers = platform.machine().lower() in ("arm64", "aarch64")
        return Isa(level, 16, 8, 3) if many_registers else Isa(level, 16, 4, 3)
    if level == "avx2":
        return Isa(level, 32, 6, 2)
    return Isa(level, 64, 8, 3, bf16_tiles=level == "amx" and _tiles_permitted())


def _best_level(features: frozenset[str]) -> str:
    if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= features:
        return "amx" if {"amx-tile", "amx-bf16", "avx512bf16"} <= features else "avx512"
    return "avx2" if {"avx2", "fma"} <= features else "generic"


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
