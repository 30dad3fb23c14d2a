"""The values of the training options: those given, and defaults for the rest."""

import argparse
from typing import Any

from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.option import Place
from fastmlp.cli.options import OPTIONS, options_of
from fastmlp.cli.parsing import value_text
from fastmlp.cli.tables import is_table
from fastmlp.common.errors import counted
from fastmlp.tabular.methods import DEFAULT_METHOD

__all__ = [
    "Settings",
    "defaults_for",
    "describe",
    "for_library",
    "method_of_table",
    "of_dataset",
    "resolve",
]

Settings = dict[str, Any]
"""Option name -> value."""

TRAINING: tuple[Place, ...] = ("network", "optimizer", "schedule", "fit")


def defaults_for(dataset: str) -> Settings:
    """Return the default of every option that affects training on a dataset."""
    own = DATASETS.get(dataset, {})
    return {
        option.name: own.get(option.name, option.default)
        for option in OPTIONS
        if option.by_dataset or option.goes in TRAINING
    }


def resolve(arguments: argparse.Namespace) -> Settings:
    """Return the dataset's defaults, overridden by the values on the command line."""
    settings = defaults_for(arguments.dataset)
    given = {name: getattr(arguments, name, None) for name in settings}
    return settings | {name: value for name, value in given.items() if value is not None}


def method_of_table(arguments: argparse.Namespace, command: str = "train") -> str | None:
    """Return the method that learns from a table, or None for the network of the options.

    Other data, and tables for which an option of the network or its training is given, have that
    network. For a sweep, any name stands for the methods.

    Raises
    ------
    ValueError
        If options of both kinds are given.

    """
    if arguments.dataset in DATASETS or not is_table(arguments.dataset):
        return None
    plain = [
        option
        for option in options_of(command)
        if (option.goes in TRAINING or (option.name == "val_fraction" and command == "train"))
        and option.name not in ("seed", "threads")
        and getattr(arguments, option.name) not in (None, option.default)
    ]
    learning = [
        option
        for option in options_of(command)
        if option.goes == "learning" and getattr(arguments, option.name) is not None
    ]
    if plain and learning:
        raise ValueError(
            f"{learning[0].flag} is for the networks that are made for tables, and "
            f"{plain[0].flag} for the plain network: give one of the two"
        )
    if command == "sweep":
        return DEFAULT_METHOD if learning else None
    return None if plain else arguments.method or DEFAULT_METHOD


def for_library(settings: Settings, place: Place) -> dict[str, Any]:
    """Return the values used in one place, by the library's argument names."""
    return {
        option.library_name: settings[option.name] for option in OPTIONS if option.goes == place
    }


def of_dataset(settings: Settings, command: str) -> Settings:
    """Return the values of a command's options whose defaults depend on the dataset."""
    return {o.name: settings[o.name] for o in options_of(command) if o.by_dataset}


def describe(settings: Settings) -> str:
    """Describe the network and its training in one line."""
    network, training = (
        ", ".join(
            option.told.format(_counted(settings[option.name], option.unit))
            for option in OPTIONS
            if option.told
            and (option.goes == "network") == of_network
            and settings[option.name] not in (None, False, 0)
        )
        for of_network in (True, False)
    )
    return f"{network}; {training}"


def _counted(value: Any, unit: str) -> str:
    return counted(value, unit) if unit else value_text(value)
