"""`fastmlp sweep`: train with many combinations of options and keep the best network."""

import argparse
import json
import sys
from typing import Any

from fastmlp import plots, sweep
from fastmlp.callbacks import Checkpoint
from fastmlp.cli.data import Task, load_task
from fastmlp.cli.destinations import check_file, check_folder, write_file
from fastmlp.cli.fitting import r2
from fastmlp.cli.options import DEFAULTS_NOTE, add_dataset, add_options, options_of
from fastmlp.cli.report import finite_only, r2_text, wrapped
from fastmlp.cli.settings import Settings, defaults_for, resolve
from fastmlp.cli.trainer import Trainer
from fastmlp.common.errors import printable

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
    add_dataset(parser)
    add_options(parser, "sweep")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, write the requested files and print the table."""
    parameters, settings = _parameters(arguments)
    for option in ("csv", "plot"):
        check_file(f"--{option}", getattr(arguments, option))
    if arguments.plot is not None:
        plots.require_format(arguments.plot)
        if len(parameters) < 2:
            raise ValueError("--plot draws a heat map, which needs two options with several values")
    every = arguments.checkpoint_every
    if every is not None:
        if arguments.out is None:
            raise ValueError("--checkpoint-every needs a folder to write to: give --out DIR")
        Checkpoint(arguments.out, every)  # checks it
    task = load_task(arguments, settings)
    if not task.has_validation:
        raise ValueError(
            "a sweep compares networks by their validation rows: give a --val-fraction above 0"
        )
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
    written = _write_results(result, arguments, task.dataset.name)
    report = {"dataset": task.dataset.name} | _test_results(result, task)
    print(result.table())
    if result.all_failed:
        print("fastmlp: every run failed, so there is no best network", file=sys.stderr)
    else:
        print(_describe_best(report))
    if arguments.json:
        report |= {"best": None if result.all_failed else result.best, "runs": result.runs}
        print(json.dumps(finite_only(report), allow_nan=False), flush=True)
    return 1 if result.all_failed or not written else 0


def _parameters(arguments: argparse.Namespace) -> tuple[dict[str, Any], Settings]:
    """Return the parameters to search over and the values that all runs share."""
    settings, defaults = resolve(arguments), defaults_for(arguments.dataset)
    searchable = [option.name for option in options_of("sweep") if option.search]
    given = {name: settings[name] for name in searchable if getattr(arguments, name) is not None}
    if not given:
        raise ValueError("a sweep needs values to try: for example --lr 1e-3,2e-3")
    single = {n: v[0] for n, v in given.items() if isinstance(v, list) and len(v) == 1}
    if len(single) == len(given):  # nothing to compare, but still a search with one run
        single = {}
    parameters = {name: values for name, values in given.items() if name not in single}
    return parameters, settings | {name: defaults[name] for name in parameters} | single


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


def _write_results(result: sweep.Result, arguments: argparse.Namespace, name: str) -> bool:
    """Write the table and heat map to the requested paths; return whether all were written."""
    tables, pictures = [arguments.csv], [arguments.plot]
    if arguments.out is not None:
        tables.append(arguments.out / "results.csv")
        if len(result.parameters) > 1 and plots.is_available():
            pictures.append(arguments.out / "heat-map.png")
    written = [write_file(path, result.to_csv) for path in tables if path is not None]
    written += [
        write_file(path, lambda path: plots.save(result.heat_map(title=printable(name)), path))
        for path in pictures
        if path is not None
    ]
    return all(written)
