"""The values of the training options: those given, and defaults for the rest."""

import argparse
from typing import Any

from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.option import Place
from fastmlp.cli.options import OPTIONS, options_of
from fastmlp.cli.parsing import value_text

__all__ = ["Settings", "defaults_for", "describe", "for_library", "of_dataset", "resolve"]

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
            option.told.format(value_text(settings[option.name]))
            for option in OPTIONS
            if option.told
            and (option.goes == "network") == of_network
            and settings[option.name] not in (None, False, 0)
        )
        for of_network in (True, False)
    )
    return f"{network}; {training}"
