"""Files of compiled kernels: read only if nobody else could have written them.

Compiled code runs unchecked, so a file is used only if it belongs to this user or root. A folder
that the user has named for reading (``named``) may belong to anybody, as long as not everybody can
write there. A problem with a folder costs time, not results: work continues, and one warning says
what to do.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
import warnings
from pathlib import Path

__all__ = ["is_trusted", "is_writable", "read", "remove_old", "tell", "trouble", "write"]

ADVICE = "set FASTMLP_CACHE_DIR to a folder of your own"
_DAY = 86400.0  # seconds
_DAYS_KEPT = 30
_told: dict[str, str] = {}  # subject of a warning -> its text


def read(file: Path, named: bool = False) -> bytes | None:
    """Return the payload that `write` stored; None if it is missing, damaged or not trusted."""
    try:
        if not file.parent.exists() or not is_trusted(file.parent, named):
            return None
        with open(file, "rb") as stream:
            if _belongs_to_others(os.fstat(stream.fileno()), named):
                tell("folder", f"{file} could have been written by another user and is not used")
                return None
            content = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        tell(
            "folder",
            f"{file} cannot be read ({error.strerror}): give this user access, or {ADVICE}",
        )
        return None
    checksum, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != checksum:
        replaced = "" if named else " and the file replaced"
        tell("damage", f"{file} is damaged: its kernel is compiled again{replaced}")
        return None
    if not named:
        _mark_used(file.parent)
    return payload


def write(file: Path, payload: bytes) -> None:
    """Write compiled code atomically to a file."""
    temporary = file.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    try:
        _make(file.parent)
        if not is_trusted(file.parent):
            return
        try:
            with open(temporary, "xb", opener=_open_for_all_to_read) as stream:
                stream.write(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = "make room on the disk" if full else "let this user write there"
        tell(
            "folder",
            f"compiled kernels cannot be kept in {file.parent} ({error.strerror}), so every new "
            f"process spends ten seconds or more on compiling: {cure}, or {ADVICE}",
        )


def is_writable(folder: Path) -> bool:
    """Return whether compiled code can probably be kept in a folder; create it if need be."""
    try:
        _make(folder)
        return is_trusted(folder) and os.access(folder, os.W_OK | os.X_OK)
    except OSError:  # `write` will say why
        return False


def is_trusted(folder: Path, named: bool = False) -> bool:
    """Return whether only this user and root can write to the folder; if not, warn."""
    status, above = folder.stat(), folder.parent.stat()
    writers = _writers(named)
    if _belongs_to_others(status, named):
        culprit = folder
    elif os.name == "posix" and above.st_mode & writers and not above.st_mode & stat.S_ISVTX:
        culprit = folder.parent
    else:
        return True
    why = "can be written by others"
    cure = f"run chmod {'o' if named else 'go'}-w {culprit} if you trust what is in it"
    if culprit == folder and not status.st_mode & writers:
        why, cure = "belongs to another user", "delete it"
    advice = "" if named else f", or {ADVICE}"
    tell(
        "named" if named else "folder",
        f"the folder of compiled kernels {culprit} {why} and is not used, so every new process "
        f"spends ten seconds or more on compiling: {cure}{advice}",
    )
    return False


def tell(subject: str, text: str) -> None:
    """Warn about a subject, once per process."""
    if subject not in _told:
        _told[subject] = text
        warnings.warn(f"fastmlp: {text}", RuntimeWarning, stacklevel=2)


def trouble() -> str | None:
    """Return why kernels cannot be kept, None if no problem is known."""
    return _told.get("folder")


def remove_old(current: Path) -> None:
    """Remove folders of other versions that were unused for a month, and files of killed processes.

    A process that loses its folder only has to compile again.
    """
    try:
        for folder in current.parent.glob("kernels-*"):
            unused = time.time() - _last_use(folder) if _is_ours(folder) else 0.0
            if folder != current and unused > _DAYS_KEPT * _DAY:
                shutil.rmtree(folder, ignore_errors=True)
        for file in current.glob(f"{_TEMPORARY}*"):
            if time.time() - file.stat().st_mtime > _DAY:
                file.unlink()
    except OSError:  # another process was faster, or this one lacks permission
        pass


_TEMPORARY = ".incomplete-"


def _is_ours(folder: Path) -> bool:
    is_one = re.fullmatch("kernels-([a-z0-9]+-)?[0-9a-f]{16}", folder.name)
    return bool(is_one) and not folder.is_symlink() and not _belongs_to_others(folder.stat())


def _last_use(folder: Path) -> float:
    """Return when it was last marked, written to or, if the system records that, read."""
    statuses = [folder.stat(), *(file.stat() for file in folder.iterdir())]
    return max(max(status.st_mtime, status.st_atime) for status in statuses)


def _mark_used(folder: Path) -> None:
    """Mark the folder as used, so that no other version removes it as old."""
    try:
        if time.time() - folder.stat().st_mtime > _DAY:
            os.utime(folder)
    except OSError:  # another user's folder, which is read-only to us
        pass


def _belongs_to_others(status: os.stat_result, named: bool = False) -> bool:
    """Return whether anybody but this user and root, or whom the user trusts, could write it."""
    if os.name != "posix":
        return False
    is_foreign = not named and status.st_uid not in (0, os.geteuid())
    return is_foreign or bool(status.st_mode & _writers(named))


def _writers(named: bool) -> int:
    """Return the permissions that make a folder or file suspicious."""
    return stat.S_IWOTH if named else stat.S_IWOTH | stat.S_IWGRP


def _make(folder: Path) -> None:
    """Create a folder and its parents, readable by others as far as the umask allows."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o755, exist_ok=True)


def _open_for_all_to_read(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)
