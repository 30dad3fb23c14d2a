"""The description of a command line option, and how to add it to a parser."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.parsing import value_text
from fastmlp.sweep import LogUniform, Uniform

__all__ = ["Option", "Place", "Search"]

Place = Literal[
    "data", "table", "learning", "network", "optimizer", "schedule", "fit", "search", "results"
]


@dataclass(frozen=True)
class Search:
    """How a sweep reads the values to try for an option.

    Attributes
    ----------
    separator : str
        The text between two values.
    spread : type, optional
        How to draw from a range ``low:high``; None if the option takes no range.

    """

    separator: str = ","
    spread: type[Uniform] | type[LogUniform] | None = None


@dataclass(frozen=True)
class Option:
    """One option of the command line.

    Attributes
    ----------
    name : str
        A Python name: ``batch_size`` is the option ``--batch-size``.
    goes : str
        Where the value is used: "data" and "table" for what to read; "learning" for the methods
        that learn from tables; "network", "optimizer",
        "schedule" and "fit" for training; "search" for the sweep itself; "results" for what to
        write.
    help : str
        The help without the default, which is added automatically.
    parse : callable, optional
        Converts text to a value; None for a switch.
    metavar : str
        The placeholder for the value in the help.
    default : object
        The value if the option is not given.
    by_dataset : bool
        Whether `DATASETS` may override the default.
    shown_default : str
        The text that the help shows for a default of None.
    commands : tuple of str
        The commands that take the option.
    search : Search, optional
        How a sweep tries several values; None if it takes only one.
    argument : str
        The library's name for it, if different from ``name``.
    told : str
        Its part of the printed description, with {} for the value; omitted if the value is 0, None
        or False.
    unit : str
        What the value counts there, in the singular.
    repeated : bool
        Whether the option may be repeated; each use extends a list.

    """

    name: str
    goes: Place
    help: str
    parse: Callable[[str], Any] | None = None
    metavar: str = ""
    default: Any = None
    by_dataset: bool = False
    shown_default: str = ""
    commands: tuple[str, ...] = ("train", "sweep")
    search: Search | None = None
    argument: str = ""
    told: str = ""
    unit: str = ""
    repeated: bool = False

    @property
    def flag(self) -> str:
        """The option as typed in a shell."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def library_name(self) -> str:
        """The name of the library's argument that takes the value."""
        return self.argument or self.name

    def help_text(self) -> str:
        """Return the help with the default, and any different defaults of the datasets."""
        default = self.shown_default
        if not default and (self.by_dataset or (self.parse and self.default is not None)):
            default = value_text(self.default)
        others: dict[str, list[str]] = {}
        for dataset, values in DATASETS.items():
            if values.get(self.name, self.default) != self.default:
                others.setdefault(value_text(values[self.name]), []).append(dataset)
        shown = [default, *(f"{', '.join(where)}: {text}" for text, where in others.items())]
        return f"{self.help} [{'; '.join(shown)}]" if default else self.help

    def add_to(self, parser: "argparse._ActionsContainer", command: str) -> None:
        """Add the option to a command's parser; with `by_dataset`, it is None if not given."""
        settings: dict[str, Any] = {
            "help": self.help_text(),
            "default": None if self.by_dataset else self.default,
        }
        if self.parse is not None:
            settings |= {"type": self.parse, "metavar": self.metavar}
        if command == "sweep" and self.search is not None:
            settings |= {"type": _values(self.parse, self.search), "metavar": "VALUES"}
        elif self.repeated:
            settings["action"] = "extend"
        elif self.parse is None:
            settings["action"] = argparse.BooleanOptionalAction if self.by_dataset else "store_true"
        parser.add_argument(self.flag, dest=self.name, **settings)


def _values(
    parse: Callable[[str], Any] | None, search: Search
) -> Callable[[str], list[Any] | Uniform | LogUniform]:
    """Return a parser for a list of values or a range of numbers."""
    assert parse is not None, "a switch cannot be searched"

    def read(text: str) -> list[Any] | Uniform | LogUniform:
        low, colon, high = text.partition(":")
        if not colon:
            return [parse(part) for part in text.split(search.separator)]
        if search.spread is None:
            raise argparse.ArgumentTypeError(
                f"expected values separated by {search.separator!r}, not a range, got {text!r}"
            )
        ends = parse(low), parse(high)
        if not ends[0] < ends[1]:
            raise argparse.ArgumentTypeError(f"expected the lower number first, got {text!r}")
        if search.spread is LogUniform and ends[0] <= 0:
            raise argparse.ArgumentTypeError(f"expected a range that starts above 0, got {text!r}")
        return search.spread(*ends)

    return read
