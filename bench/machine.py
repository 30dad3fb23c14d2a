"""A description of the machine: processor, threads, versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

from fastmlp.engine.threads import available

__all__ = ["describe"]

PACKAGES = (
    "fastmlp",
    "numba",
    "numpy",
    "torch",
    "jax",
    "scikit-learn",
    "onnxruntime",
    "lightgbm",
    "catboost",
    "pytabkit",
)


def describe() -> dict:
    """Return processor, threads, load, operating system, and versions of Python and the peers."""
    return {
        "processor": processor_name(),
        "threads": available(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := version_of(name))},
    }


def processor_name() -> str:
    """Return the processor's name as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def version_of(package: str) -> str | None:
    """Return the installed version of `package`, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
