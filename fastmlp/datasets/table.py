"""Datasets from tables in text files, with a named column to predict."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastmlp.common.errors import argument, unknown
from fastmlp.common.files import user_path
from fastmlp.datasets.column import Column, ReadAs, Rules, listed
from fastmlp.datasets.columns import read_columns
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.encode import Encoded, encode
from fastmlp.datasets.encoding import codec_of
from fastmlp.datasets.frame_file import CELL_BYTES, name_of, require_polars
from fastmlp.datasets.limits import require_bytes
from fastmlp.datasets.records import Records, read_records
from fastmlp.datasets.splits import train_test_rows
from fastmlp.datasets.target import Target, read_target
from fastmlp.datasets.text_file import read_text_bytes

__all__ = ["TABLE_SUFFIXES", "csv", "require_known"]

TASKS = ("auto", "classification", "regression")
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")

BATCH_BYTES = 1 << 26
MAX_WARNINGS = 5
MAX_NAMES = 30


def csv(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: str = "auto",
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Read a CSV file and split it into training and test rows.

    ``columns_read`` of the result tells how each column was read, one line per column. Doubtful
    readings also cause a warning.

    - A column is *numeric* if nine in ten of its distinct texts are numbers. Its numbers are not
      scaled (standardise in the network); missing values and all other texts become the median of
      the training rows. Numbers may have a sign, an exponent, thousands separators (``1,234.5``),
      a currency, a percent sign (``1.5%`` is 0.015), parentheses (``(3)`` is -3) or a unit, the
      same in nearly all cells (``12 kg``); ``1.234,5`` is understood if the whole column uses that
      notation. Whole numbers that are too long to tell apart as numbers are categories.
    - Dates become seconds since 1970; a time and a time zone may follow them, in all cells or
      some. Months such as 2021-03 are dates too. Times such as 12:30 become seconds.
    - Any other column is *categorical* and is one-hot encoded: it becomes a column of 0 and 1 for
      each text in the training rows. If there are more than 100, the less frequent ones share a
      column. A text that occurs only in the test rows is 0 in all columns, or 1 in the shared one.
    - Columns are *left out* if they have no value, the same value in every row, a different text
      in nearly every row, or just number the rows: ``0, 1, 2, ...`` in any order, or distinct
      whole numbers under a name such as ``id``. Row numbers are used if there is no other column.

    In numeric columns, an empty cell, ``NA``, ``N/A``, ``n.a.``, ``NaN``, ``null``, ``none``,
    ``missing``, ``?``, ``-``, ``--``, ``.``, ``<NA>``, ``#N/A`` and other spreadsheet errors mean a
    missing value; upper and lower case are the same. In other columns, only an empty cell, ``?``,
    ``NaN``, ``n.a.``, ``<NA>``, ``#N/A`` and spreadsheet errors do; the rest are categories or
    classes. Whitespace around a value is ignored.

    Parameters
    ----------
    path : path
        A text file whose first line names the columns, plain or compressed by
        gzip, bzip2, xz or zstd.
    target : str
        Name of the column to predict. Rows in which it is missing are left out.
    task : {"auto", "classification", "regression"}, default "auto"
        "auto" means classification if the target holds texts, or whole numbers of at most 20
        distinct values that lie close together (and have five rows each on average, if there
        are more than two) or have five rows each; otherwise regression.
    categorical : sequence of str, optional
        Columns to read as categories: numbers that are codes, such as postcodes, or texts that
        differ in nearly every row and would be left out.
    numeric : sequence of str, optional
        Columns to read as numbers, with everything else in them as missing; also row numbers that
        would be left out.
    drop : sequence of str, optional
        Columns to leave out.
    missing : sequence of str, optional
        Additional texts that mean a missing value, in any column, in upper or lower case.
    delimiter : str, optional
        One character. Default: comma, semicolon, tab or vertical bar, detected from the first
        lines.
    encoding : str, optional
        Such as "latin-1" or "shift_jis". Default: a byte-order mark tells it (files that Excel
        saves as Unicode text have one); without one, UTF-8, or Windows-1252 and a warning if the
        file is not UTF-8.
    test_fraction : float, default 0.2
        Share of the rows held out for testing, chosen at random; stratified for classification.
    seed : int, default 0
        Seed of that choice.

    Returns
    -------
    Dataset
        Inputs, with their names in ``features``. Targets are ``int64`` indices into the sorted
        ``classes``, or numbers for regression. Inputs and numbers are ``float32``, or ``float64``
        if float32 would blur differences between them (times, large offsets).

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If polars is not installed.
    TypeError
        If ``categorical``, ``numeric``, ``drop`` or ``missing`` is a single string instead
        of a list.
    ValueError
        If the file is not such a table, a name is unknown, a number is infinite, there are too
        few rows, or the table would take more memory than ``FASTMLP_MAX_BYTES`` allows (by
        default, 1 GiB or 16 times the file's size, whichever is larger).

    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    lists = {"categorical": categorical, "numeric": numeric, "drop": drop, "missing": missing}
    for option, names in lists.items():
        listed(option, names)
    require_polars()
    if encoding is not None:
        codec_of(encoding)
    path = user_path(path)
    records = read_records(read_text_bytes(path, encoding), path, delimiter, target)
    require_known((target, *categorical, *numeric, *drop), records.header)
    if target in drop:
        raise ValueError(f"the target column '{target}' cannot be dropped")
    for name in categorical:
        if name in numeric:
            raise ValueError(f"the column '{name}' cannot be both categorical and numeric")
    rules = Rules(
        frozenset(categorical),
        frozenset(numeric),
        frozenset(text.strip().lower() for text in missing),
        european=records.layout.european,
    )
    file_size = path.stat().st_size
    answer, columns = _read(records, target, frozenset(drop), task, rules, file_size)
    del records
    labels = None if answer.classes is None else answer.y
    train, test = train_test_rows(len(answer.y), test_fraction, seed, labels)
    encoded = encode(columns, answer.rows[train], answer.rows[test], file_size)
    if not encoded.features:
        columns = _with_fallback(columns)
        encoded = encode(columns, answer.rows[train], answer.rows[test], file_size)
    _require_features(encoded, path, target)
    columns_read = (answer.read_as, *encoded.columns)
    _warn(columns_read)
    return Dataset(
        name=name_of(path),
        X_train=encoded.X_train,
        y_train=answer.y[train],
        X_test=encoded.X_test,
        y_test=answer.y[test],
        classes=answer.classes,
        features=encoded.features,
        columns_read=columns_read,
    )


def _read(
    records: Records, target: str, drop: frozenset[str], task: str, rules: Rules, file_size: int
) -> tuple[Target, list[Column]]:
    """Return the target and the other columns, read a few at a time to limit memory."""
    import polars as pl

    header = records.header
    places = [p for p, name in enumerate(header) if name != target and name not in drop]
    require_bytes(
        records.n_rows * len(places) * np.dtype(np.float32).itemsize,
        file_size,
        f"the table, {records.n_rows:,} rows of {len(places):,} columns,",
        f"leave columns out with {argument('drop')}",
    )
    at_once = max(1, max(BATCH_BYTES, 2 * records.n_bytes) // (CELL_BYTES * records.n_rows))
    cells = records.columns([header.index(target), *places[:at_once]])
    answer = read_target(target, cells.select(pl.nth(0)), task, rules)
    columns: list[Column] = []
    for start in range(0, len(places), at_once):
        batch = places[start : start + at_once]
        cells = records.columns(batch) if start else cells.select(pl.nth(range(1, cells.width)))
        columns.extend(read_columns([header[place] for place in batch], cells, rules))
    return answer, columns


def require_known(names: Sequence[str], header: Sequence[str]) -> None:
    """Raise ValueError if a name is not one of a table's columns."""
    known = set(header)
    for name in names:
        if name not in known:
            error = unknown("column", name, header)
            if len(header) > MAX_NAMES:
                shown = str(error).partition(" (known: ")[0].partition(": use one of ")[0]
                error = ValueError(f"{shown} (the file has {len(header):,} columns)")
            raise error


def _with_fallback(columns: Sequence[Column]) -> list[Column]:
    """Use row numbers and constants as inputs if there is nothing else."""
    return [
        replace(column, read_as=replace(column.read_as, kind="number", doubt=""))
        if column.fallback
        else column
        for column in columns
    ]


def _require_features(encoded: Encoded, path: Path, target: str) -> None:
    if encoded.features:
        return
    why = "; ".join(str(column) for column in encoded.columns[:3])
    more = ", ..." if len(encoded.columns) > 3 else ""
    told = f" ({why}{more})" if why else f": check {argument('drop')}"
    raise ValueError(f"'{path}' has no column with values besides the target '{target}'{told}")


def _warn(columns: Sequence[ReadAs]) -> None:
    doubtful = [column for column in columns if column.doubt]
    for column in doubtful[:MAX_WARNINGS]:
        warnings.warn(f"the column '{column.name}' {column.doubt}", UserWarning, stacklevel=3)
    if len(doubtful) > MAX_WARNINGS:
        warnings.warn(
            f"{len(doubtful) - MAX_WARNINGS} more columns are doubtful: see columns_read for how "
            "each was read",
            UserWarning,
            stacklevel=3,
        )
