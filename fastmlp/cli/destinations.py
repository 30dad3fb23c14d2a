"""Output files and folders: checked before the work, written after it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastmlp.common.files import require_writable

__all__ = ["check_file", "check_folder", "write_file"]


def check_file(option: str, path: Path | None) -> None:
    """Check before the work that a file can be written afterwards.

    Raises
    ------
    ValueError
        If its folder is missing or not writable, or the path is itself a folder.

    """
    if path is None:
        return
    try:
        require_writable(path)
    except OSError as error:
        raise ValueError(f"{option} {path}: {error.strerror}") from None


def check_folder(option: str, path: Path | None) -> None:
    """Create a folder if it does not exist, and check that files can be written to it.

    Raises
    ------
    ValueError
        If it cannot be created or written to, or is a file.

    """
    if path is None:
        return
    if not path.exists():
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise ValueError(f"{option} {path} cannot be created: {error.strerror}") from None
    if not path.is_dir():
        raise ValueError(f"{option} {path} is a file: give the name of a folder")
    if not os.access(path, os.W_OK):
        raise ValueError(f"{option} {path}: the folder cannot be written to")


def write_file(path: Path, write: Callable[[Path], Any]) -> bool:
    """Write a file and return whether it worked; if not, print the reason to standard error."""
    try:
        write(path)
    except OSError as error:
        reason = error.strerror or error
        print(f"fastmlp: {path} could not be written: {reason}", file=sys.stderr)
        return False
    return True
