"""Where compiled kernels are kept."""

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_root", "carried_root"]


def cache_root() -> Path:
    """Return the folder that holds a folder of kernels for each version.

    ``FASTMLP_CACHE_DIR`` moves it. Raises RuntimeError if the home directory is unknown.
    """
    given = _named_by("FASTMLP_CACHE_DIR")
    if given is not None:
        return given
    try:
        return Path(platformdirs.user_cache_dir("fastmlp", False)).expanduser().absolute()
    except RuntimeError:
        raise RuntimeError("there is no home directory to keep compiled kernels in") from None


def carried_root() -> Path | None:
    """Return the folder that ``FASTMLP_KERNELS`` names, which is only read; None if unset.

    Raises RuntimeError if it names a home directory that is unknown.
    """
    return _named_by("FASTMLP_KERNELS")


def _named_by(variable: str) -> Path | None:
    given = os.environ.get(variable)
    if not given:
        return None
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:
        user = Path(given).parts[0]
        raise RuntimeError(
            f"{variable} is {given!r}, and the home directory {user} is unknown"
        ) from None
