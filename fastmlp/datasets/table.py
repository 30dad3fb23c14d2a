"""A CSV file with a named target column as a dataset."""

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from csv import Error as CSVError
from csv import reader
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from fastmlp.datasets.columns import MAX_CATEGORIES, Column, encode
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.splits import train_test_rows
from fastmlp.errors import unknown

__all__ = ["csv"]

MAX_NUMBER_CLASSES = 20
"""Whole numbers with at most so many different values are taken for classes, not for amounts."""

ROWS_AT_ONCE = 8192
MAX_LINE = 1 << 24
MAX_EXPANDED, MAX_RATIO = 1 << 30, 200
TASKS = ("auto", "classification", "regression")


def csv(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: str = "auto",
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    delimiter: str = ",",
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Return a CSV file as training and test rows.

    A column whose values are all numbers or missing is numeric and stays as it is (standardise in
    the network); missing values become the median of the training rows. Any other column is
    categorical and becomes one column of 0 and 1 for every text that the training rows hold,
    missing values counting as a text of their own; a text that only the test rows hold is 0 in
    all of them. Columns without any value are left out. Missing is what is empty or says NA, N/A,
    NaN, null, none or ?, in any case. Blanks around a value do not count.

    Parameters
    ----------
    path : path
        A UTF-8 file whose first line names the columns; gzipped if its name ends in ``.gz``.
    target : str
        The name of the column to predict. A row without it is an error.
    task : {"auto", "classification", "regression"}, default "auto"
        "auto" means classification if the target holds texts, or whole numbers with at most 20
        different values; otherwise regression.
    categorical : sequence of str, optional
        Columns of numbers that are names: postcodes, codes.
    drop : sequence of str, optional
        Columns to leave out.
    delimiter : str, default ","
        One character.
    test_fraction : float, default 0.2
        Share of the rows kept for the test: drawn at random, for classification class by class.
    seed : int, default 0
        The same seed gives the same test rows.

    Returns
    -------
    Dataset
        ``float32`` inputs with their names in ``features``; ``int64`` labels in the sorted order
        of ``classes``, or ``float32`` targets for regression.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If ``categorical`` or ``drop`` is a single name instead of a list.
    ValueError
        If the file is no such table, a name is unknown, a number is infinite, a text column has
        more than 1,000 different values, or there are too few rows.

    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    for option, names in (("categorical", categorical), ("drop", drop)):
        if isinstance(names, str):
            raise TypeError(f"{option} must be a list of column names: write [{names!r}]")
    table = _Table(Path(path).expanduser(), delimiter)
    for name in (target, *categorical, *drop):
        if name not in table.header:
            raise unknown("column", name, table.header)
    if target in drop:
        raise ValueError(f"the target column '{target}' cannot be dropped")
    columns = [_column(name, target, categorical, drop) for name in table.header]
    for texts in table.pieces():
        for column, part in zip(columns, texts, strict=True):
            if column is not None:
                column.observe(part)
    for texts in table.pieces():
        for column, part in zip(columns, texts, strict=True):
            if column is not None:
                column.append(part)
    kept = [column for column in columns if column is not None]
    answer = kept.pop([column.name for column in kept].index(target))
    y, classes = _targets(answer, task)
    train, test = train_test_rows(len(y), test_fraction, seed, None if classes is None else y)
    X_train, X_test, features = encode(kept, train, test)
    if not features:
        raise ValueError(f"'{path}' has no column with values besides the target '{target}'")
    return Dataset(
        name=Path(table.path.name.removesuffix(".gz")).stem,
        X_train=X_train,
        y_train=y[train],
        X_test=X_test,
        y_test=y[test],
        classes=classes,
        features=features,
    )


class _Table:
    """The file, checked as it is read."""

    def __init__(self, path: Path, delimiter: str) -> None:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            raise FileNotFoundError(f"the table '{path}' {problem}")
        self.path = path
        self._delimiter = delimiter
        self.header = [name.strip() for name in next(self._rows(), [])]
        if len(self.header) < 2:
            raise ValueError(
                f"the first line of '{path}' names {len(self.header)} columns where at least two "
                f"are expected: check that the columns are separated by {delimiter!r}"
            )
        twice = next((name for name in self.header if self.header.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two columns of '{path}' are named '{twice}': rename one")

    def pieces(self) -> Iterator[list[tuple[str, ...]]]:
        """Yield the columns of some thousand rows at a time."""
        rows = islice(self._rows(), 1, None)
        n_rows = 0
        while piece := list(islice(rows, ROWS_AT_ONCE)):
            n_rows += len(piece)
            yield list(zip(*piece, strict=True))
        if n_rows == 0:
            raise ValueError(f"'{self.path}' has a header but no rows")

    def _rows(self) -> Iterator[list[str]]:
        n_columns = None
        open_text = gzip.open if self.path.suffix == ".gz" else open
        with open_text(self.path, "rt", encoding="utf-8-sig", newline="") as file:
            lines = reader(self._lines(cast(TextIO, file)), delimiter=self._delimiter)
            try:
                for row in lines:
                    if not row:
                        continue
                    n_columns = n_columns or len(row)
                    if len(row) != n_columns:
                        raise ValueError(
                            f"line {lines.line_num} of '{self.path}' has {len(row)} values where "
                            f"the header names {n_columns} columns"
                        )
                    yield row
            except UnicodeDecodeError:
                raise ValueError(
                    f"'{self.path}' is not UTF-8 text after line {lines.line_num}: save it as UTF-8"
                ) from None
            except (CSVError, EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ValueError(
                    f"line {lines.line_num} of '{self.path}' cannot be read ({error})"
                ) from None

    def _lines(self, file: TextIO) -> Iterator[str]:
        """Yield lines, none so long and not so many that a small gzip file fills the memory."""
        n_left = max(MAX_EXPANDED, MAX_RATIO * self.path.stat().st_size)
        while line := file.readline(MAX_LINE):
            n_left -= len(line)
            if len(line) == MAX_LINE:
                raise ValueError(f"'{self.path}' has a line of more than {MAX_LINE} characters")
            if n_left < 0:
                raise ValueError(
                    f"'{self.path}' expands to {MAX_RATIO} times its size and more: unpack it first"
                )
            yield line


def _column(
    name: str, target: str, categorical: Sequence[str], drop: Sequence[str]
) -> Column | None:
    if name in drop:
        return None
    # In float64, large whole numbers that differ stay different classes.
    dtype = np.float64 if name == target else np.float32
    return Column(name, numeric=name not in categorical, dtype=dtype)


def _targets(column: Column, task: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return labels and class names, or float32 targets and None."""
    values = column.values()
    missing = np.isnan(values) if column.numeric else values == column.known_codes().get("", -2)
    if missing.any():
        raise ValueError(
            f"the target column '{column.name}' has no value in data row "
            f"{missing.argmax() + 1}: fill it in or remove the row"
        )
    if not column.numeric:
        if task == "regression":
            raise ValueError(
                f"the target column '{column.name}' holds texts, which regression cannot predict"
            )
        return _labels_of_texts(values, column.known_codes())
    whole = bool((values == np.floor(values)).all())
    if task == "regression" or (task == "auto" and not whole):
        return _as_float32(values, column.name), None
    numbers, labels = np.unique(values, return_inverse=True)
    if task == "auto" and len(numbers) > MAX_NUMBER_CLASSES:
        return _as_float32(values, column.name), None
    if len(numbers) > MAX_CATEGORIES:
        raise ValueError(
            f"the target column '{column.name}' holds {len(numbers)} different numbers, too many "
            "for classes: use task='regression'"
        )
    names = (str(int(number)) if whole else repr(float(number)) for number in numbers)
    return labels.astype(np.int64), tuple(names)


def _labels_of_texts(
    codes: np.ndarray, known: dict[str, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    names = sorted(known)
    label_of_code = np.empty(len(known), np.int64)
    label_of_code[[known[name] for name in names]] = np.arange(len(names))
    return label_of_code[codes], tuple(names)


def _as_float32(values: np.ndarray, name: str) -> np.ndarray:
    if np.abs(values).max() > np.finfo(np.float32).max:
        raise ValueError(f"the target column '{name}' holds numbers beyond the range of float32")
    return values.astype(np.float32)
