"""`fastmlp evaluate`: the scores of a saved model on the rows of a table."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.cli.options import add_options
from fastmlp.cli.report import finite_only
from fastmlp.cli.scores import baseline_scores, score_lines
from fastmlp.cli.table_model import add_model_and_file, blocks_of_rows, load_model, predictions
from fastmlp.cli.table_task import labels_of
from fastmlp.cli.tables import tell_doubts
from fastmlp.common.errors import counted
from fastmlp.datasets.column import Rules
from fastmlp.datasets.frame_file import FrameFile
from fastmlp.tabular.metrics import scores
from fastmlp.tabular.model import TableModel

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("evaluate", help="score a saved model on the rows of a table")
    add_model_and_file(parser)
    add_options(parser, "evaluate")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the scores, beside those of the baseline that `train` has noted."""
    model = load_model(arguments.model)
    target = arguments.target or model.target
    if not target:
        raise ValueError("--target is needed: this model does not name the column that it predicts")
    cells: list[FrameFile] = []
    predicted = np.concatenate(
        list(predictions(model, _noting(arguments, model, target, cells), arguments.threads))
    )
    file = replace(cells[0], frame=_joined([cell.frame for cell in cells]))
    classes = None if model.classes is None else tuple(map(str, model.classes.tolist()))
    missing = frozenset(model.encoder.config()["missing"])
    rules = Rules(missing=missing, european=file.european)
    y, rows, doubts = labels_of(file, target, classes, rules)
    tell_doubts(doubts)
    n_left_out = len(predicted) - len(rows)
    found, usual = scores(y, predicted[rows]), _baseline(model, y)
    for line in score_lines(found, usual, (counted(len(rows), "row"), "model", "baseline")):
        print(line)
    if arguments.json:
        report = {"rows": len(rows), "rows_without_target": n_left_out, "scores": found}
        print(json.dumps(finite_only(report | {"baseline": usual}), allow_nan=False))
    return 0


def _noting(
    arguments: argparse.Namespace, model: TableModel, target: str, cells: list[FrameFile]
) -> Iterator[FrameFile]:
    """Yield blocks of rows; note what each has in the column to be compared."""
    for file in blocks_of_rows(arguments, model):
        if target not in file.frame.columns:
            raise ValueError(
                f"'{arguments.file}' lacks the column '{target}', which is to be compared"
            )
        cells.append(replace(file, frame=file.frame.select(target)))
        yield file


def _joined(columns: list[Any]) -> Any:
    """Return a column in one piece; JSON lines may hold other types in other blocks."""
    import polars as pl

    return pl.concat(columns, how="vertical_relaxed")


def _baseline(model: TableModel, y: np.ndarray) -> dict[str, float] | None:
    """Return the scores of the training rows' class shares or mean."""
    start = model.told.get("baseline")
    if start is None:
        return None
    return baseline_scores(y, start, classes=model.classes is not None)
