"""Compiling for a level of instructions instead of for this very processor.

numba compiles for the processor that it runs on. Kernels have a code generator of their own, which
compiles for the instruction set in use (``isa``), so that one folder of kernels serves every
machine that has it. Other code that numba compiles in this process is not affected.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from numba.core.codegen import JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher, cpu_target

from . import compiling, isa

__all__ = ["Kernel"]


class Kernel(CPUDispatcher):
    """A function that is compiled, or loaded from the disk cache, for the instruction set in use.

    It is compiled even if ``NUMBA_DISABLE_JIT`` is set, see `jit`.
    """

    def compile(self, sig):
        """Compile for one signature, unless that was done before."""
        with global_compiler_lock, _own_codegen(), compiling.enabled():
            return super().compile(sig)


class _Codegen(JITCPUCodegen):
    """numba's code generator with another idea of the processor."""

    def _get_host_cpu_name(self):
        return isa.current().processor

    def _get_host_cpu_features(self):
        return isa.current().features


@contextmanager
def _own_codegen() -> Iterator[None]:
    """Let numba use our code generator; the caller holds its compiler lock."""
    context = cpu_target.target_context
    usual = context._internal_codegen
    context._internal_codegen = _codegen()
    try:
        yield
    finally:
        context._internal_codegen = usual


@cache
def _codegen() -> _Codegen:
    return _Codegen("fastmlp.kernels")
