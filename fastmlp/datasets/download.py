"""Downloads to the cache folder, with pinned checksums, mirrors and one-sentence errors."""

import contextlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["RemoteFile", "download", "extract"]


@dataclass(frozen=True)
class RemoteFile:
    """A file's name, the SHA-256 of its official version, and its URLs."""

    name: str
    sha256: str
    urls: tuple[str, ...]


def download(files: Iterable[RemoteFile], folder: Path, what: str, instead: str) -> None:
    """Download the files to the folder, except those already there with the right checksum.

    Parameters
    ----------
    files : iterable of RemoteFile
        The URLs of each file are tried in turn until one delivers the right checksum. If standard
        error is a terminal, it shows a progress bar.
    folder : Path
        Created if needed. Each file appears in it complete or not at all.
    what, instead : str
        For the message: the dataset's name, and what the user can do without a network.

    Raises
    ------
    FileNotFoundError
        If a file could not be downloaded: no network, wrong checksum, full disk, or ``pooch`` is
        not installed (extra ``download``). The message gives the reason and ``instead``.

    """
    absent = [file for file in files if not _is_official(folder / file.name, file.sha256)]
    if not absent:
        return
    try:
        import pooch
    except ImportError:
        reason = "downloading needs the extra: pip install 'fastmlp[download]'"
        raise FileNotFoundError(_failure(what, folder, reason, instead)) from None
    pooch.get_logger().setLevel("WARNING")
    for file in absent:
        reasons = []
        for url in file.urls:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                pooch.retrieve(
                    url,
                    known_hash=f"sha256:{file.sha256}",
                    fname=file.name,
                    path=folder,
                    progressbar=sys.stderr.isatty(),
                )
                break
            except (OSError, ValueError) as error:
                reasons.append(_reason(error, url))
        else:
            message = _failure(what, folder, ", ".join(reasons), instead)
            raise FileNotFoundError(message) from None


def extract(archive: Path, members: tuple[str, ...], max_bytes: int) -> None:
    """Extract regular files from a gzipped tar archive to the archive's own folder.

    Parameters
    ----------
    archive : Path
        The archive. Other members are ignored, whatever they are.
    members : tuple of str
        Names of the members to extract, all in one folder: ``"folder/file"``. That folder appears
        complete or not at all.
    max_bytes : int
        Largest allowed size of a member.

    Raises
    ------
    ValueError
        If a member is missing, too large or not a regular file, or the archive is damaged.

    """
    import shutil
    import tarfile
    import tempfile
    import zlib

    target = archive.parent / members[0].split("/")[0]
    missing = set(members)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".unpacking-") as scratch:
        unpacked = Path(scratch, target.name)
        unpacked.mkdir()
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    if member.name not in missing:
                        continue
                    source = tar.extractfile(member) if member.isreg() else None
                    if source is None or member.size > max_bytes:
                        raise ValueError(
                            f"'{archive}' holds a '{member.name}' that is not a file of at most "
                            f"{max_bytes} bytes: remove the archive and get it again"
                        )
                    # We name the new file ourselves, so no member can choose where it goes.
                    with open(unpacked / member.name.split("/")[-1], "wb") as copy:
                        shutil.copyfileobj(source, copy)
                    missing.remove(member.name)
                    if not missing:
                        break
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ValueError(
                f"'{archive}' is damaged ({str(error).rstrip('.')}): remove it and get it again"
            ) from None
        if missing:
            raise ValueError(
                f"'{archive}' does not hold {', '.join(sorted(missing))}: remove it and get it "
                "again"
            )
        # Another process may have been faster; its folder is just as good.
        with contextlib.suppress(OSError):
            unpacked.rename(target)


def _is_official(path: Path, sha256: str) -> bool:
    import hashlib

    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _failure(what: str, folder: Path, reason: str, instead: str) -> str:
    return f"{what} is not in '{folder}' and could not be downloaded ({reason}): {instead}"


def _reason(error: OSError | ValueError, url: str) -> str:
    if isinstance(error, ValueError) and "hash" in str(error).lower():
        return f"the file from {urlsplit(url).hostname} has a wrong checksum"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__} at {urlsplit(url).hostname}"
