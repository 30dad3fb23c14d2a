"""Whether there is memory for something, asked before it is taken."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["TooLargeError", "available_bytes", "bytes_text", "require"]

_SMALL = 64 << 20  # not worth asking about


class TooLargeError(ValueError, MemoryError):
    """More memory is needed than there is."""


def require(n_bytes: int, what: str, advice: str) -> None:
    """Raise a sentence if there is not that much memory.

    Parameters
    ----------
    n_bytes : int
        An estimate of what will be taken on top of what is in use.
    what : str
        What needs it, the subject of the sentence.
    advice : str
        What to do instead.

    Raises
    ------
    TooLargeError
        A ValueError and a MemoryError.

    """
    if n_bytes < _SMALL:
        return
    free = available_bytes()
    if free is not None and n_bytes > free:
        raise TooLargeError(
            f"{what} needs about {bytes_text(n_bytes)} of memory and {bytes_text(free)} are "
            f"free: {advice}"
        )


def available_bytes() -> int | None:
    """Return how much more memory this process can have, None where that cannot be found out.

    The least of what the system has free (swap included), what its control groups leave, and its
    own limit of address space.
    """
    bounds = [*_system(), *_control_groups(), *_address_space()]
    return max(0, min(bounds)) if bounds else None


def bytes_text(n_bytes: float) -> str:
    """Return a size in the unit that suits it: 1.5 GB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if n_bytes < 999.5 or unit == "PB":
            break
        n_bytes /= 1000
    return f"{n_bytes:,.3g} {unit}" if n_bytes < 999.5 else f"{n_bytes:,.0f} {unit}"


def _system() -> Iterator[int]:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = dict(line.split(":") for line in lines)
        yield sum(int(found[name].split()[0]) for name in ("MemAvailable", "SwapFree")) * 1024
    except (OSError, ValueError, KeyError):  # no Linux: all there is, for want of better
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _control_groups() -> Iterator[int]:
    """Yield what is left of each limit, from this process's group to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:
            root, limit, usage, cache = "", "memory.max", "memory.current", "inactive_file"
        elif "memory" in kinds.split(","):
            root, limit, usage = "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        top = Path("/sys/fs/cgroup") / root
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == top.parent:
                break
            try:
                left = int((folder / limit).read_text()) - int((folder / usage).read_text())
                stat = dict(n.split() for n in (folder / "memory.stat").read_text().splitlines())
                yield left + int(stat.get(cache, 0))  # files that are given up when need be
            except (OSError, ValueError):  # no limit here, or not for us to see
                continue


def _address_space() -> Iterator[int]:
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            yield limit - pages * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):  # Windows, macOS
        return
