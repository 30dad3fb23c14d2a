"""What `train --report` writes about: the findings of a run."""

import argparse
import platform
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import report
from fastmlp.cli.data import Task
from fastmlp.cli.destinations import write_file
from fastmlp.cli.options import options_of
from fastmlp.cli.parsing import typed_text
from fastmlp.cli.scores import baseline_scores, score_text
from fastmlp.cli.settings import Settings, describe
from fastmlp.cli.table_task import TableTask, baseline_name
from fastmlp.common.errors import counted
from fastmlp.datasets import Dataset
from fastmlp.report import Findings, Importances
from fastmlp.tabular.building import Built
from fastmlp.tabular.importances import REPEATS, column_importances
from fastmlp.tabular.methods import Recipe
from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION, Metric, baseline, metric_of, scores
from fastmlp.tabular.training import monitored

__all__ = ["command_line", "of_network", "of_table", "require_name", "write_page"]

_ROWS = 100, 2000  # at least and at most so many test rows are asked about importances
_PRODUCTS = 500_000_000_000  # of weights and inputs, for all importances: some seconds
_LOSSES = {"cross_entropy": "cross-entropy", "mse": "mean squared error of standardised numbers"}


def require_name(path: Path | None) -> None:
    """Raise ValueError if a file that is to hold a page has the name of something else."""
    if path is not None and path.suffix.lower() not in report.ENDINGS:
        raise ValueError(
            f"--report writes a page, whose name ends in {report.ENDINGS[0]}, got {str(path)!r}"
        )


def write_page(path: Path | None, gather: Callable[[], Findings]) -> list[Path]:
    """Write the page, if one is wanted; return the paths that were written."""
    if path is None or not write_file(path, lambda path: report.write(gather(), path)):
        return []
    return [path]


def of_table(
    built: Built,
    task: TableTask,
    predicted: np.ndarray,
    found: Mapping[str, Any],
    arguments: argparse.Namespace,
) -> Findings:
    """Return the findings of a table that a method has learned.

    Parameters
    ----------
    built : Built
    task : TableTask
    predicted : ndarray
        Of the test rows.
    found : mapping
        What ``--json`` prints.
    arguments : argparse.Namespace

    """
    member = built.learned.members[0]
    n = found["n_networks"]
    metric = built.model.metric
    decides = dict.fromkeys(_decides(each.recipe, metric) for each in built.learned.members)
    settings = [
        ("method", found["method"]),
        ("networks", f"{n}, {found['n_parameters']:,} parameters in all"),
        ("best epoch decided by", f"{' or '.join(decides)} of the validation rows"),
        ("training", f"{counted(found['epochs'], 'epoch')} in {found['train_seconds']:.1f} s"),
        ("network" if n == 1 else "first network", repr(member.recipe.model)),
        ("trained by", _call(member.recipe.options)),
    ]
    return Findings(
        name=Path(arguments.dataset).name,
        target=task.target,
        verdict=_verdict(found["test"], found["baseline"], task.classes, task.train.y),
        scores=_compared(
            found["test"],
            {baseline_name(task.classes, task.train.y): found["baseline"]},
            found["validation"],
        ),
        histories=[each.history for each in built.learned.members],
        y=task.test.y,
        predicted=predicted,
        classes=task.classes,
        data=_facts_of_table(task, arguments),
        settings=[*settings, *_common(found, arguments)],
        columns=[(c.name, c.kind, _told(c.kind, c.how)) for c in task.encoder.columns],
        doubts=task.doubts,
        importances=_importances_of_table(built, task, arguments.threads),
        unit=_LOSSES["mse" if task.classes is None else "cross_entropy"],
    )


