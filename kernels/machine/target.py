"""Compiling for a level of instructions instead of for this very processor.

numba compiles for the processor that it runs on. Kernels have a code generator of their own, which
compiles for the instruction set in use (``isa``), so that one folder of kernels serves every
machine that has it. Other code that numba compiles in this process is not affected.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from types import CodeType, FunctionType
from typing import Any

from llvmlite.binding import parse_bitcode
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.runtime.context import NRTContext

from . import compiling, isa

__all__ = ["Kernel"]


class Kernel(CPUDispatcher):
    """A function that is compiled, or loaded from the disk cache, for the instruction set in use.

    It is compiled even if ``NUMBA_DISABLE_JIT`` is set, see `jit`.
    """

    def compile(self, sig):
        """Compile for one signature, unless that was done before."""
        with global_compiler_lock, _own_codegen(), compiling.enabled(), _no_collections():
            return super().compile(sig)

    def is_kept(self, signature) -> bool:
        """Return whether it is loaded, or on the disk, for a signature."""
        return signature in self.overloads or self.is_kept_on_disk(signature)

    def is_kept_on_disk(self, signature) -> bool:
        """Return whether the disk cache seems to have it for a signature."""
        return self._cache.has_overload(signature)

    @cached_property
    def size(self) -> int:
        """Bytes of bytecode of all functions that are compiled with it: longer takes longer."""
        found: set[FunctionType] = set()
        _collect(self, found)
        return sum(len(function.__code__.co_code) for function in found)


def _collect(what: Any, found: set[FunctionType]) -> None:
    """Add the kernels' functions that a function calls, as far as their names tell."""
    function = getattr(what, "py_func", getattr(what, "_defn", what))  # a kernel, an intrinsic
    if not isinstance(function, FunctionType) or function in found:
        return
    if not str(function.__module__).startswith(_PACKAGE):
        return
    found.add(function)
    codes, names = [function.__code__], set[str]()
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes.extend(c for c in code.co_consts if isinstance(c, CodeType))
    for name in names:
        _collect(function.__globals__.get(name), found)
    for cell in function.__closure__ or ():
        _collect(cell.cell_contents, found)


_PACKAGE = str(__package__).rpartition(".")[0]


class _Library(JITCodeLibrary):
    """The code of one function; without machine code for one that is only inlined into others.

    Such a function has no wrapper for Python. Its LLVM code is all that anybody needs.
    """

    def _finalize_final_module(self):
        # numba's own library for reference counts is neither: it has no environment
        variables = self._final_module.global_variables
        is_function = any(variable.name.startswith(_ENVIRONMENT) for variable in variables)
        has_wrapper = any(f.name.startswith(_WRAPPER) for f in self.get_defined_functions())
        self._is_inlined = is_function and not has_wrapper
        if self._is_inlined:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True
        else:
            super()._finalize_final_module()

    def serialize_using_object_code(self):
        if not self._is_inlined:
            return super().serialize_using_object_code()
        return self.name, _INLINED, self._get_module_for_linking().as_bitcode()

    @classmethod
    def _unserialize(cls, codegen, state):
        name, kind, data = state
        if kind != _INLINED:
            return super()._unserialize(codegen, state)
        self = codegen.create_library(name)
        self._final_module = self._shared_module = parse_bitcode(data)
        self._is_inlined = self._finalized = True
        return self


# What the names of a function's environment and of its wrapper for Python begin with.
_ENVIRONMENT, _WRAPPER = "_ZN08NumbaEnv", "_ZN7cpython"
_INLINED = "inlined"


class _Codegen(JITCPUCodegen):
    """numba's code generator with another idea of the processor."""

    _library_class = _Library

    def set_env(self, env_name, env):
        """Set a function's environment, if the function has machine code."""
        if self._engine.get_global_value_address(env_name):
            super().set_env(env_name, env)

    def _get_host_cpu_name(self):
        return isa.current().processor

    def _get_host_cpu_features(self):
        return isa.current().features


class _NoCounts(NRTContext):
    """Reference counts that nobody counts: kernels neither make arrays nor keep any.

    Counting takes a twentieth of a step of a small network.
    """

    def incref(self, builder, typ, value):
        """Do nothing."""

    def decref(self, builder, typ, value):
        """Do nothing."""

    def meminfo_alloc_aligned(self, builder, size, align):
        """Raise, because nobody would free it."""
        raise TypeError("a kernel cannot make an array: pass one to it")

    meminfo_alloc_aligned_unchecked = meminfo_alloc_aligned


def _wrap_without_counts(library, fndesc, env, call_helper, release_gil=False):
    """Make the function that Python calls; the arrays stay with Python meanwhile."""
    context = cpu_target.target_context.subtarget(enable_nrt=False)
    CPUContext.create_cpython_wrapper(context, library, fndesc, env, call_helper, release_gil)


@contextmanager
def _own_codegen() -> Iterator[None]:
    """Let numba use our code generator; the caller holds its compiler lock."""
    context = cpu_target.target_context
    ours = {
        "_internal_codegen": _codegen(),
        "nrt": _NoCounts(context, True),
        "create_cpython_wrapper": _wrap_without_counts,
    }
    usual = {name: vars(context)[name] for name in ours if name in vars(context)}
    vars(context).update(ours)
    try:
        yield
    finally:
        for name in ours:
            vars(context).pop(name)
        vars(context).update(usual)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep Python from looking for garbage, which takes a tenth of the time of compiling."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _codegen() -> _Codegen:
    return _Codegen("fastmlp.kernels")
