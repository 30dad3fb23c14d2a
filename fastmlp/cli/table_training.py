"""`fastmlp train` on a table: encode it, train, compare with a baseline, and save the model."""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import plots
from fastmlp.callbacks import Checkpoint
from fastmlp.cli import findings, signals
from fastmlp.cli.destinations import write_file
from fastmlp.cli.patience import Patience
from fastmlp.cli.report import finite_only, wrapped
from fastmlp.cli.scores import baseline_scores, score_lines
from fastmlp.cli.table_task import TableTask, baseline_name, load_table_task
from fastmlp.cli.watching import Watch
from fastmlp.common.errors import counted, printable
from fastmlp.engine import threads
from fastmlp.tabular import storage
from fastmlp.tabular.building import Built, build
from fastmlp.tabular.metrics import baseline, metric_of, scores
from fastmlp.tabular.plan import Plan

__all__ = ["run"]


def run(
    arguments: argparse.Namespace, seed: int, method: str, checkpoint: Checkpoint | None = None
) -> int:
    """Train, save, draw and report, in this order because printing may fail."""
    metric_name = arguments.metric
    task = load_table_task(arguments, seed)
    metric = metric_of(metric_name, classes=task.classes is not None)
    print(wrapped(task.describe()), flush=True)
    limit = arguments.time_limit
    with Patience(nothing_to_keep=False) as patience:
        signals.leave_at_once()  # until the first step, while modules and kernels load
        began = time.monotonic()
        watch = Watch(limit)
        plan = Plan(
            method,
            metric,
            n_networks=arguments.ensemble,
            deadline=None if limit is None else began + limit,
            n_threads=arguments.threads,
            seed=seed,
            callbacks=[watch],
            begun=watch.begin,
            told=watch.finish,
            checkpoint=checkpoint,
        )
        patience.hold()
        classes = None if task.classes is None else np.array(task.classes, object)
        with watch:
            built = build(task.encoder, task.train, None, classes, plan, task.target)
        seconds = time.monotonic() - began
        start = baseline(task.train.y, None if task.classes is None else len(task.classes))
        built.model.told["baseline"] = start.tolist()
        predicted = built.model.predict_encoded(task.test.inputs, arguments.threads)
        written = _write_results(built, task, predicted, arguments)
        report = _report(built, task, predicted, start, arguments, seed, seconds)
        page = partial(findings.of_table, built, task, predicted, report, arguments)
        written += findings.write_page(arguments.report, page)
        _print(report, built, task, arguments.time_limit)
        for path in written:
            print(f"wrote {path}")
        if arguments.json:
            print(json.dumps(finite_only(report), allow_nan=False), flush=True)
    if patience.pending:
        return signals.INTERRUPTED
    asked_for = sum(path is not None for path in (arguments.out, arguments.plot, arguments.report))
    return 1 if len(written) < asked_for else 0


def _report(
    built: Built,
    task: TableTask,
    predicted: np.ndarray,
    start: np.ndarray,
    arguments: argparse.Namespace,
    seed: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the contents of the ``--json`` output, as a dict of plain values."""
    members = built.learned.members
    trained = [network.member for network in built.learned.networks]  # a pack drops some
    test = scores(task.test.y, predicted)
    usual = baseline_scores(task.test.y, start, classes=task.classes is not None)
    known = ~np.isnan(built.out_of_fold).reshape(len(task.train), -1)[:, 0]
    validation = scores(task.train.y[known], built.out_of_fold[known])
    columns = [{"name": c.name, "kind": c.kind, "read": c.how} for c in built.model.encoder.columns]
    return {
        "dataset": task.name,
        "target": task.target,
        "method": built.model.method,
        "test_accuracy": test.get("accuracy"),
        "val_accuracy": validation.get("accuracy"),
        "test_loss": _loss(test),
        "val_loss": _loss(validation),
        **({"test_r2": test["r2"]} if task.classes is None else {}),
        "test": test,
        "validation": validation,
        "baseline": usual,
        "columns": columns,
        "rows_without_target": task.n_left_out,
        "train_rows": len(task.train),
        "test_rows": len(task.test),
        "train_seconds": seconds,
        "compile_seconds": max(member.history.compile_seconds for member in trained),
        "samples_per_second": _n_visited(built, len(task.train)) / seconds,
        "n_networks": len(members),
        "n_trained": len(trained),
        "n_parameters": sum(member.recipe.model.n_parameters for member in members),
        "epochs": sum(len(member.history) for member in trained),
        "stopped": members[0].history.stopped,
        "seed": seed,
        "precision": arguments.precision,
        "threads": arguments.threads or threads.available(),
    }


def _n_visited(built: Built, n_rows: int) -> int:
    """Return how many rows all steps of all networks had."""
    return sum(
        len(network.member.history.steps) * min(n_rows, network.member.recipe.options["batch_size"])
        for network in built.learned.networks
    )


def _loss(found: dict[str, float]) -> float:
    return found["log_loss"] if "log_loss" in found else found["rmse"] ** 2


def _print(report: dict[str, Any], built: Built, task: TableTask, time_limit: float | None) -> None:
    most = baseline_name(task.classes, task.train.y)
    for line in score_lines(report["test"], report["baseline"], ("test rows", "model", most)):
        print(line)
    metric = built.model.metric
    if not metric.better(report["test"][metric.name], report["baseline"][metric.name]):
        why = "the columns may not tell the target"
        why += "" if time_limit is None else ", or the time limit was too short"
        print(wrapped(f"the model is no better than predicting {most}: {why}"))
    n, n_trained = report["n_networks"], report["n_trained"]
    networks = f"{n}{f' of {n_trained}' if n_trained > n else ''} network{'s' * (n_trained > 1)}"
    print(
        wrapped(
            f"{built.model.method}, {networks}, {report['n_parameters']:,} "
            f"parameters: validation {metric.label} {built.score:.4g}, "
            f"{counted(report['epochs'], 'epoch')} in {report['train_seconds']:.1f} s "
            f"(compilation {report['compile_seconds']:.1f} s)"
        ),
        flush=True,
    )


def _write_results(
    built: Built,
    task: TableTask,
    predicted: np.ndarray,
    arguments: argparse.Namespace,
) -> list[Path]:
    """Write the requested files; return the paths that were written."""
    wanted = (
        (arguments.out, lambda path: storage.save(built.model, path)),
        (arguments.plot, lambda path: _draw(built, task, predicted, path)),
    )
    return [path for path, write in wanted if path is not None and write_file(path, write)]


def _draw(built: Built, task: TableTask, predicted: np.ndarray, path: Path) -> None:
    if task.classes is None:
        how_well: dict[str, Any] = {"targets": task.test.y, "predicted": predicted}
    else:
        confusion = np.zeros((len(task.classes),) * 2, dtype=np.int64)
        np.add.at(confusion, (task.test.y, predicted.argmax(axis=1)), 1)
        how_well = {"confusion": confusion, "class_names": task.classes}
    histories = [member.history for member in built.learned.members]
    plots.save(plots.training_summary(histories, **how_well, title=printable(task.name)), path)
