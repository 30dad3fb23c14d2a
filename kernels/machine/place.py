"""Where compiled kernels are kept."""

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_root", "carried_root"]


def cache_root() -> Path:
    """Return the folder that holds a folder of kernels for each version.

    ``FASTMLP_CACHE_DIR`` moves it. Raises RuntimeError for a user without a home.
    """
    folder = os.environ.get("FASTMLP_CACHE_DIR") or platformdirs.user_cache_dir("fastmlp", False)
    return Path(folder).expanduser().absolute()


def carried_root() -> Path | None:
    """Return the folder that ``FASTMLP_KERNELS`` names, which is only read; None if unset."""
    given = os.environ.get("FASTMLP_KERNELS")
    return Path(given).expanduser().absolute() if given else None
