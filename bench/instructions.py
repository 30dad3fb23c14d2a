"""Settings that limit every contender to the same instruction set.

Libraries read most of them once, when they are loaded, so they must be in the environment of a
contender's process. There, `bench.evidence` checks whether they took effect.
"""

from importlib import import_module
from typing import Any

from fastmlp.kernels.machine import isa

__all__ = ["LEVELS", "environment", "is_held", "numpy_cpu", "numpy_features"]

LEVELS = (*isa.LEVELS, "best")
"""Values of ``--isa``. On x86, generic means SSE4.2, and avx512 includes bfloat16 products but no
tiles."""

# Each library's variable, and its values for (generic, avx2, avx512); None: nothing to set.
SETTINGS = {
    # FASTMLP_ISA limits our kernels, and these the loops that find the machine's limit.
    "NUMBA_CPU_NAME": ("nehalem", "haswell", "cooperlake"),
    "NUMBA_CPU_FEATURES": ("", "", ""),
    "OPENBLAS_CORETYPE": ("Nehalem", "Haswell", "SkylakeX"),
    "MKL_ENABLE_INSTRUCTIONS": ("SSE4_2", "AVX2", "AVX512"),
    "ONEDNN_MAX_CPU_ISA": ("SSE41", "AVX2", "AVX512_CORE_BF16"),
    "ATEN_CPU_CAPABILITY": ("default", "avx2", "avx512"),
    # By default XLA multiplies with YNNPACK, which cannot be limited. Without it, XLA uses oneDNN.
    "XLA_FLAGS": tuple(
        f"--xla_cpu_max_isa={level} --xla_cpu_experimental_ynn_fusion_type="
        for level in ("SSE4_2", "AVX2", "AVX512_BF16")
    ),
    "GLIBC_TUNABLES": (
        "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW",
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW",
        None,
    ),
}
# Not set here, but the user may have set them.
OTHERS = (
    "FASTMLP_ISA", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "DNNL_MAX_CPU_ISA",
    "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "NUMBA_ENABLE_AVX",
)  # fmt: skip


def is_held(level: str) -> bool:
    """Return whether `level` is less than what this processor offers, so limits are needed.

    Raises
    ------
    ValueError
        If it is more than the processor offers.

    """
    best = isa.best_level(isa.processor_features())
    if level == "best":
        return False
    if isa.LEVELS.index(level) > isa.LEVELS.index(best):
        raise ValueError(f"this processor has no {level}: use {best} or less")
    return level != best


def environment(level: str) -> dict[str, str | None]:
    """Return the variables that limit a process to `level`; None means that one must not be set.

    At every level, they include all variables that could limit a library to something else.
    """
    variables: dict[str, str | None] = dict.fromkeys([*SETTINGS, *OTHERS])
    if is_held(level):
        at = isa.LEVELS.index(level)
        variables |= {name: values[at] for name, values in SETTINGS.items()}
        variables["NPY_DISABLE_CPU_FEATURES"] = " ".join(numpy_features(level))
    if level != "best":
        variables["FASTMLP_ISA"] = level
    return variables


def numpy_features(level: str) -> list[str]:
    """Return the features beyond `level` for which numpy has loops."""
    dispatched = list(numpy_cpu().__cpu_dispatch__)
    if level == "generic":
        return dispatched
    if level == "avx2":
        return [name for name in dispatched if name.startswith(("AVX512", "X86_V4"))]
    return []


def numpy_cpu() -> Any:
    """Return numpy's module for processor features; its name depends on the version."""
    try:
        return import_module("numpy._core._multiarray_umath")
    except ModuleNotFoundError:
        return import_module("numpy.core._multiarray_umath")
