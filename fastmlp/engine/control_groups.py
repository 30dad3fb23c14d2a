"""How much processor time the control groups of this process allow (containers, systemd)."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

__all__ = ["cpu_quota"]


@cache
def cpu_quota(root: str | os.PathLike[str] = "/") -> int | None:
    """Return how many processors' time this process may use, rounded up; None if any amount.

    The smallest quota of its own control group and of all around it counts, in version 1 and 2.

    Parameters
    ----------
    root : path, default "/"
        Where ``proc`` and ``sys`` are.

    """
    quotas = [share for folder in _groups(Path(root)) if (share := _quota(folder)) is not None]
    return max(1, math.ceil(min(quotas))) if quotas else None


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups, from its own to the outermost."""
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
    return share if share > 0 else None  # version 1 says -1 for none
