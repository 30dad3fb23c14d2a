"""`fastmlp sweep` on a table: methods and sizes of ensembles, compared by rows held out for it."""

import argparse
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import sweep
from fastmlp.callbacks import Checkpoint
from fastmlp.cli.destinations import check_folder
from fastmlp.cli.report import wrapped
from fastmlp.cli.scores import baseline_scores, score_lines
from fastmlp.cli.settings import resolve
from fastmlp.cli.sweep_results import (
    NO_VALIDATION,
    check_destinations,
    checkpoint_every,
    finish,
    searched,
)
from fastmlp.cli.table_task import TableTask, baseline_name, load_table_task
from fastmlp.cli.wording import FLAGS
from fastmlp.common.errors import called
from fastmlp.datasets.splits import train_test_rows
from fastmlp.sweep import Score
from fastmlp.tabular import storage
from fastmlp.tabular.building import build
from fastmlp.tabular.methods import DEFAULT_METHOD
from fastmlp.tabular.metrics import Metric, baseline, metric_of, scores
from fastmlp.tabular.model import TableModel
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows

__all__ = ["KeptTable", "TableTrainer", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Search, write the requested files and print the table."""
    settings = resolve(arguments)
    parameters, single = searched(arguments)
    check_destinations(arguments, parameters)
    every = checkpoint_every(arguments)
    if every is not None and arguments.time_limit is not None:
        raise ValueError(
            "--checkpoint-every and --time-limit exclude each other on a table, because the time "
            "left decides on the numbers of networks and epochs: leave one of them out"
        )
    if not settings["val_fraction"]:
        raise ValueError(NO_VALIDATION)
    task = load_table_task(arguments, settings["seed"])
    metric = metric_of(arguments.metric, classes=task.classes is not None)
    check_folder("--out", arguments.out)
    trainer = TableTrainer.of(task, metric, settings, arguments.time_limit, single, every)
    print(wrapped(task.describe()), flush=True)
    result = sweep.search(
        trainer,
        parameters,
        n_runs=arguments.random,
        seed=settings["seed"],
        n_jobs=arguments.jobs or 1,  # a run uses all threads by itself
        n_threads=arguments.threads,
        folder=arguments.out,
        checkpoints=every is not None,
        context=[task.describe(), _checksum(task), metric.name, settings["val_fraction"],
                 arguments.time_limit, single],
        scores=[Score(f"val_{metric.name}", f"validation {metric.label}", metric.sign < 0)],
        load=KeptTable.load,
    )  # fmt: skip
    report: dict[str, Any] = {"dataset": task.name, "target": task.target}
    told: list[str] = []
    if not result.all_failed:
        model = result.best_model.model
        test = scores(task.test.y, model.predict_encoded(task.test.inputs, arguments.threads))
        start = baseline(task.train.y, trainer.n_classes)
        usual = baseline_scores(task.test.y, start, classes=task.classes is not None)
        report |= {"test": test, "baseline": usual}
        heads = "test rows", "best", baseline_name(task.classes, task.train.y)
        told = score_lines(test, usual, heads)
    return finish(result, arguments, report, told)


@dataclass(frozen=True)
class KeptTable:
    """A model that a sweep can keep in its folder."""

    model: TableModel

    def save(self, path: Path) -> None:
        """Write it as ``train --out`` does."""
        storage.save(self.model, path)

    @classmethod
    def load(cls, path: Path) -> "KeptTable":
        """Read it."""
        return cls(storage.load(path))


@dataclass(frozen=True)
class TableTrainer:
    """Trains as `train` does, on some of the training rows; sent to other processes.

    Attributes
    ----------
    task : TableTask
    learn, compare : Rows
        Rows to train and validate on, and those that runs are compared by. Networks never see the
        latter: their own validation rows have decided their best epochs, and with an ensemble each
        network has others.
    metric : Metric
    time_limit : float or None
        Seconds for each run.
    shared : dict
        Values that all runs share.
    checkpoint_every : str, float or None
        How often a run keeps its state; None: not at all.

    """

    task: TableTask
    learn: Rows
    compare: Rows
    metric: Metric
    time_limit: float | None
    shared: dict[str, Any]
    checkpoint_every: str | float | None = None

    @classmethod
    def of(
        cls,
        task: TableTask,
        metric: Metric,
        settings: dict[str, Any],
        time_limit: float | None,
        shared: dict[str, Any],
        checkpoint_every: str | float | None = None,
    ) -> "TableTrainer":
        """Return a trainer that holds out ``val_fraction`` of the training rows."""
        share, seed = settings["val_fraction"], settings["seed"]
        labels = None if task.classes is None else task.train.y
        try:
            rows = train_test_rows(len(task.train), share, seed, labels, name="val_fraction")
        except ValueError:  # classes may be too small to be divided
            rows = train_test_rows(len(task.train), share, seed, name="val_fraction")
        learn, compare = (task.train.take(part) for part in rows)
        return cls(task, learn, compare, metric, time_limit, shared, checkpoint_every)

    @property
    def n_classes(self) -> int | None:
        """The number of classes; None for numbers."""
        return None if self.task.classes is None else len(self.task.classes)

    def __call__(
        self, seed: int, n_threads: int, checkpoint_folder: Path | None = None, **parameters: Any
    ) -> tuple[KeptTable, Any]:
        """Train once; return the model and its scores."""
        own, began = self.shared | parameters, time.monotonic()
        keeper = None
        if checkpoint_folder is not None and self.checkpoint_every is not None:
            keeper = Checkpoint(checkpoint_folder, self.checkpoint_every, resume=True)
        plan = Plan(
            own.get("method", DEFAULT_METHOD),
            self.metric,
            n_networks=own.get("ensemble"),
            deadline=None if self.time_limit is None else began + self.time_limit,
            n_threads=n_threads,
            seed=seed,
            checkpoint=keeper,
        )
        task = self.task
        classes = None if task.classes is None else np.array(task.classes, object)
        with called(FLAGS):
            built = build(task.encoder, self.learn, None, classes, plan, task.target)
        built.model.told["baseline"] = baseline(self.learn.y, self.n_classes).tolist()
        found = scores(self.compare.y, built.model.predict_encoded(self.compare.inputs, n_threads))
        record = {f"val_{name}": value for name, value in found.items()}
        return KeptTable(built.model), record | {"seconds": time.monotonic() - began}


def _checksum(task: TableTask) -> int:
    """Return a number that is another one if the rows are."""
    found = 0
    for rows in (task.train, task.test):
        for array in (rows.inputs.numbers, rows.inputs.codes, rows.y):
            found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found
