"""`fastmlp predict`: the predictions of a saved model for the rows of a table."""

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from fastmlp.cli.destinations import check_file, write_file
from fastmlp.cli.options import add_options
from fastmlp.cli.table_model import add_model_and_file, blocks_of_rows, load_model, predictions
from fastmlp.common.files import write_parts
from fastmlp.tabular.model import TableModel

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("predict", help="predict the rows of a table with a saved model")
    add_model_and_file(parser)
    add_options(parser, "predict")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write one line for each row of the table, in its order, after a header."""
    check_file("--out", arguments.out)
    model = load_model(arguments.model)
    if arguments.proba and model.classes is None:
        raise ValueError("--proba is for classes, and this model predicts numbers")
    found = predictions(model, blocks_of_rows(arguments, model), arguments.threads)
    lines = _lines(model, found, arguments.proba)
    lines = chain([next(lines)], lines)  # what is wrong with the file's beginning is told first
    if arguments.out is None:
        for text in lines:
            sys.stdout.write(text)
        return 0
    parts = (text.encode() for text in lines)
    return 0 if write_file(arguments.out, lambda path: write_parts(path, parts)) else 1


def _lines(model: TableModel, found: Iterator[np.ndarray], proba: bool) -> Iterator[str]:
    """Yield CSV text: the predicted column, or one column for each class."""
    classes = [] if model.classes is None else [str(name) for name in model.classes.tolist()]
    header = _csv([classes if proba else [model.target or "prediction"]])
    for predicted in found:
        yield header
        header = ""
        if model.classes is None:
            yield _csv([[f"{value:.9g}"] for value in predicted.tolist()])
        elif proba:
            yield _csv([[f"{p:.6g}" for p in row] for row in predicted.tolist()])
        else:
            yield _csv([[classes[label]] for label in predicted.argmax(axis=1)])


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
