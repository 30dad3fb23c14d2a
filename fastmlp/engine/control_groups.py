"""The CPU quota that control groups (containers, systemd) set for this process."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

__all__ = ["cpu_quota"]


@cache
def cpu_quota(root: str | os.PathLike[str] = "/") -> int | None:
    """Return this process's quota in processors, rounded up; None if it has none.

    The result is the smallest quota of its control group and all parent groups. Both cgroup v1 and
    v2 are supported.

    Parameters
    ----------
    root : path, default "/"
        The folder that contains ``proc`` and ``sys``.

    """
    quotas = [share for folder in _groups(Path(root)) if (share := _quota(folder)) is not None]
    return max(1, math.ceil(min(quotas))) if quotas else None


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups, from the innermost to the outermost."""
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            hierarchies = [mounted, mounted / "unified"]
        elif "cpu" in controllers.split(","):
            hierarchies = [mounted / controllers, mounted / "cpu"]
        else:
            continue
        own = PurePosixPath(*[part for part in path.split("/") if part not in ("", "..")])
        for hierarchy in hierarchies:
            yield from (hierarchy / group for group in (own, *own.parents))


def _quota(folder: Path) -> float | None:
    """Return the quota of one group in processors, None if it has none."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return None
    return share if share > 0 else None  # in version 1, -1 means none
