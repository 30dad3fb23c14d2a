"""The training and test rows of a table named on the command line, encoded."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.cli.tables import doubts_collected, grouped, subject, tell_doubts
from fastmlp.common.errors import printable
from fastmlp.common.files import user_path
from fastmlp.datasets.column import ReadAs, Rules
from fastmlp.datasets.frame_file import FrameFile, read_frame_file
from fastmlp.datasets.limits import require_bytes
from fastmlp.datasets.splits import train_test_rows
from fastmlp.datasets.table import require_known
from fastmlp.datasets.target import Target, read_target
from fastmlp.datasets.wording import short
from fastmlp.tabular import TableEncoder
from fastmlp.tabular.rows import Rows

__all__ = [
    "TableTask",
    "baseline_name",
    "labels_of",
    "load_table_task",
    "require_columns",
    "texts_of_target",
]

_TEST_SHARE = 0.2
_BYTES_AN_INPUT = 24
"""Of memory, for each input of a network in each row, while inputs are prepared."""


@dataclass(frozen=True, eq=False)
class TableTask:
    """What to learn, and the rows to learn from.

    Attributes
    ----------
    name : str
        Of the file.
    target : str
        Of the column.
    encoder : TableEncoder
    train, test : Rows
    classes : tuple of str, or None
        The names of the labels; None for numbers.
    n_left_out : int
        Rows without a target.
    doubts : tuple of str
        What may have been misread, one sentence each.

    """

    name: str
    target: str
    encoder: TableEncoder
    train: Rows
    test: Rows
    classes: tuple[str, ...] | None
    n_left_out: int
    doubts: tuple[str, ...]

    def describe(self) -> str:
        """Return one line about the rows and columns."""
        task = "regression" if self.classes is None else f"{len(self.classes)} classes"
        return (
            f"{self.name}: {len(self.train):,} training and {len(self.test):,} test rows, {task}; "
            f"columns: {self.counted()}"
        )

    def counted(self) -> str:
        """Return the number of columns of each kind."""
        kinds = [column.kind for column in self.encoder.columns]
        counts = [(kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)]
        return ", ".join(f"{n} {kind if n == 1 else _PLURALS[kind]}" for kind, n in counts)


def baseline_name(classes: Sequence[str] | None, y: np.ndarray) -> str:
    """Return what a baseline that does not look at the inputs predicts.

    Parameters
    ----------
    classes : sequence of str, or None
        The names of the labels; None for numbers.
    y : ndarray
        Labels or numbers of the training rows.

    """
    if classes is None:
        return "the mean"
    most = printable(classes[int(np.bincount(y).argmax())])
    return f"always {most}" if len(most) <= 20 else "most frequent"


_PLURALS = {
    "number": "numbers",
    "date": "dates",
    "category": "categories",
    "left out": "left out",
}


def load_table_task(arguments: argparse.Namespace, seed: int) -> TableTask:
    """Read a table, divide its rows, and encode them; print how its columns were read.

    Raises
    ------
    ValueError
        If the file is no table, or an option does not fit it.
    OSError
        If the file cannot be read.

    """
    target = arguments.target
    if target is None:
        raise ValueError(f"--target is needed: which column of {arguments.dataset} to predict?")
    lists = {n: getattr(arguments, n) or [] for n in ("categorical", "numeric", "drop", "missing")}
    file, of_file = _read(arguments, arguments.dataset, target)
    require_known(
        (target, *lists["categorical"], *lists["numeric"], *lists["drop"]), file.frame.columns
    )
    if target in lists["drop"]:
        raise ValueError(f"the target column '{target}' cannot be dropped")
    rules = _rules(lists, file)
    answer = read_target(target, texts_of_target(file, target), arguments.task or "auto", rules)
    if (answer.y == answer.y[0]).all():
        value = f"{answer.y[0]:g}" if answer.classes is None else short(answer.classes[0])
        raise ValueError(
            f"the target column '{target}' has the same value {value} in every row: there is "
            "nothing to learn"
        )
    frame = file.frame.drop(target)
    if arguments.test is None:
        train, test = _split(answer, seed)
        test_rows = answer.rows[test]
        test_frame, y_test = frame[test_rows], answer.y[test]
        style = file.european
    else:
        train = np.arange(len(answer.y))
        test_frame, y_test, test_rows, style = _read_test(arguments, target, answer, rules)
    for name in ("categorical", "numeric"):
        lists[name] = [column for column in lists[name] if column != target]
    encoder = TableEncoder(
        categorical=lists["categorical"],
        numeric=lists["numeric"],
        drop=lists["drop"],
        missing=lists["missing"],
    )
    train_frame = frame[answer.rows[train]]
    encoder.fit(train_frame, european=file.european, rows=answer.rows[train])
    doubts = [*of_file, *_tell(answer.read_as, encoder)]
    _require_memory(encoder, len(frame), file.n_bytes)
    if arguments.test is not None:
        require_columns(Path(arguments.test), test_frame.columns, encoder.names)
    with doubts_collected() as new:
        inputs = (
            encoder.transform(train_frame, quiet=True, european=file.european),
            encoder.transform(test_frame, rows=test_rows, european=style),
        )
    if arguments.test is None:
        told = set(map(subject, doubts))
        new = [doubt for doubt in new if subject(doubt) not in told]
    else:
        new = [f"{arguments.test}: {doubt}" for doubt in new]
    tell_doubts(new)
    y = answer.y if answer.classes is not None else answer.y.astype(np.float64)
    return TableTask(
        file.name,
        target,
        encoder,
        Rows(inputs[0], y[train]),
        Rows(inputs[1], y_test),
        answer.classes,
        file.frame.height - len(answer.rows),
        (*doubts, *new),
    )


def _read(
    arguments: argparse.Namespace, path: str | Path, target: str
) -> tuple[FrameFile, list[str]]:
    """Return a table and what is doubtful about its text, which is printed."""
    with doubts_collected() as doubts:
        file = read_frame_file(user_path(path), arguments.delimiter, target, arguments.encoding)
    tell_doubts(doubts)
    return file, doubts


def _rules(lists: dict[str, Any], file: FrameFile) -> Rules:
    return Rules(
        frozenset(lists["categorical"]),
        frozenset(lists["numeric"]),
        frozenset(text.strip().lower() for text in lists["missing"]),
        file.european,
    )


def texts_of_target(file: FrameFile, target: str) -> Any:
    """Return the column to predict as texts, in a frame of its own."""
    import polars as pl

    column = file.frame[target]
    if column.dtype == pl.Boolean:
        texts = [None if value is None else str(value) for value in column]
        return pl.DataFrame({target: pl.Series(texts, dtype=pl.String)})
    try:
        return column.cast(pl.String).to_frame()
    except pl.exceptions.PolarsError:
        raise ValueError(
            f"the target column '{target}' holds neither numbers nor texts: choose another column"
        ) from None


def _split(answer: Target, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fifth of each class; of a fifth of all rows if classes are too small for that."""
    labels = None if answer.classes is None else answer.y
    try:
        return train_test_rows(len(answer.y), _TEST_SHARE, seed, labels)
    except ValueError:
        return train_test_rows(len(answer.y), _TEST_SHARE, seed)