def of_network(
    model: Any,
    task: Task,
    history: Any,
    found: Mapping[str, Any],
    settings: Settings,
    arguments: argparse.Namespace,
) -> Findings:
    """Return the findings of data that a plain network has learned; see `of_table`."""
    data, classes = task.dataset, task.dataset.classes
    predict = partial(_predicted, model, classes is not None)
    predicted = predict(data.X_test)
    start = baseline(task.y_train, None if classes is None else len(classes))
    test = scores(data.y_test, predicted)
    usual = baseline_scores(data.y_test, start, classes=classes is not None)
    val = scores(task.y_val, predict(task.X_val)) if task.has_validation else {}
    shape = "" if data.shape is None else f", images of {' x '.join(map(str, data.shape))}"
    facts = [
        ("rows", f"{len(task.X_train):,} for training, {len(task.X_val):,} for validation, "
                 f"{len(data.X_test):,} for testing"),
        ("inputs", f"{data.n_features:,}{shape}"),
        ("task", _task_name(classes)),
    ]  # fmt: skip
    parameters = f"{found['n_parameters']:,} parameters"
    n = found["epochs"]
    return Findings(
        name=Path(arguments.dataset).name,
        target=arguments.target or "",
        verdict=_verdict(test, usual, classes, task.y_train),
        scores=_compared(test, {baseline_name(classes, task.y_train): usual}, val),
        histories=[history],
        y=data.y_test,
        predicted=predicted,
        classes=classes,
        data=facts,
        settings=[
            ("network", f"{describe(settings)}; {parameters}"),
            ("training", f"{counted(n, 'epoch')} in {found['train_seconds']:.1f} s"),
            *_common(found, arguments),
        ],
        columns=[(c.name, c.kind, c.how) for c in data.columns_read],
        doubts=[f"the column '{c.name}' {c.doubt}" for c in data.columns_read if c.doubt],
        importances=_importances_of_network(task, predict, found["n_parameters"]),
        unit=_LOSSES[task.loss],
    )


def _verdict(
    test: Mapping[str, float],
    usual: Mapping[str, float],
    classes: Sequence[str] | None,
    y: np.ndarray,
) -> str:
    name = next(iter(test))
    metric, most = _known(classes)[name], baseline_name(classes, y)
    ours, theirs = score_text(name, test[name]), score_text(name, usual[name])
    told = f"{metric.label} on the test rows is {ours}"
    told = told[0].upper() + told[1:]
    if not metric.better(test[name], usual[name]):
        return (
            f"{told}, and {theirs} for {most}: nothing was learned that helps, so the inputs may "
            "not tell the target."
        )
    return f"{told}, against {theirs} for {most}."


def _compared(
    test: Mapping[str, float],
    usual: Mapping[str, Mapping[str, float]],
    val: Mapping[str, float],
) -> dict[str, dict[str, str]]:
    """Return the rows of the table of scores."""
    columns = {"model": test, **usual, **({"model, validation rows": val} if val else {})}
    known = CLASSIFICATION if "accuracy" in test else REGRESSION
    return {
        metric.label: {head: score_text(name, of[name]) for head, of in columns.items()}
        for name, metric in known.items()
    }


def _decides(recipe: Recipe, metric: Metric) -> str:
    """Return what decides which epoch of a network is the best, in the report's words."""
    by_loss = metric.name == "accuracy" and monitored(recipe, metric) == "val_loss"
    return "loss" if by_loss else metric.label


def _facts_of_table(task: TableTask, arguments: argparse.Namespace) -> list[tuple[str, str]]:
    held = "" if arguments.test is None else f" of {Path(arguments.test).name}"
    return [
        ("file", str(arguments.dataset)),
        ("rows", f"{len(task.train):,} for training and validation, {len(task.test):,}{held} for "
                 "testing"),
        ("rows without a target", f"{task.n_left_out:,}, left out" if task.n_left_out else "none"),
        ("columns", task.counted()),
        ("task", _task_name(task.classes)),
    ]  # fmt: skip


def _task_name(classes: Sequence[str] | None) -> str:
    return "regression" if classes is None else f"classification, {len(classes)} classes"


def _told(kind: str, how: str) -> str:
    """Return how a column was read without its kind, which stands beside it."""
    return how.removeprefix(kind).lstrip(", ")


