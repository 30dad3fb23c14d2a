"""Where results go: looked at before the work, written after it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastmlp.common.files import require_writable

__all__ = ["check_file", "check_folder", "write_file"]


def check_file(option: str, path: Path | None) -> None:
    """Refuse before the work a file that could not be written after it.

    Raises
    ------
    ValueError
        If its folder is not there or cannot be written to, or it is a folder itself.

    """
    if path is None:
        return
    try:
        require_writable(path)
    except OSError as error:
        raise ValueError(f"{option} {path}: {error.strerror}") from None


def check_folder(option: str, path: Path | None) -> None:
    """Refuse before the work a folder that cannot be made or written to.

    Raises
    ------
    ValueError
        If so.

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
    """Write a file; say so where it cannot be done, and return whether it was."""
    try:
        write(path)
    except OSError as error:
        reason = error.strerror or error
        print(f"fastmlp: {path} could not be written: {reason}", file=sys.stderr)
        return False
    return True
