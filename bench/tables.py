"""Real tables: the errors and times of fastmlp's methods for tables and of their peers.

``python -m bench tables`` fits each method to several splits of eleven tables, or with ``--tables
more`` of 26 others. All methods have the same rows for training, validation and testing. Every job
runs in a process of its own, and its results are saved at once. A run that was interrupted goes on
where it stopped.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import instructions, machine, table_report
from bench.children import CHECKOUT, SPINNING
from bench.progress import status
from bench.table_job import Job
from bench.table_methods import METHODS
from bench.table_suite import ALL_TABLES, MOST_ROWS, TABLES
from fastmlp.cli.destinations import check_file
from fastmlp.cli.parsing import Parser, number, whole_number
from fastmlp.engine.threads import available
from fastmlp.plots import require_format

__all__ = ["main"]

JOB = ("table", "split", "method", "n_threads", "most_rows", "level")
MOST_SECONDS = 7200.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the jobs that have no result yet and report all results; return 1 if a job failed."""
    options = parsed(argv)
    records = [record for file in options.results for record in recorded(file)]
    known = {key(record) for record in records if done(record)}
    todo = [job for job in jobs(options) if key(job) not in known]
    until = None if options.minutes is None else time.monotonic() + 60.0 * options.minutes
    own = recorded(options.results[0])
    failed = 0
    try:
        with status(len(todo)) as progress:
            for job in todo:
                progress.say(f"{job['table']}, split {job['split']}: {job['method']}")
                record = run(job)
                own = [r for r in own if key(r) != key(job)] + [record]
                keep(options.results[0], own)
                progress.advance()
                if "failed" in record:
                    failed = 1
                    print(f"{job['method']} on {job['table']}: {record['failed']}", file=sys.stderr)
                if until is not None and time.monotonic() > until and job is not todo[-1]:
                    print("the time is up: run it again to go on", file=sys.stderr)
                    break
    except KeyboardInterrupt:
        print("interrupted: run it again to go on", file=sys.stderr)
    published(options)
    return failed


def jobs(options: argparse.Namespace) -> list[Job]:
    """Return the jobs, all methods of a split after each other so that twins meet the same load."""
    return [
        {
            "table": table,
            "split": split,
            "method": method,
            "n_threads": options.n_threads,
            "most_rows": options.most_rows,
            "level": options.isa,
        }
        for split in range(options.splits)
        for table in options.tables
        for method in options.methods
    ]


def run(job: Job) -> dict[str, Any]:
    """Return the result of a job, or why it failed."""
    threads = str(job["n_threads"])
    variables = os.environ | instructions.environment(job["level"]) | SPINNING
    variables |= {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    try:
        found = subprocess.run(
            [sys.executable, "-m", "bench.table_job", json.dumps(job)],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            env={name: value for name, value in variables.items() if value is not None},
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {**job, "failed": f"not finished after {MOST_SECONDS:.0f} seconds"}
    if found.returncode:
        printed = found.stderr.strip().splitlines() or ["it printed nothing"]
        return {**job, "failed": f"exited with {found.returncode}: {printed[-1]}"}
    return json.loads(found.stdout)


def key(record: Job) -> tuple[Any, ...]:
    """Return what tells jobs apart."""
    return tuple(record[name] for name in JOB)


def done(record: dict[str, Any]) -> bool:
    """Tell whether a record has results; one that was skipped is tried again."""
    return record.get("skipped") is None and "failed" not in record


def recorded(file: Path) -> list[dict[str, Any]]:
    """Return the records in a file of results, none if there is no such file."""
    return json.loads(file.read_text())["records"] if file.exists() else []


def keep(file: Path, records: list[dict[str, Any]]) -> None:
    """Replace a file of results, so that it is whole at any time."""
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps({"machine": machine.describe(), "records": records}, indent=1))
    new.replace(file)


def published(options: argparse.Namespace) -> None:
    """Print the tables, and write and draw them if requested."""
    contents = [json.loads(file.read_text()) for file in options.results if file.exists()]
    records = {key(r): r for content in contents for r in content["records"]}
    if not records:
        return
    text = table_report.markdown(list(records.values()), contents[0]["machine"])
    if options.markdown:
        options.markdown.write_text(text)
    else:
        print(text)
    if options.plot:
        from bench.rank_picture import draw  # imported here since matplotlib is optional

        found = table_report.ranks(list(records.values()))
        if found is None:
            print("no picture of ranks: that takes two methods on two tables", file=sys.stderr)
        else:
            draw(found, options.plot)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(
        prog="python -m bench tables",
        description="Compare methods for tables: errors and seconds on real tables.",
    )
    option = parser.add_argument
    option("--results", type=Path, nargs="+", default=[Path("tables.json")], metavar="FILE",
           help="where results are kept and found again (default: tables.json); of several files "
           "the first is written, and all are reported")  # fmt: skip
    option("--tables", type=listed_tables, default=tuple(TABLES),
           help=f"comma-separated: {', '.join(ALL_TABLES)}; more for all but the first "
           f"{len(TABLES)}, which are the default")  # fmt: skip
    option("--methods", type=listed, default=tuple(METHODS),
           help=f"comma-separated: {', '.join(METHODS)} (default: all)")  # fmt: skip
    option("--splits", type=whole_number(0), default=5,
           help="splits of each table (default: 5); 0 only reports")  # fmt: skip
    option("--n-threads", type=whole_number(1), default=available(),
           help="threads of each method (default: all)")  # fmt: skip
    option("--most-rows", type=whole_number(10), default=MOST_ROWS,
           help=f"rows for training, at most (default: {MOST_ROWS})")  # fmt: skip
    option("--isa", choices=instructions.LEVELS, default="best", metavar="LEVEL",
           help="limit fastmlp, PyTorch and OpenBLAS to an instruction set: one of "
           f"{', '.join(instructions.LEVELS)} (default: best)")  # fmt: skip
    option("--minutes", type=number(above=True), help="begin no further job after that long")
    option("--markdown", type=Path, metavar="FILE", help="write the report instead of printing it")
    option("--plot", type=Path, metavar="FILE", help="plot the mean ranks (PNG, SVG or PDF)")
    options = parser.parse_args(argv)
    try:
        for name, files in (("results", options.results), ("markdown", [options.markdown]),
                            ("plot", [options.plot])):  # fmt: skip
            for file in files:
                check_file(f"--{name}", file)
        if options.plot:
            require_format(options.plot)
    except (ValueError, OSError) as problem:
        parser.error(str(problem))
    for what, chosen, known in (
        ("table", options.tables, ALL_TABLES),
        ("method", options.methods, METHODS),
    ):
        for name in chosen:
            if name not in known:
                parser.error(f"unknown {what} {name!r}: choose from {', '.join(known)}")
    return options


def listed_tables(text: str) -> tuple[str, ...]:
    """Return the names of tables in `text`, with those that ``more`` stands for."""
    names = {"more": tuple(name for name in ALL_TABLES if name not in TABLES)}
    return tuple(table for name in listed(text) for table in names.get(name, (name,)))


def listed(text: str) -> tuple[str, ...]:
    """Return the comma-separated names in `text`."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))
