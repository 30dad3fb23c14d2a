"""The compilation policy: the flags of every kernel, and the cache of compiled code.

Compiled kernels are cached on disk, one file per function and signature, in a folder whose name
contains the instruction set and a hash of all kernels and the versions. numba's own cache checks
only the file that holds the function, so it would miss an edit in a function inlined from another
file; and processes that start together can corrupt its shared index file.

Nothing in such a folder depends on where it is, or on the machine beyond the instruction set.
``FASTMLP_KERNELS`` names a root of folders that are only read, before the cache.

``NUMBA_DISABLE_JIT`` is for stepping through Python code. Kernels contain vector instructions,
which Python cannot run, so they are compiled anyway. Other code that uses numba, such as a user's
own layer, then runs as Python, and fastmlp still gives the same numbers.
"""

import hashlib
import os
import pickle
import pkgutil
import platform
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import compiler
from numba.core.caching import NullCache

from . import cache as files
from . import compiling, isa, place
from .target import Kernel

__all__ = ["cache_folder", "carried_folder", "folder_name", "inner", "kernel", "pasted"]

# Never "nnan" or "ninf": a diverging loss must stay visible.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})


if compiling.is_disabled():
    files.tell(
        "jit", "NUMBA_DISABLE_JIT is set, but fastmlp's own kernels are compiled all the same"
    )


def kernel(function=None, *, name=None, exact=False):
    """Compile ``function`` on first call, without the interpreter lock, and cache it on disk.

    A function created by another function is cached only if it has a unique ``name``. One that is
    ``exact`` computes what its source says, operation by operation: no sum is rearranged, and no
    product joins a sum. So it has the same bits wherever it is inlined.
    """
    return _decorate(function, name, exact, no_cpython_wrapper=False)


def inner(function=None, *, name=None, exact=False):
    """Compile a function that only kernels call, without a wrapper for Python.

    That saves a good part of the compile time.
    """
    return _decorate(function, name, exact, no_cpython_wrapper=True)


def pasted(function):
    """Compile a short function that numba inlines into the source of the kernels that call it.

    The result has the same bits as writing the code out there, even if the order of a sum matters.
    """
    return _compile(function, None, no_cpython_wrapper=True, inline="always")


def _decorate(function, name, exact, **options):
    if function is None:
        return lambda function: _compile(function, name, exact, **options)
    return _compile(function, name, exact, **options)


def _compile(function, name, exact=False, **options):
    if name is None and "<locals>" not in function.__qualname__:
        name = f"{function.__module__}.{function.__qualname__}"
    elif name is not None:
        function.__qualname__ = name  # part of the symbol, which must be unique in a process
    kernel = Kernel(
        function,
        targetoptions=dict(
            nopython=True,
            nogil=True,
            boundscheck=None,
            error_model="numpy",
            forceinline=True,  # one copy of a kernel's machine code, whatever else is loaded
            fastmath=False if exact else set(FASTMATH),
            no_cfunc_wrapper=True,
            **options,
        ),
    )
    compiling.watch.add(function)
    kernel._cache = _DiskCache(name)
    return kernel


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels (``FASTMLP_CACHE_DIR`` moves its root).

    None for a user without a home.
    """
    try:
        root = place.cache_root()
    except RuntimeError as no_home:
        files.tell(
            "folder",
            f"{no_home}, so every new process spends ten seconds or more on compiling: "
            f"{files.ADVICE}",
        )
        return None
    return root / folder_name(isa.current().name)


@cache
def carried_folder() -> Path | None:
    """Return the folder below ``FASTMLP_KERNELS``, which is only read; None if there is none."""
    try:
        root = place.carried_root()
    except RuntimeError as no_home:
        files.tell("carried", f"{no_home}, so kernels are compiled: set it to an existing folder")
        return None
    if root is None:
        return None
    folder = root / folder_name(isa.current().name)
    if folder.is_dir():
        return folder
    there = sorted(f.name.split("-")[1] for f in root.glob("kernels-*-*") if f.is_dir())
    what = f"those for {', '.join(there)} of some version" if there else "none"
    files.tell(
        "carried",
        f"FASTMLP_KERNELS has no {folder.name} (it has {what}), so kernels are compiled: make them "
        f"for {isa.current().name} with these versions of fastmlp, numba, numpy and Python by "
        "fastmlp warmup --out",
    )
    return None


def folder_name(level: str) -> str:
    """Return the name of the folder of kernels for a level of instructions."""
    return f"kernels-{level}-{_fingerprint(isa.described(level))}"


def _fingerprint(level: isa.Isa) -> str:
    """Hash everything that compiled code depends on, except a function's name and signature."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    sources = sorted(folder.rglob("*.py"))
    for source in sources:
        name = source.relative_to(folder).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes())
    if not sources:  # a frozen program
        for part in _compiled_sources():
            digest.update(part.encode() + b"\0")
    digest.update(repr((_versions(), level)).encode())
    return digest.hexdigest()[:16]


def _versions() -> tuple[str, ...]:
    """Return what compiled code is made with; another build of the same Python does as well."""
    python = f"{sys.implementation.cache_tag} {sys.abiflags if os.name == 'posix' else ''}"
    system = f"{sys.platform} {platform.machine()}"
    return python, system, np.__version__, numba.__version__, llvmlite.__version__


def _compiled_sources() -> Iterator[str]:
    """Yield the name and bytecode parts of each kernel module."""
    package = import_module(str(__package__).rpartition(".")[0])
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        finder: Any = module.module_finder
        yield module.name
        yield from _parts_of(finder.find_spec(module.name, None).loader.get_code(module.name))


def _parts_of(code: CodeType) -> Iterator[str]:
    """Yield the parts that identify a code object; `marshal` output is not reproducible."""
    yield repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts_of(constant)
        else:  # the order of a set differs between processes
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


class _DiskCache(NullCache):
    """One file per function and signature; none for a function without a name.

    If a file is missing or unusable, the function is compiled again.
    """

    def __init__(self, name):
        self._name = name

    @property
    def cache_path(self):
        return str(cache_folder())

    def load_overload(self, sig, target_context):
        target_context.refresh()
        payload, name = None, self._file_name(sig)
        if name is not None and (folder := carried_folder()) is not None:
            payload = files.read(folder / name, named=True)
        if name is not None and payload is None and (folder := cache_folder()) is not None:
            payload = files.read(folder / name)
        if payload is None:
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))

    def save_overload(self, sig, data):
        folder, name = cache_folder(), self._file_name(sig)
        if folder is not None and name is not None:
            payload = pickle.dumps(data._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
            files.write(folder / name, payload)
            _tidy(folder)

    def has_overload(self, sig) -> bool:
        """Return whether there is a file, which may yet turn out to be damaged."""
        name, folders = self._file_name(sig), (carried_folder(), cache_folder())
        return name is not None and any(f is not None and (f / name).is_file() for f in folders)

    def _file_name(self, sig) -> str | None:
        if self._name is None:
            return None
        key = repr((self._name, str(sig)))
        return f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@cache
def _tidy(folder: Path) -> None:
    """Remove old kernels, once per process."""
    files.remove_old(folder)