def _common(found: Mapping[str, Any], arguments: argparse.Namespace) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {version(name)}" for name in ("fastmlp", "numpy", "numba"))
    return [
        ("seed", str(found["seed"])),
        ("threads", str(found["threads"])),
        ("precision", found["precision"]),
        *([("ended early", found["stopped"])] if found["stopped"] else []),
        ("command", command_line(arguments)),
        ("software", f"Python {platform.python_version()}, {versions}"),
    ]


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command line that does the same."""
    words = ["fastmlp", "train", str(arguments.dataset)]
    for option in options_of("train"):
        value = getattr(arguments, option.name)
        if value is None or (not option.by_dataset and value == option.default):
            continue
        if option.parse is None:
            words.append(option.flag if value else f"--no-{option.flag[2:]}")
        else:
            text = typed_text(value)
            words += [f"{option.flag}={text}"] if text[:1] == "-" else [option.flag, text]
    return shlex.join(words)


def _call(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items() if name != "seed")


def _predicted(model: Any, classes: bool, X: np.ndarray) -> np.ndarray:
    """Return probabilities (N, C), or numbers (N,), by a plain network."""
    outputs = np.asarray(model.predict(X), np.float64)
    if not classes:
        return outputs[:, 0]
    e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _importances_of_table(built: Built, task: TableTask, n_threads: int | None) -> Importances:
    rng = np.random.default_rng(0)
    cost = sum(r.model.n_parameters * r.targets.n_members for r in built.model.recipes)
    rows = task.test.take(_some_rows(len(task.test), len(task.encoder.names), cost, rng))
    metric = built.model.metric
    predict = partial(built.model.predict_encoded, n_threads=n_threads)
    values = column_importances(task.encoder, rows, predict, metric, rng)
    used = [
        (column.name, float(value))
        for column, value in zip(task.encoder.columns, values, strict=True)
        if column.kind != "left out"
    ]
    return Importances(used, metric.label, len(rows))


def _some_rows(n_rows: int, n_columns: int, cost: int, rng: np.random.Generator) -> np.ndarray:
    """Choose test rows at random: fewer of them for more columns and larger networks."""
    most = _PRODUCTS // max(1, REPEATS * n_columns * cost)
    n = min(n_rows, max(_ROWS[0], min(_ROWS[1], most)))
    return np.sort(rng.choice(n_rows, n, replace=False))


def _importances_of_network(
    task: Task, predict: Callable[[np.ndarray], np.ndarray], n_parameters: int
) -> Importances | None:
    data = task.dataset
    if data.features is None:  # pixels, which nobody wants to see one by one
        return None
    metric, rng = metric_of(None, classes=data.classes is not None), np.random.default_rng(0)
    columns = list(_places_of_columns(data))
    rows = _some_rows(len(data.X_test), len(columns), n_parameters, rng)
    n_rows = len(rows)
    X, y = data.X_test[rows], data.y_test[rows]
    whole = metric.score(y, predict(X), None)
    values = []
    for name, places in columns:
        losses = []
        for _ in range(REPEATS):
            shuffled = X.copy()
            shuffled[:, places] = X[rng.permutation(n_rows)][:, places]
            losses.append(metric.sign * (whole - metric.score(y, predict(shuffled), None)))
        values.append((name, float(np.mean(losses))))
    return Importances(values, metric.label, n_rows)


def _places_of_columns(data: Dataset) -> Iterator[tuple[str, slice]]:
    """Yield the columns that are used, and where their inputs stand."""
    features, start = data.features or (), 0
    for column in data.columns_read:
        if column.kind in ("left out", "target"):
            continue
        end = start + 1
        if column.kind == "category":
            while end < len(features) and features[end].startswith(f"{column.name}="):
                end += 1
        yield column.name, slice(start, end)
        start = end


def _known(classes: Sequence[str] | None) -> Mapping[str, Metric]:
    return REGRESSION if classes is None else CLASSIFICATION
