"""The options of `train` and `sweep`, one row each; everything else is derived from the row.

A row holds the option's parser, help and default, how a sweep searches it, its name in error
messages, its text in the printed description, and where its value is used.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastmlp.cli.data_options import DATA, LEARNING
from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.option import Option, Place, Search
from fastmlp.cli.parsing import (
    epochs_or_seconds,
    fraction,
    hidden_sizes,
    name_of,
    number,
    whole_number,
)
from fastmlp.layers import ACTIVATIONS
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES
from fastmlp.sweep import LogUniform, Uniform
from fastmlp.training import PRECISIONS

__all__ = [
    "DEFAULTS_NOTE",
    "OPTIONS",
    "add_dataset",
    "add_options",
    "options_of",
]

DEFAULTS_NOTE = (
    "Defaults are in brackets: the one for tables, then those of the datasets that differ from it."
)
_HEADINGS: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("data", ("data",)),
    ("tables", ("table", "learning")),
    ("network", ("network",)),
    ("training", ("optimizer", "schedule", "fit")),
    ("search", ("search",)),
    ("results", ("results",)),
)


def _one_of(kind: str, known: Iterable[str]) -> dict[str, Any]:
    return {"parse": name_of(kind, known), "metavar": "NAME", "search": Search()}


def _listed(known: Iterable[str]) -> str:
    return ", ".join(known)


_NETWORK = (
    Option(
        "hidden",
        "network",
        "units in each hidden layer, for example 256,128; or none",
        hidden_sizes,
        "N,N",
        default=(128, 128),
        by_dataset=True,
        search=Search(separator="/"),
        told="hidden layers {}",
    ),
    Option(
        "activation",
        "network",
        f"activation of the hidden layers: {_listed(ACTIVATIONS)}",
        **_one_of("activation", ACTIVATIONS),
        default="relu",
        by_dataset=True,
        told="{}",
    ),
    Option(
        "dropout",
        "network",
        "probability of dropping a hidden unit",
        fraction,
        "P",
        default=0.1,
        by_dataset=True,
        search=Search(spread=Uniform),
        told="dropout {}",
    ),
    Option(
        "batch_norm",
        "network",
        "normalise each hidden layer over the batch, before its activation",
        default=False,
        by_dataset=True,
        commands=("train",),
        told="batch norm",
    ),
)

_TRAINING = (
    Option(
        "optimizer",
        "optimizer",
        f"optimizer: {_listed(OPTIMIZERS)}",
        **_one_of("optimizer", OPTIMIZERS),
        default="adamw",
        by_dataset=True,
        told="{}",
    ),
    Option(
        "lr",
        "schedule",
        "learning rate; the highest one if the schedule changes it",
        number(above=True),
        "RATE",
        default=2e-3,
        by_dataset=True,
        search=Search(spread=LogUniform),
        told="lr {}",
    ),
    Option(
        "schedule",
        "schedule",
        f"how the learning rate changes: {_listed(SCHEDULES)}",
        **_one_of("schedule", SCHEDULES),
        default="one_cycle",
        by_dataset=True,
        told="{}",
    ),
    Option(
        "weight_decay",
        "optimizer",
        "weight decay; biases are not decayed",
        number(),
        "RATE",
        default=1e-2,
        by_dataset=True,
        search=Search(spread=LogUniform),
        told="weight decay {}",
    ),
    Option(
        "clip_norm",
        "optimizer",
        "scale a step's gradient down to this norm if it is longer",
        number(above=True),
        "NORM",
        by_dataset=True,
        shown_default="no limit",
        search=Search(spread=LogUniform),
        told="clip norm {}",
    ),
    Option(
        "l2",
        "fit",
        "L2 penalty: adds 0.5 * l2 * sum(W * W) to the loss",
        number(),
        "RATE",
        default=0.0,
        by_dataset=True,
        search=Search(spread=LogUniform),
        told="l2 {}",
    ),
    Option(
        "epochs",
        "fit",
        "passes over the training rows",
        whole_number(1),
        "N",
        default=30,
        by_dataset=True,
        search=Search(),
        told="{}",
        unit="epoch",
    ),
    Option(
        "batch_size",
        "fit",
        "rows per step",
        whole_number(1),
        "N",
        default=128,
        by_dataset=True,
        search=Search(),
        told="batches of {}",
    ),
    Option(
        "early_stopping",
        "fit",
        "stop after N epochs without a better validation loss and keep the best network; "
        "0: train to the end",
        whole_number(0),
        "N",
        default=0,
        by_dataset=True,
        commands=("train",),
        told="early stopping after {}",
        unit="epoch",
    ),
    Option(
        "seed",
        "fit",
        "seed for all random numbers",
        whole_number(0),
        "N",
        default=0,
    ),
    Option(
        "threads",
        "fit",
        "number of threads, over all processes",
        whole_number(1),
        "N",
        shown_default="all that this process may use",
        commands=("train", "sweep", "predict", "evaluate"),
        argument="n_threads",
    ),
    Option(
        "precision",
        "fit",
        f"precision of matrix products: {_listed(PRECISIONS)}",
        name_of("precision", PRECISIONS),
        "NAME",
        default="highest",
        commands=("train",),
        argument="matmul_precision",
    ),
)

_SEARCH = (
    Option(
        "random",
        "search",
        "try N random combinations",
        whole_number(1),
        "N",
        shown_default="every combination",
        commands=("sweep",),
        argument="n_runs",
    ),
    Option(
        "jobs",
        "search",
        "number of processes",
        whole_number(1),
        "N",
        shown_default="none for networks of up to 1,000,000 weights, which train side by side in "
        "threads, and none for --method, whose runs use all threads; else one per thread",
        commands=("sweep",),
        argument="n_jobs",
    ),
)

_RESULTS = (
    Option(
        "out",
        "results",
        "save the trained network to this file; for a table, with the encoder of its rows",
        Path,
        "FILE",
        commands=("train",),
    ),
    Option(
        "out",
        "results",
        "write the predictions to this CSV file",
        Path,
        "FILE",
        shown_default="standard output",
        commands=("predict",),
    ),
    Option(
        "proba",
        "results",
        "write the probability of each class",
        default=False,
        commands=("predict",),
    ),
    Option(
        "out",
        "results",
        "keep every finished run in this folder and resume from them; results.csv, heat-map.png "
        "and best.safetensors are written to it too",
        Path,
        "DIR",
        commands=("sweep",),
        argument="folder",
    ),
    Option(
        "checkpoint",
        "results",
        "keep checkpoints in this folder while training, to continue from with --resume",
        Path,
        "DIR",
        commands=("train",),
    ),
    Option(
        "checkpoint_every",
        "results",
        "write a checkpoint every N epochs ('2 epochs') or seconds (300)",
        epochs_or_seconds,
        "N",
        shown_default="1 epoch",
        commands=("train",),
        argument="every",
    ),
    Option(
        "checkpoint_every",
        "results",
        "keep checkpoints of unfinished runs in the folder of --out, every N epochs ('2 epochs') "
        "or seconds (300), so that a killed sweep continues within a run",
        epochs_or_seconds,
        "N",
        shown_default="unfinished runs begin again",
        commands=("sweep",),
        argument="every",
    ),
    Option(
        "resume",
        "results",
        "continue from the newest checkpoint in the folder of --checkpoint, if there is one",
        default=False,
        commands=("train",),
    ),
    Option(
        "csv",
        "results",
        "write the table of runs to this file",
        Path,
        "FILE",
        commands=("sweep",),
    ),
    Option(
        "plot",
        "results",
        "draw the learning curves and how well the test rows are predicted to this file",
        Path,
        "FILE",
        commands=("train",),
    ),
    Option(
        "report",
        "results",
        "write a page about the data, the training and how well the test rows are predicted to "
        "this HTML file",
        Path,
        "FILE",
        commands=("train",),
    ),
    Option(
        "plot",
        "results",
        "draw the results over two parameters as a heat map to this file",
        Path,
        "FILE",
        commands=("sweep",),
    ),
    Option(
        "json",
        "results",
        "print one JSON object as the last line of output",
        default=False,
        commands=("train", "sweep", "evaluate"),
    ),
)

OPTIONS = (*DATA, *LEARNING, *_NETWORK, *_TRAINING, *_SEARCH, *_RESULTS)
"""All options, in the order in which the help lists them."""


def options_of(command: str) -> list[Option]:
    """Return the options that a command takes."""
    return [option for option in OPTIONS if command in option.commands]


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the data to train on."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help=f"{_listed(DATASETS)}, or the path of a table: CSV, Parquet, Arrow or JSON lines",
    )


def add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Add all options of a command to its parser, under headings."""
    for heading, places in _HEADINGS:
        chosen = [option for option in options_of(command) if option.goes in places]
        if chosen:
            group = parser.add_argument_group(heading)
            for option in chosen:
                option.add_to(group, command)
