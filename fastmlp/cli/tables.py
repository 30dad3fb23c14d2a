"""A table on the command line: its options, how it is read, and what is told about it."""

import argparse
import csv
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fastmlp.cli.parsing import name_of
from fastmlp.datasets import Dataset
from fastmlp.errors import called, printable

__all__ = ["add_table_options", "is_table", "read_table", "require_no_table_options"]

TASKS = ("auto", "classification", "regression")
OPTIONS = {
    name: f"--{name}"
    for name in ("target", "task", "delimiter", "drop", "categorical", "numeric", "missing")
}
SUFFIXES = (".csv", ".tsv", ".tab")
PACKED = (".gz", ".bz2", ".xz")
MAX_LINES = 20
MAX_WIDTH = 60


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a table is read."""
    add = parser.add_argument_group("tables").add_argument
    add("--target", metavar="COLUMN", help="the column to predict")
    add(
        "--task",
        type=name_of("task", TASKS),
        metavar="NAME",
        help="classification or regression; default: by the target's values",
    )
    add("--delimiter", type=_delimiter, metavar="CHAR", help="default: found out; tab for a tab")
    for name, what in (
        ("drop", "leave these columns out"),
        ("categorical", "read these columns as categories"),
        ("numeric", "read these columns as numbers"),
        ("missing", "texts that mean a missing value, besides NA, ?, ..."),
    ):
        add(f"--{name}", type=_names, action="extend", metavar="NAME,NAME", help=what)


def is_table(name: str) -> bool:
    """Whether an argument means a file: there is one, or it is named like a table."""
    path = Path(name)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return path.expanduser().is_file() or (bool(suffixes) and suffixes[-1] in SUFFIXES)


def require_no_table_options(arguments: argparse.Namespace) -> None:
    """Refuse options that only tables have."""
    for name, option in OPTIONS.items():
        if getattr(arguments, name) is not None:
            what = "names a column of a CSV file" if name == "target" else "is about CSV files"
            raise ValueError(f"{option} {what}; {arguments.dataset} has no columns")


def read_table(arguments: argparse.Namespace) -> Dataset:
    """Return the table; say on standard error how its columns were read."""
    from fastmlp import datasets

    if arguments.target is None:
        raise ValueError(f"--target is needed: which column of {arguments.dataset} to predict?")
    given = {name: getattr(arguments, name) for name in OPTIONS}
    with called(OPTIONS), warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always", UserWarning)
        dataset = datasets.csv(
            arguments.dataset, **{name: value for name, value in given.items() if value is not None}
        )
    columns = dataset.columns_read
    for line in _grouped([(printable(column.name), column.description) for column in columns]):
        print(line, file=sys.stderr)
    for doubt in doubts:
        print(f"fastmlp: {doubt.message}", file=sys.stderr)
    return dataset


def _grouped(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each column, or for each kind where they are many."""
    if len(columns) <= MAX_LINES:
        return [f"{name}: {description}" for name, description in columns]
    groups: dict[str, list[str]] = {}
    for name, description in columns:
        kind = description.partition(",")[0]
        groups.setdefault(kind, []).append(name)
    lines = []
    for kind, names in groups.items():
        shown = ", ".join(names)
        if len(shown) > MAX_WIDTH:
            shown = shown[:MAX_WIDTH].rpartition(", ")[0] or shown[:MAX_WIDTH]
            shown += ", ..."
        count = f" ({len(names):,} columns)" if len(names) > 1 else ""
        lines.append(f"{kind}{count}: {shown}")
    return lines


def _delimiter(text: str) -> str:
    found = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(found) != 1:
        raise argparse.ArgumentTypeError(
            f"expected one character, such as ; or |, or tab, got {text!r}"
        )
    return found


def _names(text: str) -> list[str]:
    """Parse names with commas between, in quotes where a name has a comma itself."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
