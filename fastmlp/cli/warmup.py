"""`fastmlp warmup`: compile and keep every kernel, for container images, shared folders and CI."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from fastmlp.cli.destinations import check_folder
from fastmlp.cli.parsing import name_of, names

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "warmup",
        help="compile the kernels ahead of time",
        description="Compile every kernel ahead of time, so that nothing is compiled later.",
        epilog="A folder made with --out serves every machine of its levels with the same versions "
        "of fastmlp, numba, numpy and Python: set FASTMLP_KERNELS to its path. It is "
        "only read.",
    )
    parser.add_argument(
        "--levels",
        type=_levels,
        metavar="LEVELS",
        help="instruction sets to compile for, separated by commas, or all (default: the one in "
        "use, see fastmlp info)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to put them (default: the kernel cache)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compile all kernels that plans can call; 1 if some cannot be compiled or kept."""
    from fastmlp.engine.warmup import warm_up
    from fastmlp.kernels.machine import cache, isa, jit

    levels = arguments.levels or [isa.current().name]
    check_folder("--out", arguments.out)
    own = jit.cache_folder()
    root = arguments.out or (own and own.parent)
    started, failed, folders = time.perf_counter(), 0, {}
    for level in levels:
        begun = time.perf_counter()
        n_failed = warm_up(level, root and root.absolute())
        failed += n_failed
        if root is not None and not n_failed:
            folders[level] = str(root.absolute() / jit.folder_name(level))
        if not arguments.json:
            print(f"{level:<8} {time.perf_counter() - begun:6.1f} s", flush=True)
    seconds = time.perf_counter() - started
    why = cache.trouble() or (f"{failed} kernels could not be compiled or kept" if failed else None)
    if arguments.json:
        report = {"seconds": seconds, "kernel_cache": None if why else str(root)}
        print(json.dumps(report | {"folders": folders}))
    elif not why:
        print(f"ready after {seconds:.1f} s, kept in {root}")
        if arguments.out is not None:
            print(f"set FASTMLP_KERNELS={root} where they are to be used")
    if why:
        print(f"fastmlp: not everything is ready: {why}", file=sys.stderr)
    return 1 if why else 0


def _levels(text: str) -> list[str]:
    """Parse the names of levels."""
    from fastmlp.kernels.machine import isa

    known = isa.levels_here()
    given = [name_of("level", [*known, "all"])(name) for name in names(text)]
    return list(known) if "all" in given else list(dict.fromkeys(given))
