"""What the libraries in this process report about the instructions that they use.

The libraries that a run has loaded are asked at its end, each in its own way. The settings that
should limit them are in `bench.instructions`.
"""

# Contenders are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import ctypes
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.instructions import is_held, numpy_cpu, numpy_features
from bench.peers import missing

__all__ = ["Evidence", "collect"]

STARTED = time.monotonic()


class Evidence(NamedTuple):
    """What one library reports.

    Attributes
    ----------
    library : str
        Its name.
    says : str
        What it uses, in its own words, or why that is unknown.
    held : bool or None
        Whether it stays within the requested level; None if that is unknown.

    """

    library: str
    says: str
    held: bool | None


def collect(level: str) -> list[Evidence]:
    """Return the evidence of every library that this process has loaded, and of the system.

    Parameters
    ----------
    level : str
        The level that the process should be limited to, one of `bench.instructions.LEVELS`.

    """
    found: list[Evidence] = []
    for module, ask in WITNESSES.items():
        if sys.modules.get(module):
            found += ask(level)
    if not is_held(level):  # the level is all that the processor has
        return [evidence._replace(held=True) for evidence in dict.fromkeys(found)]
    return [*dict.fromkeys(found), *of_system(level)]


def of_limit(level: str) -> list[Evidence]:
    """Return the vectors of `bench.limit_kernels`, and the processor that numba compiles for."""
    from numba.core import config

    from fastmlp.kernels.machine import isa

    used, processor = isa.current().name, getattr(config, "CPU_NAME", None)
    held = used == level and processor is not None
    processor = processor or "this processor"
    return [Evidence("loops", f"{used}, compiled for {processor}", held)]


def of_fastmlp(level: str) -> list[Evidence]:
    """Return the kernels' vectors, and the processor that LLVM compiles for."""
    from fastmlp.kernels.machine import isa

    used = isa.current()
    return [Evidence("fastmlp", f"{used.name}, compiled for {used.processor}", used.name == level)]


def of_numpy(level: str) -> list[Evidence]:
    """Return the evidence of numpy's own loops and of the BLAS libraries of numpy and scipy."""
    has = numpy_cpu().__cpu_features__
    beyond = [name for name in numpy_features(level) if has.get(name)]
    dispatched = [name for name in numpy_cpu().__cpu_dispatch__ if has.get(name)]
    loops = " ".join(dispatched) or "its baseline"
    return [Evidence("numpy", f"loops for {loops}", not beyond), *of_openblas(level)]


def of_openblas(level: str) -> list[Evidence]:
    """Return the kernels that each OpenBLAS in the process has chosen."""
    if missing("threadpoolctl"):
        return [Evidence("OpenBLAS", "unknown, since threadpoolctl is not installed", None)]
    from threadpoolctl import threadpool_info

    return [
        Evidence("OpenBLAS", blas["architecture"], fits(CORES, blas["architecture"], level))
        for blas in threadpool_info()
        if blas["internal_api"] == "openblas"
    ]


