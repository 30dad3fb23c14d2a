"""`fastmlp train`: train a network on a dataset, evaluate it and save it."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import plots, saving
from fastmlp.callbacks import Checkpoint
from fastmlp.cli import findings, signals
from fastmlp.cli.data import Task, load_task
from fastmlp.cli.destinations import check_file, check_folder, write_file
from fastmlp.cli.fitting import r2, train_network
from fastmlp.cli.options import DEFAULTS_NOTE, add_dataset, add_options
from fastmlp.cli.patience import Patience
from fastmlp.cli.report import finite_only, r2_text, wrapped
from fastmlp.cli.settings import Settings, describe, method_of_table, of_dataset, resolve
from fastmlp.common.errors import counted, printable
from fastmlp.engine import threads
from fastmlp.training.reasons import has_diverged

__all__ = ["add_parser", "build_report", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        help="train a network, report its test score, and save it",
        epilog=DEFAULTS_NOTE,
    )
    add_dataset(parser)
    add_options(parser, "train")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train a network for the dataset, or the networks made for tables."""
    settings = resolve(arguments)
    _require_results(arguments)
    checkpoint = _checkpoint(arguments)
    method = method_of_table(arguments)
    if method is not None:
        if checkpoint and arguments.time_limit is not None:
            raise ValueError(
                "--checkpoint and --time-limit exclude each other on a table, because the time "
                "left decides how many networks and epochs there are: leave one of them out"
            )
        from fastmlp.cli import table_training

        return table_training.run(arguments, settings["seed"], method, *checkpoint)
    return _train(arguments, settings, checkpoint)


def _require_results(arguments: argparse.Namespace) -> None:
    """Raise an error if a result could not be written, before the work."""
    check_file("--out", arguments.out)
    check_file("--plot", arguments.plot)
    check_file("--report", arguments.report)
    if arguments.out is not None:
        saving.require_name(arguments.out)
    if arguments.plot is not None:
        plots.require_format(arguments.plot)
    findings.require_name(arguments.report)


def _train(arguments: argparse.Namespace, settings: Settings, checkpoint: list[Checkpoint]) -> int:
    """Train, save, draw and report, in this order because printing may fail."""
    task = load_task(arguments, settings)
    print(wrapped(task.describe()))
    print(wrapped(describe(settings)), flush=True)
    files = (arguments.out, arguments.plot, arguments.report)
    with Patience(nothing_to_keep=all(path is None for path in files)) as patience:
        signals.leave_at_once()  # until the first step, while modules and kernels load
        model, history, scores = train_network(
            task,
            settings,
            validate=task.has_validation,
            callbacks=[patience, *checkpoint],
            verbose=True,
            score=("val", "test"),
        )
        if patience.pending and not len(history.steps):
            print("fastmlp: interrupted before the first step", file=sys.stderr)
            return signals.INTERRUPTED
        written = _write_results(model, task, history, arguments)
        report = build_report(model, task, history, scores, settings)
        page = partial(findings.of_network, model, task, history, report, settings, arguments)
        written += findings.write_page(arguments.report, page)
        _print_report(report)
        for path in written:
            print(f"wrote {path}")
        if arguments.json:
            print(json.dumps(finite_only(report), allow_nan=False), flush=True)
    if patience.pending:
        return signals.INTERRUPTED
    asked_for = sum(path is not None for path in files)
    return 1 if has_diverged(history.stopped) or len(written) < asked_for else 0


def _checkpoint(arguments: argparse.Namespace) -> list[Checkpoint]:
    """Return the callback that keeps checkpoints, if they are wanted."""
    every, resume = arguments.checkpoint_every, arguments.resume
    if arguments.checkpoint is None:
        for given, option in ((resume, "--resume"), (every is not None, "--checkpoint-every")):
            if given:
                raise ValueError(
                    f"{option} needs the folder of the checkpoints: give --checkpoint DIR"
                )
        return []
    check_folder("--checkpoint", arguments.checkpoint)
    often = {} if every is None else {"every": every}
    return [Checkpoint(arguments.checkpoint, **often, resume=resume)]


def build_report(
    model: Any,
    task: Task,
    history: Any,
    scores: dict[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """Return the contents of the `--json` output, as a dict of plain values."""
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
        "seed": settings["seed"],
        "precision": settings["precision"],
        "threads": settings["threads"] or threads.available(),
        "options": of_dataset(settings, "train"),
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
        f"{report['n_parameters']:,} parameters, {counted(report['epochs'], 'epoch')} in "
        f"{report['train_seconds']:.1f} s (compilation {report['compile_seconds']:.1f} s), "
        f"{report['samples_per_second'] or 0:,.0f} samples/s",
        flush=True,
    )


def _write_results(model: Any, task: Task, history: Any, arguments: argparse.Namespace) -> list:
    """Write the requested files; return the paths that were written."""
    wanted = (
        (arguments.out, model.save),
        (arguments.plot, lambda path: _draw(model, task, history, path)),
    )
    return [path for path, write in wanted if path is not None and write_file(path, write)]


def _draw(model: Any, task: Task, history: Any, path: Path) -> None:
    data, predicted = task.dataset, model.predict(task.dataset.X_test)
    if data.classes is None:
        how_well = {"targets": data.y_test, "predicted": predicted}
    else:
        confusion = np.zeros((len(data.classes),) * 2, dtype=np.int64)
        np.add.at(confusion, (data.y_test, np.argmax(predicted, axis=1)), 1)
        how_well = {"confusion": confusion, "class_names": data.classes}
    plots.save(plots.training_summary(history, **how_well, title=printable(data.name)), path)