def _read_test(
    arguments: argparse.Namespace, target: str, answer: Target, rules: Rules
) -> tuple[Any, np.ndarray, np.ndarray, bool]:
    file, _ = _read(arguments, arguments.test, target)
    if target not in file.frame.columns:
        raise ValueError(
            f"--test {arguments.test} lacks the column '{target}', which is to be predicted"
        )
    rules = replace(rules, european=file.european)
    y, rows, doubts = labels_of(file, target, answer.classes, rules)
    tell_doubts(f"{arguments.test}: {doubt}" for doubt in doubts)
    return file.frame[rows], y, rows, file.european


def require_columns(path: Path, found: Sequence[str], names: Sequence[str]) -> None:
    """Raise ValueError if a file of new rows lacks columns that a model uses."""
    known = set(found)
    lacking = [name for name in names if name not in known]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"'{path}' lacks the column {lacking[0]!r}{more}, which the model was trained with"
        )


def labels_of(
    file: FrameFile, target: str, classes: tuple[str, ...] | None, rules: Rules
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the labels or numbers of more rows of a table, which rows have one, and doubts.

    Parameters
    ----------
    file : FrameFile
    target : str
    classes : tuple of str, or None
        The names of the labels in training; None for numbers.
    rules : Rules

    Raises
    ------
    ValueError
        If a row has a class that there was not in training, or no row has a value.

    """
    task = "regression" if classes is None else "classification"
    found = read_target(target, texts_of_target(file, target), task, rules)
    doubts = [f"the column '{target}' {found.read_as.doubt}"] if found.read_as.doubt else []
    if classes is None or found.classes is None:
        return found.y.astype(np.float64), found.rows, doubts
    place = {name: label for label, name in enumerate(classes)}
    strange = [name for name in found.classes if name not in place]
    if strange:
        row = int(found.rows[np.flatnonzero(found.y == found.classes.index(strange[0]))[0]]) + 1
        raise ValueError(
            f"the target column '{target}' holds {strange[0]!r} in data row {row}, which is not "
            "one of the classes of the training rows"
        )
    return np.array([place[name] for name in found.classes])[found.y], found.rows, doubts


def _tell(target: ReadAs, encoder: TableEncoder) -> list[str]:
    """Print how columns were read; return what is doubtful about it."""
    lines = [(printable(target.name), target.description)]
    lines += [(printable(column.name), printable(column.how)) for column in encoder.columns]
    for line in grouped(lines):
        print(line, file=sys.stderr)
    doubts = [f"the column '{target.name}' {target.doubt}"] if target.doubt else []
    doubts += encoder.doubts
    tell_doubts(doubts)
    return doubts


def _require_memory(encoder: TableEncoder, n_rows: int, file_size: int) -> None:
    width = len(encoder.number_names) + sum(encoder.sizes)
    require_bytes(
        n_rows * width * _BYTES_AN_INPUT,
        file_size,
        f"the table, {n_rows:,} rows of {width:,} inputs,",
        "leave columns of many categories out with --drop",
    )
