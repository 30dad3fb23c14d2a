"""Writing a file whole or not at all."""

import os
import secrets
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it.

    Parameters
    ----------
    path : str or path
        Where to; an older file is replaced in one move once the new one is complete. A device or a
        pipe is written to.
    content : bytes
        All of the file.

    Raises
    ------
    OSError
        If it cannot be written (a full disk, no permission); an older file is then as it was, and
        no part of the new one stays behind.

    """
    target = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
    try:
        if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:  # name the file that was asked for, not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
