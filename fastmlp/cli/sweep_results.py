"""What every `fastmlp sweep` does before and after its runs."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from fastmlp import plots, sweep
from fastmlp.callbacks import Checkpoint
from fastmlp.cli.destinations import check_file, write_file
from fastmlp.cli.options import options_of
from fastmlp.cli.report import finite_only
from fastmlp.common.errors import printable

__all__ = ["NO_VALIDATION", "check_destinations", "checkpoint_every", "finish", "searched"]

NO_VALIDATION = "a sweep compares networks by their validation rows: give a --val-fraction above 0"


def searched(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters to search over, and values that all runs share.

    Raises
    ------
    ValueError
        If there is nothing to search.

    """
    names = [option.name for option in options_of("sweep") if option.search]
    given = {name: getattr(arguments, name) for name in names}
    given = {name: values for name, values in given.items() if values is not None}
    if not given:
        raise ValueError(
            "a sweep needs values to try: for example --lr 1e-3,2e-3 or, for a table, "
            "--ensemble 1,4"
        )
    single = {n: v[0] for n, v in given.items() if isinstance(v, list) and len(v) == 1}
    if len(single) == len(given):  # nothing to compare, but still a search with one run
        single = {}
    return {name: values for name, values in given.items() if name not in single}, single


def check_destinations(arguments: argparse.Namespace, parameters: dict[str, Any]) -> None:
    """Check before the runs that what was asked for can be written afterwards.

    Raises
    ------
    ValueError
        If it cannot.

    """
    for option in ("csv", "plot"):
        check_file(f"--{option}", getattr(arguments, option))
    if arguments.plot is not None:
        plots.require_format(arguments.plot)
        if len(parameters) < 2:
            raise ValueError("--plot draws a heat map, which needs two options with several values")


def checkpoint_every(arguments: argparse.Namespace) -> str | float | None:
    """Return how often unfinished runs are kept, checked; None: not at all."""
    every = arguments.checkpoint_every
    if every is not None:
        if arguments.out is None:
            raise ValueError("--checkpoint-every needs a folder to write to: give --out DIR")
        Checkpoint(arguments.out, every)  # checks it
    return every


def finish(
    result: sweep.Result, arguments: argparse.Namespace, report: dict[str, Any], told: Sequence[str]
) -> int:
    """Write the requested files, print the table and more lines, and return the exit code.

    Parameters
    ----------
    result : Result
    arguments : argparse.Namespace
    report : dict
        What ``--json`` prints, without the runs.
    told : sequence of str
        Lines about the best run.

    """
    written = _write(result, arguments, report["dataset"])
    print(result.table())
    if result.all_failed:
        print("fastmlp: every run failed, so there is no best network", file=sys.stderr)
    for line in told:
        print(line)
    if arguments.json:
        report |= {"best": None if result.all_failed else result.best, "runs": result.runs}
        print(json.dumps(finite_only(report), allow_nan=False), flush=True)
    return 1 if result.all_failed or not written else 0


def _write(result: sweep.Result, arguments: argparse.Namespace, name: str) -> bool:
    """Write the table and heat map to the requested paths; return whether all were written."""
    tables, pictures = [arguments.csv], [arguments.plot]
    if arguments.out is not None:
        tables.append(arguments.out / "results.csv")
        if len(result.parameters) > 1 and plots.is_available():
            pictures.append(arguments.out / "heat-map.png")
    written = [write_file(path, result.to_csv) for path in tables if path is not None]
    written += [
        write_file(path, lambda path: plots.save(result.heat_map(title=printable(name)), path))
        for path in pictures
        if path is not None
    ]
    return all(written)
