"""Checks that there is enough memory, made before it is allocated."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["TooLargeError", "available_bytes", "bytes_text", "is_small", "require"]

_SMALL = 64 << 20  # bytes; less is not worth checking


class TooLargeError(ValueError, MemoryError):
    """Raised if something needs more memory than is available."""


def is_small(n_bytes: int) -> bool:
    """Return whether so little memory is not worth checking, nor describing what needs it."""
    return n_bytes < _SMALL


def require(n_bytes: int, what: str, advice: str) -> None:
    """Raise an error unless this much memory is available.

    Parameters
    ----------
    n_bytes : int
        Estimate of the memory to be allocated, beyond what is in use already.
    what : str
        What needs the memory; the subject of the message.
    advice : str
        What the user can do instead.

    Raises
    ------
    TooLargeError
        If there is too little; both a ValueError and a MemoryError.

    """
    if is_small(n_bytes):
        return
    free = available_bytes()
    if free is not None and n_bytes > free:
        raise TooLargeError(
            f"{what} needs about {bytes_text(n_bytes)} of memory and {bytes_text(free)} are "
            f"free: {advice}"
        )


def available_bytes() -> int | None:
    """Return how much more memory this process can allocate, or None if that is unknown.

    This is the smallest of the system's free memory (swap included), the room left in the
    process's control groups, and the room left in its address space limit.
    """
    bounds = [*_system(), *_control_groups(), *_address_space()]
    return max(0, min(bounds)) if bounds else None


def bytes_text(n_bytes: float) -> str:
    """Return a size in a suitable unit, such as 1.5 GB."""
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
    except (OSError, ValueError, KeyError):  # not Linux: use the installed memory instead
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _control_groups() -> Iterator[int]:
    """Yield the room left in each control group, from this process's own up to the root."""
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
                yield left + int(stat.get(cache, 0))  # page cache can be reclaimed
            except (OSError, ValueError):  # no limit here, or not readable
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
