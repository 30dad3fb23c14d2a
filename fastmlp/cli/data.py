"""The training data: a dataset by name or a CSV file, split into three parts."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.settings import Settings
from fastmlp.cli.tables import is_table, read_table, require_no_table_options
from fastmlp.common.errors import counted, unknown
from fastmlp.datasets import Dataset
from fastmlp.datasets.splits import train_test_rows
from fastmlp.datasets.wording import counted_classes

__all__ = ["Task", "load_task"]


@dataclass(frozen=True, eq=False)
class Task:
    """The rows to train, validate and test on, and the kind of targets.

    Attributes
    ----------
    dataset : Dataset
        All rows, with the names of classes and columns.
    X_train, y_train, X_val, y_val : ndarray
        The dataset's training rows, split; no validation rows with ``--val-fraction 0``.
    target_mean, target_std : float
        Mean and standard deviation of a regression's training targets, because the network learns
        standardised targets. 0 and 1 for classes.

    """

    dataset: Dataset
    X_train: np.ndarray
    y_train: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    target_mean: float = 0.0
    target_std: float = 1.0

    @property
    def n_outputs(self) -> int:
        """The number of network outputs."""
        return self.dataset.n_classes or 1

    @property
    def loss(self) -> str:
        """The name of the loss that fits the targets."""
        return "mse" if self.dataset.classes is None else "cross_entropy"

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows."""
        return len(self.X_val) > 0

    def to_learn(self, y: np.ndarray) -> np.ndarray:
        """Return the targets for the network: classes unchanged, values standardised."""
        if self.dataset.classes is not None:
            return y
        return ((y.astype(np.float64) - self.target_mean) / self.target_std).astype(np.float32)

    def describe(self) -> str:
        """Return one line about the data."""
        data = self.dataset
        kind = "regression" if data.classes is None else counted_classes(len(data.classes))
        return (
            f"{data.name}: {len(self.X_train):,} training, {len(self.X_val):,} validation, "
            f"{len(data.X_test):,} test rows of {counted(data.n_features, 'input')}, {kind}"
        )


def load_task(arguments: argparse.Namespace, settings: Settings) -> Task:
    """Read the data named on the command line, and split it using the seed.

    Raises
    ------
    ValueError
        If the dataset is unknown and not a CSV file, or an option does not fit it.
    OSError
        If a file is missing or cannot be read.

    """
    dataset = _read(arguments)
    X, y = dataset.X_train, dataset.y_train
    train, val = np.arange(len(X)), np.arange(0)
    if settings["val_fraction"]:
        labels = None if dataset.classes is None else y
        train, val = train_test_rows(
            len(X), settings["val_fraction"], settings["seed"], labels, name="val_fraction"
        )
    elif settings["early_stopping"]:
        raise ValueError("--early-stopping needs validation rows: give a --val-fraction above 0")
    rows = (X[train], y[train], X[val], y[val])
    if dataset.classes is not None:
        return Task(dataset, *rows)
    values = y[train].astype(np.float64)
    mean, std = float(values.mean()), float(values.std())
    # Equal values may differ from their mean by a rounding error, which must not count as spread.
    constant = std <= 4 * np.finfo(np.float64).eps * abs(mean)
    return Task(dataset, *rows, mean, 1.0 if constant else std)


def _read(arguments: argparse.Namespace) -> Dataset:
    from fastmlp import datasets

    name = arguments.dataset
    if name in DATASETS:
        require_no_table_options(arguments)
        if name == "digits":
            return datasets.digits()
        return getattr(datasets, name)(arguments.data_dir)
    if is_table(name):
        return read_table(arguments)
    where = "there is no such file" if not Path(name).exists() else "it is not a file"
    raise ValueError(f"{unknown('dataset', name, DATASETS)}, or for a table FILE.csv: {where}")
