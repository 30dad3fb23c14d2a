"""`fastmlp evaluate`: the scores of a saved model on the rows of a table."""

import argparse
import json
import sys
from typing import Any

import numpy as np

from fastmlp.cli.options import add_options
from fastmlp.cli.report import finite_only
from fastmlp.cli.scores import baseline_scores, score_lines
from fastmlp.cli.table_model import add_model_and_file, load_model, predictions, read_rows
from fastmlp.cli.table_task import labels_of
from fastmlp.datasets.columns import Rules
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
    file = read_rows(arguments, model)
    if target not in file.frame.columns:
        raise ValueError(f"'{arguments.file}' lacks the column '{target}', which is to be compared")
    classes = None if model.classes is None else tuple(map(str, model.classes.tolist()))
    missing = frozenset(model.encoder.config()["missing"])
    y, rows = labels_of(file, target, classes, Rules(missing=missing, european=file.european))
    n_left_out = len(file.frame) - len(rows)
    if n_left_out:
        print(f"fastmlp: {n_left_out:,} rows without a target are left out", file=sys.stderr)
    predicted = np.concatenate(list(predictions(model, file.frame[rows], arguments.threads)))
    found, usual = scores(y, predicted), _baseline(model, y)
    for line in score_lines(found, usual, (f"{len(rows):,} rows", "model", "baseline")):
        print(line)
    if arguments.json:
        report = {"rows": len(rows), "rows_without_target": n_left_out, "scores": found}
        print(json.dumps(finite_only(report | {"baseline": usual}), allow_nan=False))
    return 0


def _baseline(model: TableModel, y: np.ndarray) -> dict[str, float] | None:
    """Return the scores of the training rows' class shares or mean."""
    start = model.told.get("baseline")
    if start is None:
        return None
    return baseline_scores(y, start, classes=model.classes is not None)
