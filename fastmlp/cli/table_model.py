"""A saved model of a table and new rows for it, as `predict` and `evaluate` need them."""

import argparse
from collections.abc import Iterable, Iterator

import numpy as np

from fastmlp.cli.table_task import require_columns
from fastmlp.cli.tables import doubts_collected, subject, tell_doubts
from fastmlp.common.errors import printable
from fastmlp.common.files import user_path
from fastmlp.datasets.frame_blocks import frame_blocks
from fastmlp.datasets.frame_file import FrameFile
from fastmlp.storage.model_file import TABLE_FORMAT, format_of
from fastmlp.tabular import storage
from fastmlp.tabular.model import TableModel

__all__ = ["add_model_and_file", "blocks_of_rows", "load_model", "predictions"]

_ROWS = 1 << 16
"""Rows that are encoded at a time."""


def add_model_and_file(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that both commands take."""
    parser.add_argument("model", metavar="MODEL", help="file written by train --out")
    parser.add_argument(
        "file", metavar="FILE", help="a table with the columns that the model was trained with"
    )


def load_model(path: str) -> TableModel:
    """Return the model in a file.

    Raises
    ------
    ValueError
        If it is not a model of a table.
    OSError
        If the file cannot be read.

    """
    form = format_of(path)
    if form is not None and form != TABLE_FORMAT:
        raise ValueError(
            f"{printable(path)} holds a network without a description of a table's columns, so it "
            "cannot read tables: train it with fastmlp train FILE --target COLUMN --out MODEL, "
            "without options of the plain network"
        )
    return storage.load(path)


def blocks_of_rows(arguments: argparse.Namespace, model: TableModel) -> Iterator[FrameFile]:
    """Yield the new rows, some after the other, so that they need not fit into memory."""
    names = model.encoder.names
    path = user_path(arguments.file)
    blocks = frame_blocks(path, arguments.delimiter, names[0], arguments.encoding)
    while True:
        with doubts_collected() as doubts:
            file = next(blocks, None)
        tell_doubts(doubts)
        if file is None:
            return
        if model.encoder.named:
            require_columns(path, file.frame.columns, names)
        yield file


def predictions(
    model: TableModel, blocks: Iterable[FrameFile], n_threads: int | None
) -> Iterator[np.ndarray]:
    """Yield class probabilities or numbers for some rows after the other.

    Doubts about new values are printed, each once for a column.
    """
    told: set[str] = set()
    n_before = 0
    for file in blocks:
        for start in range(0, len(file.frame), _ROWS):
            frame = file.frame[start : start + _ROWS]
            with doubts_collected() as doubts:
                rows = range(n_before, n_before + len(frame))
                inputs = model.encoder.transform(frame, rows=rows, european=file.european)
            new = {subject(doubt): doubt for doubt in doubts}
            tell_doubts(doubt for column, doubt in new.items() if column not in told)
            told.update(new)
            yield model.predict_encoded(inputs, n_threads)
            n_before += len(frame)
