"""Compiling kernels ahead of time."""

from pathlib import Path
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.engine.readiness import leave_word

__all__ = ["DTYPES", "warm_up"]

DTYPES = ("float32", "float64")


def warm_up(level: str | None = None, root: Path | None = None) -> int:
    """Compile all kernels that plans can call for an instruction set.

    Parameters
    ----------
    level : str, optional
        One of ``kernels.machine.isa.levels_here()``; the processor need not have it. Default: the
        one in use.
    root : path, optional
        Where the folder of kernels is made. Default: in the cache.

    Returns
    -------
    int
        How many kernels could not be compiled.

    """
    calls, machine = kernels.plan.calls, kernels.machine
    level = level or machine.isa.current().name
    cache = machine.jit.cache_folder()
    if root is None and cache is not None:
        root = cache.parent
    tasks = [
        machine.links.task_of(*(call if isinstance(call, tuple) else (call, 0)), np.dtype(dtype))
        for dtype in DTYPES
        for call in calls.everything(_without_use(level, dtype))
    ]
    n_failed = machine.crew.compile_all(tasks, level, root)
    if n_failed == 0 and root is not None:
        for dtype in DTYPES:
            leave_word(np.dtype(dtype), root / machine.jit.folder_name(level))
    return n_failed


def _without_use(level: str, dtype: str) -> set[Any]:
    """Return the names of the cores that no plan of this dtype uses at a level."""
    if level == "amx" and dtype == "float32":
        return set()
    return {row.at_lower_precision for row in kernels.cores.TABLE} - {None}
