"""The folder for downloaded data, and the check of a folder named by the user."""

import os
import sys
from pathlib import Path

from fastmlp.common.errors import argument
from fastmlp.common.files import user_path

__all__ = ["cache_directory", "existing_directory", "first_file"]


def cache_directory() -> Path:
    """Return the folder where data is found and stored by default; it need not exist.

    It is ``FASTMLP_DATA_DIR`` if that variable is set, otherwise ``fastmlp`` in the user's cache
    folder: ``$XDG_CACHE_HOME`` or ``~/.cache``, ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%``
    on Windows. Each dataset has its own subfolder.

    Raises
    ------
    ValueError
        If there is no home directory and none of these variables is set.

    """
    chosen = os.environ.get("FASTMLP_DATA_DIR")
    if chosen:
        return user_path(chosen)
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        raise ValueError(
            "there is no home directory to keep data in: set FASTMLP_DATA_DIR to a folder"
        ) from None
    return Path(base) / "fastmlp"


def existing_directory(directory: str | os.PathLike[str]) -> Path:
    """Return the user's folder as a path; raise an error if it is not an existing folder."""
    try:
        path = user_path(directory)
    except TypeError:
        raise TypeError(
            f"{argument('directory')} must be a path to a folder, but is of type "
            f"{type(directory).__name__}"
        ) from None
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise FileNotFoundError(f"the data directory '{path}' {problem}")
    return path


def first_file(directory: Path, names: tuple[str, ...]) -> Path | None:
    """Return the first of the named files that exists in the directory, or None."""
    return next((directory / name for name in names if (directory / name).is_file()), None)
