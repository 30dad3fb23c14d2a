"""Whether predictions use compiled kernels: if nothing would have to be compiled first.

numba takes a second to import and the kernels ten to compile, so this is decided without
either. A process that has made a compiled prediction leaves an empty file beside the kernels that
it used; its name says for which versions of everything they are. Where such a file lies, and in a
process that trains, predictions are compiled. Elsewhere they are made in plain numpy.

``FASTMLP_PREDICT`` decides instead if it is ``compiled`` or ``numpy``.
"""

import os
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.common.errors import printable
from fastmlp.common.messages import note

__all__ = ["leave_word", "note_ready", "use_kernels"]

_SETTING = "FASTMLP_PREDICT"
_IN_USE = ("fastmlp.kernels.engine.epoch", "fastmlp.kernels.engine.inference")


def use_kernels(dtype: np.dtype) -> bool:
    """Return whether the next prediction of a model of this dtype is compiled.

    Raises
    ------
    ValueError
        If ``FASTMLP_PREDICT`` has an unknown value, or ``FASTMLP_ISA`` where it matters.

    """
    forced = os.environ.get(_SETTING)
    if forced:
        if forced not in ("compiled", "numpy"):
            raise ValueError(f"{_SETTING} is {forced!r}: use compiled or numpy, or leave it unset")
        if forced == "compiled":
            kernels.machine.isa.current()  # raises for a FASTMLP_ISA that is wrong
        return forced == "compiled"
    return any(module in sys.modules for module in _IN_USE) or _are_kept(dtype)


@cache
def note_ready(dtype: np.dtype) -> None:
    """Leave word that predictions of this dtype have been compiled, once per process."""
    folder = kernels.jit.cache_folder()
    if folder is not None:
        leave_word(dtype, folder)


def leave_word(dtype: np.dtype, folder: Path) -> None:
    """Leave word in a folder of kernels that predictions of this dtype are compiled there."""
    with suppress(OSError):  # a folder that is only read, or that does not exist
        (folder / _file_name(dtype.name)).touch(mode=0o644)


@cache
def _are_kept(dtype: np.dtype) -> bool:
    """Look once per process whether the kernels of predictions are in the cache and usable."""
    folders = list(_roots())
    if not folders:
        return False
    try:
        name = _file_name(dtype.name)
    except ImportError:  # importlib's PackageNotFoundError: numba is not installed
        return False
    return any((folder / name).exists() for folder in folders) and _numba_works()


def _numba_works() -> bool:
    """Import numba, which kernels need, or say why that fails."""
    try:
        import numba  # noqa: F401 - for the kernels
    except Exception as error:  # whatever a broken installation raises
        reason = printable(str(error).strip() or type(error).__name__)
        note(f"predictions are made in plain numpy, since numba cannot be imported: {reason}")
        return False
    return True


def _roots() -> list[Path]:
    """Return every folder of compiled kernels, of whatever version."""
    found: list[Path] = []
    for root in (kernels.machine.place.carried_root, kernels.machine.place.cache_root):
        with suppress(OSError, RuntimeError):  # no home, or not readable
            folder = root()
            found += [] if folder is None else folder.glob("kernels-*")
    return found


@cache
def _file_name(dtype: str) -> str:
    """Return the name of the file that says that predictions are compiled."""
    import hashlib
    from importlib.metadata import version

    digest = hashlib.sha256()
    for source in sorted(Path(str(kernels.__file__)).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    versions = [version(package) for package in ("fastmlp", "numpy", "numba", "llvmlite")]
    level = os.environ.get("FASTMLP_ISA"), platform.machine()
    digest.update(repr((sys.version, versions, level)).encode())
    return f"predicts-{dtype}-{digest.hexdigest()[:16]}"
