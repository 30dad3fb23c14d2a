"""Reading a table named on the command line, and reporting how its columns were read."""

import argparse
import re
import sys
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastmlp.cli.options import OPTIONS
from fastmlp.common.errors import printable
from fastmlp.common.files import user_path
from fastmlp.datasets import Dataset
from fastmlp.datasets.frame_file import FRAME_SUFFIXES, kind_of
from fastmlp.datasets.text_file import PACKED_SUFFIXES

__all__ = [
    "doubts_collected",
    "grouped",
    "is_table",
    "read_table",
    "require_no_table_options",
    "subject",
    "tell_doubts",
]

MAX_LINES = 20
MAX_WIDTH = 60


def is_table(name: str) -> bool:
    """Return whether an argument is a file: one that exists, or has the name of a table."""
    path = Path(name)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    return user_path(name).is_file() or (bool(suffixes) and suffixes[-1] in FRAME_SUFFIXES)


def require_no_table_options(arguments: argparse.Namespace) -> None:
    """Reject options that only apply to tables."""
    for option in OPTIONS:
        of_tables = option.goes in ("table", "learning")
        if of_tables and getattr(arguments, option.name, None) is not None:
            what = "names a column of a table" if option.name == "target" else "is for tables"
            raise ValueError(f"{option.flag} {what}; {arguments.dataset} has no columns")


def read_table(arguments: argparse.Namespace) -> Dataset:
    """Return the table; print how its columns were read to standard error."""
    from fastmlp import datasets

    if arguments.target is None:
        raise ValueError(f"--target is needed: which column of {arguments.dataset} to predict?")
    chosen = {
        option.library_name: getattr(arguments, option.name)
        for option in OPTIONS
        if option.goes == "table"
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    kind = kind_of(user_path(arguments.dataset))
    if kind != "CSV":
        raise ValueError(
            f"{arguments.dataset} is {kind}, and the plain network reads only CSV: leave out its "
            "options, such as --hidden and --epochs, or save the table as CSV"
        )
    with doubts_collected() as doubts:
        dataset = datasets.csv(arguments.dataset, **given)
    columns = dataset.columns_read
    for line in grouped([(printable(column.name), column.description) for column in columns]):
        print(line, file=sys.stderr)
    tell_doubts(doubts)
    return dataset


@contextmanager
def doubts_collected() -> Generator[list[str]]:
    """Collect what is doubtful about a table's columns, instead of warning of it."""
    doubts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield doubts
    doubts.extend(str(warning.message) for warning in caught)


def tell_doubts(doubts: Iterable[str]) -> None:
    """Print doubts to standard error, one line each."""
    for doubt in doubts:
        print(f"fastmlp: {printable(doubt)}", file=sys.stderr)


def subject(doubt: str) -> str:
    """Return the part of a doubt about new values that names the column."""
    found = re.match("the column '.*?'(?= (?:is|has|holds) )", doubt)
    return found[0] if found else doubt


def grouped(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return one line per column, or per kind of column if there are many."""
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
