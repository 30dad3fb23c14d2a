"""`fastmlp sweep`: a network for each combination of training parameters, and the best of them."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastmlp import plots, sweep
from fastmlp.cli.data import Task, load_task
from fastmlp.cli.defaults import Defaults
from fastmlp.cli.destinations import check_file, check_folder, write_file
from fastmlp.cli.fitting import r2, train_network
from fastmlp.cli.parsing import fraction, hidden_sizes, name_of, number, whole_number
from fastmlp.cli.report import finite_only, r2_text
from fastmlp.cli.train import add_data_options, resolve_options
from fastmlp.cli.wording import OPTIONS
from fastmlp.errors import called
from fastmlp.layers import ACTIVATIONS
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES

__all__ = ["add_parser", "run", "train_once"]

# What may be searched over: how one value is read, and what it is.
_SEARCHED: dict[str, tuple[Callable[[str], Any], str]] = {
    "hidden": (hidden_sizes, "units of each hidden layer; alternatives with / between"),
    "activation": (name_of("activation", ACTIVATIONS), ", ".join(ACTIVATIONS)),
    "dropout": (fraction, "probability of dropping a hidden unit"),
    "optimizer": (name_of("optimizer", OPTIMIZERS), ", ".join(OPTIMIZERS)),
    "lr": (number(above=True), "learning rate"),
    "schedule": (name_of("schedule", SCHEDULES), ", ".join(SCHEDULES)),
    "weight_decay": (number(), "decay of the weight matrices, by the optimizer"),
    "clip_norm": (number(above=True), "largest norm of a step's gradient"),
    "l2": (number(), "0.5 * l2 * sum(W * W) is added to the loss"),
    "epochs": (whole_number(1), "passes over the training rows"),
    "batch_size": (whole_number(1), "rows a step"),
}


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "sweep",
        help="train with many combinations of parameters and keep the best network",
        epilog="Parameters take values with commas between (--lr 1e-3,2e-3), and with --random "
        "also a range (--lr 1e-4:1e-2). Those that are not given have the dataset's default.",
    )
    add_data_options(parser)
    add = parser.add_argument
    for name, (parse, text) in _SEARCHED.items():
        separator = "/" if name == "hidden" else ","
        add(
            f"--{name.replace('_', '-')}",
            type=_values(parse, separator, log=name != "dropout"),
            metavar="VALUES",
            dest=f"sweep_{name}",
            help=text,
        )
    add("--random", type=whole_number(1), metavar="N", help="draw N combinations; default: all")
    add("--jobs", type=whole_number(1), metavar="N", help="processes; default: one a thread")
    add("--threads", type=whole_number(1), metavar="N", help="for all processes together")
    add("--seed", type=whole_number(0), default=0, metavar="N", help="of everything random [0]")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="note every run here, go on from here when called again, and leave results.csv, "
        "heat-map.png and best.safetensors here",
    )
    add("--csv", type=Path, metavar="FILE", help="write the table here")
    add("--plot", type=Path, metavar="FILE", help="draw the heat map here")
    add("--json", action="store_true", help="make the last line of output one JSON object")
    parser.set_defaults(run=run, early_stopping=None, batch_norm=None)


def run(arguments: argparse.Namespace) -> int:
    """Search, write what was asked for, print the table."""
    parameters, fixed = _parameters(arguments)
    l2 = fixed.pop("l2", 0.0)
    options = dataclasses.replace(resolve_options(arguments), **fixed)
    for option in ("csv", "plot"):
        check_file(f"--{option}", getattr(arguments, option))
    if arguments.plot is not None:
        plots.require_format(arguments.plot)
        if len(parameters) < 2:
            raise ValueError("--plot draws a heat map, which needs values of two parameters to try")
    task = load_task(arguments, options)
    if not task.has_validation:
        raise ValueError(
            "a sweep compares results on validation rows: give a --val-fraction above 0"
        )
    check_folder("--out", arguments.out)
    print(task.describe(), flush=True)
    result = sweep.search(
        _Trainer(task, options, l2),
        parameters,
        n_runs=arguments.random,
        seed=arguments.seed,
        n_jobs=arguments.jobs,
        n_threads=arguments.threads,
        folder=arguments.out,
        context=[task.describe(), dataclasses.asdict(options), l2],
    )
    written = _write_results(result, arguments)
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


def train_once(
    task: Task, options: Defaults, seed: int, n_threads: int, l2: float = 0.0
) -> tuple[Any, dict[str, Any]]:
    """Train a network by the options; return it and how it did on the validation rows."""
    model, history, scores = train_network(task, options, seed=seed, n_threads=n_threads, l2=l2)
    ended = {"seconds": float(sum(history.seconds)), "stopped": history.stopped}
    if (history.stopped or "").startswith("diverged"):
        return model, ended | {"failed": history.stopped}
    val_loss, val_accuracy = scores["val"]
    if task.dataset.classes is None:
        found = {"val_loss": val_loss, "val_r2": r2(val_loss, task.y_val)}
    else:
        train_accuracy = history.accuracy[-1] if history.epochs else None
        found = {
            "val_accuracy": val_accuracy,
            "val_loss": val_loss,
            "train_accuracy": train_accuracy,
        }
    return model, found | ended


def _parameters(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is searched over, and what has one value for all runs."""
    chosen = {name: getattr(arguments, f"sweep_{name}") for name in _SEARCHED}
    parameters = {name: values for name, values in chosen.items() if values is not None}
    if not parameters:
        raise ValueError("a sweep needs values to try: for example --lr 1e-3,2e-3")
    # a single value is no search, unless there is no other
    fixed = {n: v[0] for n, v in parameters.items() if isinstance(v, list) and len(v) == 1}
    if len(fixed) == len(parameters):
        fixed = {}
    return {n: values for n, values in parameters.items() if n not in fixed}, fixed