def of_torch(level: str) -> list[Evidence]:
    """Return the evidence of ATen's loops, and of PyTorch's libraries by their verbose output."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    found = [Evidence("ATen", capability, fits(CAPABILITIES, capability, level))]
    if torch.backends.mkl.is_available():
        found.append(from_words("MKL", mkl_words(), level))
    if torch.backends.mkldnn.is_available():
        found.append(from_words("oneDNN", onednn_words(), level))
    return found


@cache
def mkl_words() -> str:
    """Return the instructions that MKL names, which it does only the first time it is verbose."""
    import torch

    x = torch.ones(8, 8)
    said = overheard(torch.backends.mkl.verbose(1), lambda: x @ x)
    # "... architecture Intel(R) Advanced Vector Extensions 2 (Intel(R) AVX2) enabled processors"
    return ", ".join(re.findall(r"\(Intel\(R\) ([^()]+)\)", said.partition("\n")[0]))


@cache
def onednn_words() -> str:
    """Return the instructions that oneDNN names, which it also does only once."""
    import torch

    said = overheard(torch.backends.mkldnn.verbose(1), torch.ones(8, 8).to_mkldnn)
    found = re.search(r"info,cpu,isa:(.*)", said)
    return found[1].replace("Intel ", "") if found else ""


def of_jax(level: str) -> list[Evidence]:
    """Return the library that XLA multiplies with; it does not report what it compiles for."""
    import jax

    x = jax.numpy.ones((256, 256))
    text = jax.jit(lambda x: x @ x).lower(x).compile().as_text() or ""
    # XLA exits if it does not know its flags, so they were accepted.
    flag = re.search(r"xla_cpu_max_isa=(\S+)", os.environ.get("XLA_FLAGS", ""))
    compiles = f"compiles for {flag[1] if flag else 'this processor'}"
    if "ynn_fusion" in text:
        return [Evidence("XLA", f"{compiles}, multiplies with YNNPACK", False)]
    return [Evidence("XLA", f"{compiles}, multiplies without YNNPACK", flag is not None)]


def of_onnxruntime(level: str) -> list[Evidence]:
    """Return that ONNX Runtime has no setting."""
    return [Evidence("ONNX Runtime", "chooses by the processor; it has no setting", False)]


def of_system(level: str) -> list[Evidence]:
    """Return whether any thread has used AVX-512, as Linux records at context switches."""
    if level not in ("generic", "avx2"):
        return []
    try:
        seen = [path.read_text().split() for path in Path("/proc/self/task").glob("*/arch_status")]
    except OSError:
        seen = []
    if not seen:
        return []
    # Milliseconds since the last use, or -1 for never; a new thread inherits its parent's value.
    here = (time.monotonic() - STARTED) * 1000
    users = sum(0 <= int(words[-1]) < here for words in seen)
    says = f"saw AVX-512 in {users} of {len(seen)} threads" if users else "saw no AVX-512"
    return [Evidence("Linux", says, not users)]


WITNESSES: dict[str, Callable[[str], list[Evidence]]] = {
    "fastmlp.kernels.machine.simd": of_fastmlp,
    "bench.limit_kernels": of_limit,
    "numpy": of_numpy,
    "torch": of_torch,
    "jax": of_jax,
    "onnxruntime": of_onnxruntime,
}
"""The module that must be loaded for each kind of evidence."""

# Each library's names for the levels; a level matches if the report contains one of its names.
CORES = {
    "generic": "Prescott Core2 Penryn Dunnington Atom Nehalem Barcelona Bobcat",
    "avx2": "Haswell Zen Excavator",
    "avx512": "SkylakeX Cooperlake SapphireRapids",
}
CAPABILITIES = {"generic": "DEFAULT NO_AVX", "avx2": "AVX2", "avx512": "AVX512"}


def fits(names: dict[str, str], said: str, level: str) -> bool:
    """Return whether a library's report, `said`, is one of its names for `level`."""
    return said.upper().replace(" ", "_") in names.get(level, "").upper().split()


def from_words(library: str, words: str, level: str) -> Evidence:
    """Return the evidence in a library's own description of its instructions."""
    if not words:
        return Evidence(library, "did not say", None)
    tiles = "AMX" in words
    wide = tiles or "512" in words or "AVX10" in words
    beyond = {
        "generic": "AVX" in words,
        "avx2": wide,
        "avx512": tiles,
    }
    return Evidence(library, words, not beyond.get(level, False))


def overheard(verbose: Any, call: Callable[[], object]) -> str:
    """Return what C libraries print while `call` runs inside `verbose`."""
    with tempfile.TemporaryFile() as file, output_to(file.fileno()):
        with verbose:
            call()
        ctypes.CDLL(None).fflush(None)
        file.seek(0)
        return file.read().decode(errors="replace")


@contextmanager
def output_to(descriptor: int) -> Iterator[None]:
    """Redirect the standard output of the whole process, including C libraries."""
    sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)
    before = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
