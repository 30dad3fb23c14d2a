"""Atomic writing of files: all of a file or nothing."""

import errno
import os
import re
import stat
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fastmlp.common.errors import printable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["require_writable", "user_path", "write_parts", "write_whole"]

Buffer = bytes | memoryview

_TEMPORARY = ".fastmlp-incomplete-"  # not derived from the file's name, which may be of any length
_DAY = 86400.0  # seconds


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path that a user gave, with a leading ``~`` replaced by the home directory.

    Raises
    ------
    ValueError
        If it names the home directory of an unknown user.

    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        start = printable(Path(path).parts[0])
        raise ValueError(
            f"the home directory {start} of '{printable(path)}' is unknown: give the whole path"
        ) from None


def write_whole(path: str | os.PathLike[str], *content: Buffer) -> None:
    """Write a file atomically: nobody ever sees an incomplete one.

    Parameters
    ----------
    path : str or path
        Where to write. An existing file is replaced in one move once the new one is complete; its
        permissions are kept. A device, pipe or descriptor (``/dev/stdout``) is written to directly.
    *content : bytes or memoryview
        The whole content, in any number of parts.

    Raises
    ------
    OSError
        If the file cannot be written (full disk, no permission, write-protected file). An existing
        file is then unchanged, and nothing of the new one is left behind.

    """
    write_parts(path, content)


def write_parts(path: str | os.PathLike[str], content: Iterable[Buffer]) -> None:
    """Write a file atomically from parts that are made while it is written; see `write_whole`.

    If making a part raises an error, an existing file is unchanged too.
    """
    with _told_of(path):
        descriptor = _own_descriptor(path)
        if descriptor is not None:
            with os.fdopen(os.dup(descriptor), "wb") as stream:
                stream.writelines(content)
            return
        older = _status(path)
        if older is not None and not stat.S_ISREG(older.st_mode):  # a device or pipe
            with open(path, "wb") as stream:
                stream.writelines(content)
            return
        target = Path(os.path.realpath(path))  # keep a link, replace its target
        _require_permission(target, older)
        _remove_stale(target.parent)
        _replace(target, content, older)


def require_writable(path: str | os.PathLike[str]) -> None:
    """Check in advance, as far as possible, that `write_whole` will succeed.

    Raises
    ------
    OSError
        If it would fail: missing folder, no permission, write-protected file, a folder of that
        name, a name that is too long.

    """
    with _told_of(path):
        if _own_descriptor(path) is not None:
            return
        older = _status(path)
        if older is not None and stat.S_ISDIR(older.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder: give the name of a file")
        if older is not None and not stat.S_ISREG(older.st_mode):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        target = Path(os.path.realpath(path) if os.path.islink(path) else path)
        folder = target.parent
        if not folder.is_dir():
            why = f"the folder {folder} does not exist, create it first"
            raise FileNotFoundError(errno.ENOENT, why)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"the folder {folder} cannot be written to")
        _require_permission(target, older)


@contextmanager
def _told_of(path: str | os.PathLike[str]) -> Generator[None]:
    """Make errors name the requested file, not a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _status(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _own_descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return the descriptor if the path stands for an open file of this process, else None.

    Opening the path again would truncate a file that others write to, and fails for a socket.
    """
    for _ in range(40):  # the kernel's limit on links
        folder, name = os.path.split(os.fspath(path))
        if re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", os.path.realpath(folder)):
            return int(name) if name.isdecimal() else None
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def _require_permission(target: Path, older: os.stat_result | None) -> None:
    """Refuse to replace a write-protected file, even though the folder would allow it."""
    if older is None:
        return
    if not older.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):  # access() lets root
        raise PermissionError(
            errno.EACCES, "the file is write-protected: choose another name or make it writable"
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "this user may not write to the file")


def _replace(target: Path, content: Iterable[Buffer], older: os.stat_result | None) -> None:
    temporary, stream = _new_file(target.parent)
    try:
        with stream:
            if older is not None:
                _take_after(stream.fileno(), older)
            stream.writelines(content)
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is not None:  # while it is still locked
                os.replace(temporary, target)
        if fcntl is None:  # Windows cannot move an open file
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _synchronise(target.parent)


def _new_file(folder: Path) -> tuple[Path, BinaryIO]:
    """Create a file that stays locked while it is open, so that no process removes it as stale."""
    while True:
        temporary = folder / f"{_TEMPORARY}{os.urandom(8).hex()}"
        stream = open(temporary, "xb")  # noqa: SIM115 - the caller closes it
        locked = _lock(stream.fileno())
        if locked is None or (locked and os.fstat(stream.fileno()).st_nlink):
            return temporary, stream
        stream.close()  # another process removed it before it was locked


def _remove_stale(folder: Path) -> None:
    """Remove files left by killed processes; those of running ones are locked."""
    for file in folder.glob(f"{_TEMPORARY}*"):
        try:
            with open(file, "rb") as stream:
                locked = _lock(stream.fileno())
                dead = locked or (
                    locked is None and time.time() - os.fstat(stream.fileno()).st_mtime > _DAY
                )
                if dead and fcntl is not None:
                    file.unlink()
            if dead and fcntl is None:
                file.unlink()
        except OSError:  # another process removed it first, or it belongs to another user
            continue


def _lock(descriptor: int) -> bool | None:
    """Return whether the file could be locked, or None if the system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _take_after(descriptor: int, older: os.stat_result) -> None:
    """Copy the existing file's permissions and, if allowed, its owner to the new one."""
    if os.name != "posix":
        return
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (older.st_uid, older.st_gid):
        with suppress(OSError):  # only root may change the owner
            os.fchown(descriptor, older.st_uid, older.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(older.st_mode))


def _synchronise(folder: Path) -> None:
    """Make the new name survive a power failure, if the system supports that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # not supported here; the file itself is complete
        pass
    finally:
        os.close(descriptor)