@dataclasses.dataclass(frozen=True)
class _Trainer:
    """What runs in the other processes: `train_once` with what all runs share."""

    task: Task
    options: Defaults
    l2: float

    def __call__(self, seed: int, n_threads: int, **settings: Any) -> Any:
        l2 = settings.pop("l2", self.l2)
        options = dataclasses.replace(self.options, **settings)
        with called(OPTIONS):
            return train_once(self.task, options, seed, n_threads, l2)


def _values(
    parse: Callable[[str], Any], separator: str, log: bool
) -> Callable[[str], list[Any] | sweep.Uniform | sweep.LogUniform]:
    """Return the type of an option that takes several values, or a range of numbers."""

    def read(text: str) -> list[Any] | sweep.Uniform | sweep.LogUniform:
        low, colon, high = text.partition(":")
        if not colon:
            return [parse(part) for part in text.split(separator)]
        ends = parse(low), parse(high)
        if not all(isinstance(end, float) for end in ends):
            raise argparse.ArgumentTypeError(
                f"expected values with {separator!r} between, of which no range can be drawn, "
                f"got {text!r}"
            )
        if not ends[0] < ends[1]:
            raise argparse.ArgumentTypeError(f"expected the lower number first, got {text!r}")
        if log and ends[0] <= 0:
            raise argparse.ArgumentTypeError(f"expected a range that starts above 0, got {text!r}")
        return sweep.LogUniform(*ends) if log else sweep.Uniform(*ends)

    return read


def _test_results(result: sweep.Result, task: Task) -> dict[str, Any]:
    """Return how the best network does on the test rows."""
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


def _write_results(result: sweep.Result, arguments: argparse.Namespace) -> bool:
    """Write table and heat map where they were asked for; return whether all were written."""
    tables, pictures = [arguments.csv], [arguments.plot]
    if arguments.out is not None:
        tables.append(arguments.out / "results.csv")
        if len(result.parameters) > 1 and plots.is_available():
            pictures.append(arguments.out / "heat-map.png")
    written = [write_file(path, result.to_csv) for path in tables if path is not None]
    written += [
        write_file(path, lambda path: plots.save(result.heat_map(), path))
        for path in pictures
        if path is not None
    ]
    return all(written)
