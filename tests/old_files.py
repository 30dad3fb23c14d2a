"""Writes tables' models in the present format to ``tests/files``, for later versions to read.

::

    python tests/old_files.py                # those that are missing
    python tests/old_files.py pack           # those of one method, again

The networks are those of each method, but narrow. After a change of format, give the new files
another number: the old ones stay.
"""

import importlib
import sys
import warnings
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl

from fastmlp.storage.model_file import TABLE_FORMAT
from fastmlp.tabular import METHODS, TabularClassifier, TabularRegressor, methods

pack, realmlp_td, realmlp_td_s, tabm_mini = (
    importlib.import_module(f"fastmlp.tabular.methods.{name}")  # a function has the same name
    for name in ("pack", "realmlp_td", "realmlp_td_s", "tabm_mini")
)

FILES = Path(__file__).parent / "files"
ROWS = FILES / "table-rows.csv"


def rows_of_table():
    """Return raw rows, with missing values and categories that were not trained on."""
    return pl.read_csv(ROWS, infer_schema=False)


def predictions(estimator, frame):
    """Return what a model predicts: probabilities or numbers."""
    return getattr(estimator, "predict_proba", estimator.predict)(frame)


def main(chosen):
    from tabular_support import birds

    warnings.simplefilter("ignore")
    if not ROWS.exists():
        birds(9, seed=9)[0].with_columns(nest=pl.lit("roof")).write_csv(ROWS)
    number = TABLE_FORMAT.split()[-1]
    frame, species, grams = birds(80)
    for method in chosen or METHODS:
        for kind, targets in ((TabularClassifier, species), (TabularRegressor, grams)):
            name = f"table-format-{number}-{method}-{kind.__name__.removeprefix('Tabular').lower()}"
            path = FILES / f"{name}.safetensors"
            if path.exists() and not chosen:
                continue
            with narrow():
                estimator = kind(method, n_ensemble=2, random_state=0).fit(frame, targets)
            estimator.save(path)
            np.save(path.with_suffix(".npy"), predictions(estimator, rows_of_table()))
            print(path.name, path.stat().st_size)


def narrow():
    """Make the methods' networks narrow while this is entered."""
    plain, stack = partial(pack._Plain, widths=(8,), n_bins=4, n_made=2), ExitStack()
    settings = [realmlp_td.Settings(widths=(8, 8)), plain(), None]
    small_td = partial(realmlp_td.realmlp_td, settings=settings[0])
    for patch in (
        mock.patch.object(realmlp_td_s, "_WIDTHS", (8, 8)),
        mock.patch.dict(methods._METHODS, {"realmlp-td": small_td}),
        mock.patch.multiple(tabm_mini, _MEMBERS=3, _WIDTH=16, _BINS=4, _WIDTH_OF_NUMBERS=4),
        mock.patch.object(pack, "_settings", lambda number: settings[number % 3]),
    ):
        stack.enter_context(patch)
    return stack


if __name__ == "__main__":
    main(sys.argv[1:])
