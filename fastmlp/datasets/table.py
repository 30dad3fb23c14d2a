"""A table in a text file, with a named column to predict, as a dataset."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastmlp.datasets.columns import Column, ReadAs, Rules, read_columns
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.encode import Encoded, encode
from fastmlp.datasets.limits import require_bytes
from fastmlp.datasets.records import Records, read_records
from fastmlp.datasets.splits import train_test_rows
from fastmlp.datasets.target import Target, read_target
from fastmlp.datasets.text_file import PACKED_SUFFIXES, read_text_bytes
from fastmlp.errors import argument, unknown

__all__ = ["TABLE_SUFFIXES", "csv"]

TASKS = ("auto", "classification", "regression")
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")

CELL_BYTES = 16
"""What polars needs for a short text."""

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
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Return a CSV file as training and test rows.

    How each column was read stands in ``columns_read`` of the result, a line for each; what is
    doubtful is told as a warning.

    - A column is *numeric* if nine tenths of its different texts are numbers, and then stays as
      it is (standardise in the network); missing values become the median of the training rows,
      and so do the other texts. Numbers may have a sign, an exponent, thousands separators
      (``1,234.5``), a currency, a percent sign (``1.5%`` is 0.015) or parentheses (``(3)`` is
      -3); ``1.234,5`` is understood where the whole column is written so.
    - Dates, with or without times, become seconds since 1970; times like 12:30 become seconds.
    - Any other column is *categorical* and becomes one column of 0 and 1 for every text that the
      training rows hold. Of more than 100 the less frequent share one. A text that only the test
      rows hold is 0 in all of them, or in the shared one.
    - Columns are *left out* if they have no value, the same value in every row, another text in
      nearly every row, or only number the rows: ``0, 1, 2, ...`` in any order, or different whole
      numbers under a name such as ``id``. Row numbers are used where there is no other column.

    Among numbers, an empty cell, ``NA``, ``N/A``, ``n.a.``, ``NaN``, ``null``, ``none``,
    ``missing``, ``?``, ``-``, ``--``, ``.``, ``<NA>``, ``#N/A`` and other errors of spreadsheets
    mean a missing value, in any case. Among texts, only an empty cell, ``?``, ``NaN``, ``n.a.``,
    ``<NA>``, ``#N/A`` and errors do; the others are categories or classes. Blanks around a value
    do not count.

    Parameters
    ----------
    path : path
        A UTF-8 file whose first line names the columns; it may be packed by gzip, bzip2 or xz.
    target : str
        The name of the column to predict. Rows without it are left out.
    task : {"auto", "classification", "regression"}, default "auto"
        "auto" means classification if the target holds texts, or whole numbers with at most 20
        different values that lie close together (and have five rows each on average, if there
        are more than two) or are in five rows each; otherwise regression.
    categorical : sequence of str, optional
        Columns of numbers that are names: postcodes, codes. Also columns of texts to be used
        although nearly every row has another.
    numeric : sequence of str, optional
        Columns of numbers whatever else they hold, which then counts as missing; also row
        numbers that are to be used.
    drop : sequence of str, optional
        Columns to leave out.
    missing : sequence of str, optional
        More texts that mean a missing value, in any column and any case.
    delimiter : str, optional
        One character; by default comma, semicolon, tab or bar, found out from the first lines.
    test_fraction : float, default 0.2
        Share of the rows kept for the test: drawn at random, for classification class by class.
    seed : int, default 0
        The same seed gives the same test rows.

    Returns
    -------
    Dataset
        Inputs with their names in ``features``; ``int64`` labels in the sorted order of
        ``classes``, or values for regression. Inputs and values are ``float32``, or ``float64``
        where float32 would lose what sets them apart: times, large offsets.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If polars is not installed.
    TypeError
        If ``categorical``, ``numeric``, ``drop`` or ``missing`` is a single text instead of a
        list.
    ValueError
        If the file is no such table, a name is unknown, a number is infinite, there are too few
        rows, or the table would take more memory than ``FASTMLP_MAX_BYTES`` allows (by default
        1 GiB or 16 times the file's size, whichever is larger).

    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    lists = {"categorical": categorical, "numeric": numeric, "drop": drop, "missing": missing}
    for option, names in lists.items():
        if isinstance(names, str):
            kind = "texts" if option == "missing" else "column names"
            raise TypeError(f"{option} must be a list of {kind}: write [{names!r}]")
    _require_polars()
    path = Path(path).expanduser()
    records = read_records(read_text_bytes(path), path, delimiter, target)
    _require_known((target, *categorical, *numeric, *drop), records.header)
    if target in drop:
        raise ValueError(f"the target column '{target}' cannot be dropped")
    for name in categorical:
        if name in numeric:
            raise ValueError(f"the column '{name}' cannot be both categorical and numeric")
    rules = Rules(
        frozenset(categorical),
        frozenset(numeric),
        frozenset(text.strip().lower() for text in missing),
        european=records.delimiter != ",",
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
        name=_name_of(path),
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
    """Return the target and the other columns, read some at a time to bound the memory."""
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


def _require_polars() -> None:
    try:
        import polars  # noqa: F401
    except ImportError:
        raise ImportError(
            'tables are read with polars, which is not installed: pip install "fastmlp[tables]"'
        ) from None


def _require_known(names: Sequence[str], header: Sequence[str]) -> None:
    known = set(header)
    for name in names:
        if name not in known:
            error = unknown("column", name, header)
            if len(header) > MAX_NAMES:
                shown = str(error).partition(" (known: ")[0].partition(": use one of ")[0]
                error = ValueError(f"{shown} (the file has {len(header):,} columns)")
            raise error


def _with_fallback(columns: Sequence[Column]) -> list[Column]:
    """Take row numbers and constants for inputs, where there is nothing else to take."""
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
            f"{len(doubtful) - MAX_WARNINGS} more columns are doubtful: columns_read tells how "
            "each was read",
            UserWarning,
            stacklevel=3,
        )


def _name_of(path: Path) -> str:
    packed = path.suffix.lower() in PACKED_SUFFIXES
    return Path(path.stem).stem if packed else path.stem
