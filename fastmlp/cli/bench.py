"""`fastmlp bench`: compare fastmlp with its peers, from a checkout."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import fastmlp

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "bench",
        help="time fastmlp and other libraries on the same work (from a checkout)",
        add_help=False,
        prefix_chars="\0",  # no argument starts with it, so all of them reach the benchmark
    )
    parser.add_argument("rest", nargs="*")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pass the options to the benchmark's own command line."""
    return _side_by_side().main(arguments.rest) or 0


def _side_by_side() -> Any:
    """Import ``bench.side_by_side`` from the working directory or the package's parent folder."""
    for root in (Path.cwd(), Path(fastmlp.__file__).parents[1]):
        if (root / "bench" / "side_by_side.py").is_file():
            sys.path.append(str(root))
            return import_module("bench.side_by_side")
    raise ValueError(
        "the benchmarks are not part of the installed package: run this command in a checkout of "
        'the sources, after pip install ".[bench]"'
    )
