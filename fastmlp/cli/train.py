"""`fastmlp train`: data in, a trained, evaluated and saved network out."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import plots, saving
from fastmlp.cli import signals
from fastmlp.cli.data import Task, load_task
from fastmlp.cli.defaults import DATASETS, Defaults, defaults_for
from fastmlp.cli.destinations import check_file, write_file
from fastmlp.cli.fitting import r2, train_network
from fastmlp.cli.parsing import fraction, hidden_sizes, name_of, number, whole_number
from fastmlp.cli.patience import Patience
from fastmlp.cli.report import finite_only, r2_text
from fastmlp.cli.tables import add_table_options
from fastmlp.engine import threads
from fastmlp.layers import ACTIVATIONS
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES
from fastmlp.training import PRECISIONS

__all__ = ["add_parser", "add_training_options", "resolve_options", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        help="train a network, say how good it is, and save it",
        epilog="Options that are not given have a default for each dataset; the output shows it.",
    )
    add_data_options(parser)
    add_training_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the trained network here")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw loss, accuracy and confusion matrix here"
    )
    parser.add_argument(
        "--json", action="store_true", help="make the last line of output one JSON object"
    )
    parser.set_defaults(run=run)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which data to train on."""
    parser.add_argument(
        "dataset", metavar="DATASET", help=f"{', '.join(DATASETS)}, or the path of a CSV file"
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="folder of the dataset's official files"
    )
    add_table_options(parser)
    parser.add_argument(
        "--val-fraction", type=fraction, metavar="SHARE", help="share of rows kept for validation"
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how to train; `Defaults` has a field for each but the last three."""
    add = parser.add_argument
    add("--hidden", type=hidden_sizes, metavar="N,N", help="units of each hidden layer")
    add(
        "--activation",
        type=name_of("activation", ACTIVATIONS),
        metavar="NAME",
        help=_list(ACTIVATIONS),
    )
    add("--dropout", type=fraction, metavar="P", help="probability of dropping a hidden unit")
    add(
        "--batch-norm",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="normalise each hidden layer before its activation",
    )
    add(
        "--optimizer", type=name_of("optimizer", OPTIMIZERS), metavar="NAME", help=_list(OPTIMIZERS)
    )
    add(
        "--lr",
        type=number(above=True),
        metavar="RATE",
        help="learning rate (its peak, if scheduled)",
    )
    add("--schedule", type=name_of("schedule", SCHEDULES), metavar="NAME", help=_list(SCHEDULES))
    add("--weight-decay", type=number(), metavar="RATE", help="decay of the weight matrices")
    add(
        "--clip-norm",
        type=number(above=True),
        metavar="NORM",
        help="largest norm of a step's gradient; default: any",
    )
    add("--epochs", type=whole_number(1), metavar="N", help="passes over the training rows")
    add("--batch-size", type=whole_number(1), metavar="N", help="rows a step")
    add(
        "--early-stopping",
        type=whole_number(0),
        metavar="N",
        help="stop after N epochs without a better validation loss, keep the best; 0: never",
    )
    add("--seed", type=whole_number(0), default=0, metavar="N", help="of everything random [0]")
    add("--threads", type=whole_number(1), metavar="N", help="default: all this process may use")
    add(
        "--precision",
        type=name_of("precision", PRECISIONS),
        default="highest",
        metavar="NAME",
        help=f"of matrix products: {_list(PRECISIONS)} [highest]",
    )


def resolve_options(arguments: argparse.Namespace) -> Defaults:
    """Return the dataset's defaults, overridden by what was given."""
    given = {
        field.name: getattr(arguments, field.name, None) for field in dataclasses.fields(Defaults)
    }
    return dataclasses.replace(
        defaults_for(arguments.dataset), **{k: v for k, v in given.items() if v is not None}
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, save, draw and report, in this order: what is printed may be lost."""
    options = resolve_options(arguments)
    check_file("--out", arguments.out)
    check_file("--plot", arguments.plot)
    if arguments.out is not None:
        saving.require_name(arguments.out)
    if arguments.plot is not None:
        plots.require_format(arguments.plot)
    task = load_task(arguments, options)
    print(task.describe())
    print(options.describe(), flush=True)
    with Patience(nothing_to_keep=arguments.out is None and arguments.plot is None) as patience:
        signals.leave_at_once()  # until the first step: modules and kernels are loaded first
        model, history, scores = train_network(
            task,
            options,
            seed=arguments.seed,
            n_threads=arguments.threads,
            precision=arguments.precision,
            validate=task.has_validation,
            callbacks=[patience],
            verbose=True,
            score=("val", "test"),
        )
        if patience.pending and not len(history.steps):
            print("fastmlp: interrupted before the first step", file=sys.stderr)
            return signals.INTERRUPTED
        written = _write_results(model, task, history, arguments)
        report = build_report(model, task, history, scores, options, arguments)
        _print_report(report)
        for path in written:
            print(f"wrote {path}")
        if arguments.json:
            print(json.dumps(finite_only(report), allow_nan=False), flush=True)
    if patience.pending:
        return signals.INTERRUPTED
    diverged = (history.stopped or "").startswith("diverged")
    asked_for = sum(path is not None for path in (arguments.out, arguments.plot))
    return 1 if diverged or len(written) < asked_for else 0


def build_report(
    model: Any,
    task: Task,
    history: Any,
    scores: dict[str, Any],
    options: Defaults,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Return what `--json` prints: one dict of plain values."""
    data = task.dataset
    (test_loss, test_accuracy), (val_loss, val_accuracy) = scores["test"], scores["val"]
    seconds = float(sum(history["seconds"]))
    n_epochs = len(history.epochs)
    report = {
        "dataset": data.name,
        "test_accuracy": test_accuracy,
        "val_accuracy": val_accuracy,
        "test_loss": test_loss,
        "val_loss": val_loss,
    }
    if data.classes is None:
        report["test_r2"] = r2(test_loss, data.y_test)
    return report | {
        "train_seconds": seconds,
        "compile_seconds": history.compile_seconds,
        "samples_per_second": n_epochs * len(task.X_train) / seconds if seconds else None,
        "n_parameters": model.n_parameters,
        "epochs": n_epochs,
        "stopped": history.stopped,
        "seed": arguments.seed,
        "precision": arguments.precision,
        "threads": arguments.threads or threads.available(),
        "options": dataclasses.asdict(options),
    }


def _print_report(report: dict[str, Any]) -> None:
    parts = []
    for part in ("val", "test"):
        if report[f"{part}_accuracy"] is not None:
            parts.append(f"{part} accuracy {report[f'{part}_accuracy']:.2%}")
        elif report[f"{part}_loss"] is not None:
            parts.append(f"{part} loss {report[f'{part}_loss']:.4g}")
    if "test_r2" in report:
        parts.append(f"test R2 {r2_text(report['test_r2'])}")
    print(", ".join(parts))
    print(
        f"{report['n_parameters']:,} parameters, {report['epochs']} epochs in "
        f"{report['train_seconds']:.1f} s (compilation {report['compile_seconds']:.1f} s), "
        f"{report['samples_per_second'] or 0:,.0f} samples/s",
        flush=True,
    )


def _write_results(model: Any, task: Task, history: Any, arguments: argparse.Namespace) -> list:
    """Save and draw what was asked for; return what was written, of which a failure loses one."""
    wanted = (
        (arguments.out, model.save),
        (arguments.plot, lambda path: _draw(model, task, history, path)),
    )
    return [path for path, write in wanted if path is not None and write_file(path, write)]


def _draw(model: Any, task: Task, history: Any, path: Path) -> None:
    data = task.dataset
    confusion = None
    if data.classes is not None:
        predicted = np.argmax(model.predict(data.X_test), axis=1)
        confusion = np.zeros((len(data.classes),) * 2, dtype=np.int64)
        np.add.at(confusion, (data.y_test, predicted), 1)
    plots.save(plots.training_summary(history, confusion, data.classes), path)


def _list(names: Any) -> str:
    return ", ".join(names)
