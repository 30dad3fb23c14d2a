"""One search at a time in a folder."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fastmlp.common.errors import argument

__all__ = ["alone_in"]

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Hold the folder's lock while the block runs; the system releases it if the process dies.

    Raises
    ------
    ValueError
        If another search holds it.

    """
    descriptor = _open(folder)
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                raise ValueError(
                    f"another search is using the folder {folder}: wait until it has ended, or "
                    f"give another {argument('folder')}"
                ) from None
            # a file system without locks: two searches waste time, but lose no finished run
        yield
    finally:
        os.close(descriptor)


if os.name == "nt":
    import msvcrt

    def _open(folder: Path) -> int:
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined] - Windows

else:
    import fcntl

    def _open(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY)  # the folder itself, so that no file is left behind

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
