"""`fastmlp sweep`: train with many combinations of options and keep the best network."""

import argparse
from typing import Any

from fastmlp import sweep
from fastmlp.cli.data import Task, load_task
from fastmlp.cli.destinations import check_folder
from fastmlp.cli.fitting import r2
from fastmlp.cli.options import DEFAULTS_NOTE, add_dataset, add_options
from fastmlp.cli.report import r2_text, wrapped
from fastmlp.cli.settings import defaults_for, method_of_table, resolve
from fastmlp.cli.sweep_results import (
    NO_VALIDATION,
    check_destinations,
    checkpoint_every,
    finish,
    searched,
)
from fastmlp.cli.trainer import Trainer

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "sweep",
        help="train with many combinations of options and keep the best network",
        epilog="VALUES are separated by commas (--lr 1e-3,2e-3), or by / for --hidden "
        "(--hidden 64/128,64). With --random, numbers that need not be whole can be drawn from a "
        f"range (--lr 1e-4:1e-2). {DEFAULTS_NOTE}",
    )
    parser.instead = {
        "--checkpoint": "a sweep keeps its finished runs in the folder of --out, and with "
        "--checkpoint-every the unfinished ones too",
        "--resume": "a sweep with --out continues by itself when it is started again",
    }
    add_dataset(parser)
    add_options(parser, "sweep")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, write the requested files and print the table."""
    if method_of_table(arguments, "sweep") is not None:
        from fastmlp.cli import table_sweep

        return table_sweep.run(arguments)
    settings, defaults = resolve(arguments), defaults_for(arguments.dataset)
    parameters, single = searched(arguments)
    settings |= {name: defaults[name] for name in parameters} | single
    check_destinations(arguments, parameters)
    every = checkpoint_every(arguments)
    task = load_task(arguments, settings)
    if not task.has_validation:
        raise ValueError(NO_VALIDATION)
    check_folder("--out", arguments.out)
    print(wrapped(task.describe()), flush=True)
    trainer = Trainer(task, settings, every)
    result = sweep.search(
        trainer,
        parameters,
        train_many=trainer.together if trainer.packs(parameters) else None,
        n_runs=arguments.random,
        seed=settings["seed"],
        n_jobs=arguments.jobs,
        n_threads=settings["threads"],
        folder=arguments.out,
        checkpoints=every is not None,
        context=[task.describe(), settings | {"threads": None}],  # threads do not change results
    )
    report = {"dataset": task.dataset.name} | _test_results(result, task)
    told = [] if result.all_failed else [_describe_best(report)]
    return finish(result, arguments, report, told)


def _test_results(result: sweep.Result, task: Task) -> dict[str, Any]:
    """Return the best network's scores on the test rows."""
    data, names = task.dataset, ["test_accuracy", "test_loss"]
    if data.classes is None:
        names = ["test_loss", "test_r2"]
    if result.all_failed:
        return dict.fromkeys(names)
    loss, accuracy = result.best_model.evaluate(data.X_test, data.y_test, loss=task.loss)
    found = {"test_accuracy": accuracy, "test_loss": loss, "test_r2": r2(loss, data.y_test)}
    return {name: found[name] for name in names}


def _describe_best(report: dict[str, Any]) -> str:
    if "test_r2" in report:
        return f"test loss of the best: {report['test_loss']:.4g}, R2 {r2_text(report['test_r2'])}"
    return f"test accuracy of the best: {report['test_accuracy']:.2%}"
