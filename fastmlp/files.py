"""Writing a file whole or not at all."""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["require_writable", "write_whole"]

_TEMPORARY = ".fastmlp-incomplete-"  # short: the name of the file itself may be as long as can be
_DAY = 86400.0  # seconds


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it.

    Parameters
    ----------
    path : str or path
        Where to; an older file is replaced in one move once the new one is complete, which keeps
        its permissions. A device, a pipe or a descriptor (``/dev/stdout``) is written to.
    content : bytes
        All of the file.

    Raises
    ------
    OSError
        If it cannot be written (a full disk, no permission, a file that is write-protected); an
        older file is then as it was, and no part of the new one stays behind.

    """
    with _told_of(path):
        descriptor = _own_descriptor(path)
        if descriptor is not None:
            with os.fdopen(os.dup(descriptor), "wb") as stream:
                stream.write(content)
            return
        older = _status(path)
        if older is not None and not stat.S_ISREG(older.st_mode):  # it cannot be replaced
            Path(path).write_bytes(content)
            return
        target = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
        _require_permission(target, older)
        _remove_stale(target.parent)
        _replace(target, content, older)


def require_writable(path: str | os.PathLike[str]) -> None:
    """Find out beforehand, as far as possible, whether `write_whole` will be able to write.

    Raises
    ------
    OSError
        If it will not: no such folder, no permission, a file that is write-protected, a folder in
        the file's place, a name that is too long.

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
def _told_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors name the file that was asked for, not a temporary one."""
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
    """Return the number of the open file of this process that a path stands for, if it does.

    Opening it anew would empty a file that others write to, and cannot be done with a socket.
    """
    for _ in range(40):  # links, as the kernel counts them
        folder, name = os.path.split(os.fspath(path))
        if re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", os.path.realpath(folder)):
            return int(name) if name.isdecimal() else None
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def _require_permission(target: Path, older: os.stat_result | None) -> None:
    """Refuse to replace what its owner has protected, although the folder would allow it."""
    if older is None:
        return
    if not older.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):  # root asks nobody else
        raise PermissionError(
            errno.EACCES, "the file is write-protected: choose another name or make it writable"
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "this user may not write to the file")


def _replace(target: Path, content: bytes, older: os.stat_result | None) -> None:
    temporary, stream = _new_file(target.parent)
    try:
        with stream:
            if older is not None:
                _take_after(stream.fileno(), older)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is not None:  # still locked
                os.replace(temporary, target)
        if fcntl is None:  # Windows moves no file that is open
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _synchronise(target.parent)


def _new_file(folder: Path) -> tuple[Path, BinaryIO]:
    """Make a file that is locked as long as it is open, so that nobody takes it for a stale one."""
    while True:
        temporary = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        stream = open(temporary, "xb")  # noqa: SIM115 - its reader closes it
        locked = _lock(stream.fileno())
        if locked is None or (locked and os.fstat(stream.fileno()).st_nlink):
            return temporary, stream
        stream.close()  # taken for a stale one before it was locked


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes left: a living one has its file locked."""
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
        except OSError:  # another process was quicker, or it is another user's
            continue


def _lock(descriptor: int) -> bool | None:
    """Return whether the file could be locked; None where the system has no locks."""
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
    """Give a new file the owner, if that is allowed, and the permissions of the older one."""
    if os.name != "posix":
        return
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (older.st_uid, older.st_gid):
        with suppress(OSError):  # only root gives files away
            os.fchown(descriptor, older.st_uid, older.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(older.st_mode))


def _synchronise(folder: Path) -> None:
    """Make the new name outlive a power failure, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # a file system without it; the file itself is complete
        pass
    finally:
        os.close(descriptor)
