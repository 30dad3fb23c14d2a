"""The values of a training's options: what was given, and defaults for the rest."""

import argparse
from typing import Any

from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.option import Place
from fastmlp.cli.options import OPTIONS, options_of
from fastmlp.cli.parsing import value_text

__all__ = ["Settings", "defaults_for", "describe", "for_library", "of_dataset", "resolve"]

Settings = dict[str, Any]
"""Name of an option -> its value."""

TRAINING: tuple[Place, ...] = ("network", "optimizer", "schedule", "fit")


def defaults_for(dataset: str) -> Settings:
    """Return the value of every option that decides how a dataset is trained on."""
    own = DATASETS.get(dataset, {})
    return {
        option.name: own.get(option.name, option.default)
        for option in OPTIONS
        if option.by_dataset or option.goes in TRAINING
    }


def resolve(arguments: argparse.Namespace) -> Settings:
    """Return the dataset's defaults, overridden by what was given on the command line."""
    settings = defaults_for(arguments.dataset)
    given = {name: getattr(arguments, name, None) for name in settings}
    return settings | {name: value for name, value in given.items() if value is not None}


def for_library(settings: Settings, place: Place) -> dict[str, Any]:
    """Return the values that go to one place, by the names that the library has for them."""
    return {
        option.library_name: settings[option.name] for option in OPTIONS if option.goes == place
    }


def of_dataset(settings: Settings, command: str) -> Settings:
    """Return the values that a command could be given and whose defaults a dataset decides."""
    return {o.name: settings[o.name] for o in options_of(command) if o.by_dataset}


def describe(settings: Settings) -> str:
    """Return one line that says what is trained and how."""
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
