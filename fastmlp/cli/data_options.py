"""The options of the command line about data: what to read, and how to learn from tables."""

from pathlib import Path

from fastmlp.cli.option import Option, Search
from fastmlp.cli.parsing import (
    encoding,
    fraction,
    name_of,
    names,
    number,
    one_character,
    whole_number,
)
from fastmlp.datasets.table import TASKS
from fastmlp.tabular import METHODS
from fastmlp.tabular.methods import DEFAULT_METHOD
from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION

__all__ = ["DATA", "LEARNING"]

DATA = (
    Option(
        "data_dir",
        "data",
        "folder with the dataset's official files",
        Path,
        "DIR",
        shown_default="downloaded once and kept",
        argument="directory",
    ),
    Option(
        "val_fraction",
        "data",
        "share of the training rows to hold out for validation",
        fraction,
        "SHARE",
        default=0.1,
        by_dataset=True,
    ),
    Option(
        "target",
        "table",
        "column to predict",
        str,
        "COLUMN",
        commands=("train", "sweep", "evaluate"),
    ),
    Option(
        "task",
        "table",
        "classification or regression",
        name_of("task", TASKS),
        "NAME",
        shown_default="auto: decided by the target's values",
    ),
    Option(
        "delimiter",
        "table",
        "character between the cells, or the word tab",
        one_character,
        "CHAR",
        shown_default="detected",
        commands=("train", "sweep", "predict", "evaluate"),
    ),
    Option(
        "encoding",
        "table",
        "encoding of a text file without a byte-order mark, such as latin-1 or shift_jis",
        encoding,
        "NAME",
        shown_default="UTF-8; Windows-1252 if it is not UTF-8",
        commands=("train", "sweep", "predict", "evaluate"),
    ),
    *(
        Option(name, "table", text, names, metavar, repeated=True)
        for name, metavar, text in (
            ("drop", "NAME,NAME", "columns to leave out"),
            ("categorical", "NAME,NAME", "columns to read as categories"),
            ("numeric", "NAME,NAME", "columns to read as numbers"),
            ("missing", "TEXT,TEXT", "texts that stand for a missing value, besides NA and ?"),
        )
    ),
)

_METRICS = (*CLASSIFICATION, *REGRESSION)

LEARNING = (
    Option(
        "test",
        "learning",
        "table of test rows",
        Path,
        "FILE",
        shown_default="a fifth of the rows",
    ),
    Option(
        "method",
        "learning",
        f"how networks for tables are built and trained: {', '.join(METHODS)}",
        name_of("method", METHODS),
        "NAME",
        shown_default=f"{DEFAULT_METHOD}; the plain network if one of its options is given",
        search=Search(),
    ),
    Option(
        "ensemble",
        "learning",
        "number of networks whose predictions are averaged; pack chooses the best of so many",
        whole_number(1),
        "N",
        shown_default="4 with mixed, 30 with pack, else 1; with --time-limit, as many as there is "
        "time for",
        search=Search(),
        argument="n_ensemble",
    ),
    Option(
        "time_limit",
        "learning",
        "seconds for the training",
        number(above=True),
        "SECONDS",
        shown_default="no limit",
    ),
    Option(
        "metric",
        "learning",
        "score that decides which epoch is the best and, in a sweep, which run: "
        f"{', '.join(_METRICS)}",
        name_of("metric", _METRICS),
        "NAME",
        shown_default="accuracy, or rmse for numbers",
    ),
)
