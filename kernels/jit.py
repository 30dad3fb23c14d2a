"""The one compilation policy: the flags of every kernel, and where compiled code is kept.

Compiled kernels are cached on disk, one file for each function and signature, in a folder whose
name carries a hash of all kernel sources, the versions and the instruction set. numba's own cache
looks only at the file that holds the function, so it would miss an edit in a function that was
inlined from another file; and its shared index file can be torn by processes that start together.
"""

import hashlib
import os
import pickle
import sys
import tempfile
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
import platformdirs
from numba.core import compiler
from numba.core.caching import NullCache

from . import isa

__all__ = ["cache_folder", "inner", "kernel"]

# Never "nnan" or "ninf": a diverging loss must stay visible.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})


def kernel(function):
    """Compile ``function`` on first call, without the interpreter lock, and cache it on disk."""
    return _compile(function, no_cpython_wrapper=False)


def inner(function):
    """Do the same for a function that only kernels call: it gets no wrapper for Python.

    That takes a good part of the time to compile.
    """
    return _compile(function, no_cpython_wrapper=True)


def _compile(function, **options):
    dispatcher = numba.njit(
        nogil=True,
        error_model="numpy",
        forceinline=True,  # one copy of a kernel's machine code, whatever else is loaded
        fastmath=set(FASTMATH),
        no_cfunc_wrapper=True,
        **options,
    )(function)
    if "<locals>" not in function.__qualname__:  # its name would not say which function it is
        dispatcher._cache = _DiskCache(function)
    return dispatcher


@cache
def cache_folder() -> Path:
    """Return the folder of compiled kernels (``FASTMLP_CACHE_DIR`` moves its root)."""
    root = os.environ.get("FASTMLP_CACHE_DIR") or platformdirs.user_cache_dir("fastmlp", False)
    return Path(root) / f"kernels-{_fingerprint()}"


def _fingerprint() -> str:
    """Hash all that compiled code depends on besides a function's own name and signature."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__)
    digest.update(repr((versions, isa.current(), sorted(isa.processor_features()))).encode())
    return digest.hexdigest()[:16]


class _DiskCache(NullCache):
    """One file per function and signature, complete before it is visible.

    A file that is missing, torn or unreadable, or a folder that cannot be written, only means
    that the function is compiled again.
    """

    def __init__(self, function):
        self._name = f"{function.__module__}.{function.__qualname__}"

    @property
    def cache_path(self):
        return str(cache_folder())

    def load_overload(self, sig, target_context):
        target_context.refresh()
        try:
            content = self._file(sig, target_context.codegen()).read_bytes()
        except OSError:
            return None
        checksum, payload = content[:32], content[32:]
        if hashlib.sha256(payload).digest() != checksum:
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))

    def save_overload(self, sig, data):
        payload = pickle.dumps(data._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
        target = self._file(sig, data.codegen)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent)
        except OSError:  # a read-only home: nothing is kept, everything works
            return
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, target)
        except OSError:
            Path(temporary).unlink(missing_ok=True)

    def _file(self, sig, codegen) -> Path:
        key = repr((self._name, str(sig), codegen.magic_tuple()))
        return cache_folder() / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
