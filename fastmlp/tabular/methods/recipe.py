"""A network for a table, what is done to its rows, and how it is trained."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.engine import inference
from fastmlp.model import Sequential
from fastmlp.tabular.methods.inputs import EncodedRows, Inputs
from fastmlp.tabular.methods.quantiles import QuantileInputs
from fastmlp.tabular.methods.targets import Targets
from fastmlp.training.history import History
from fastmlp.training.stopping import EarlyStopping

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """The parts of a method for one table; see `fastmlp.tabular.methods`.

    Attributes
    ----------
    inputs : Inputs or QuantileInputs
    targets : Targets
    model : Sequential
    options : dict
        The arguments of ``model.fit`` other than data.
    patience : int or None
        Epochs without improvement after which training stops; None to train all epochs.

    """

    inputs: Inputs | QuantileInputs
    targets: Targets
    model: Sequential
    options: dict[str, Any]
    patience: int | None = None

    @property
    def monitor(self) -> str:
        """What decides the best epoch by validation rows: the squared error for numbers.

        For classes, it is the loss if the learning rate follows a schedule. The published RealMLP
        takes the share of wrong labels, but that finds the luckiest of many epochs: see
        docs/tables.md. Networks with a patience do follow the share of right ones.
        """
        by_share = self.targets.n_classes and self.patience is not None
        return "val_accuracy" if by_share else "val_loss"

    def train(
        self,
        rows: EncodedRows,
        y: np.ndarray,
        rows_val: EncodedRows | None = None,
        y_val: np.ndarray | None = None,
        **options: Any,
    ) -> History:
        """Train on encoded rows; end with the epoch that is best by `monitor`.

        Of equal epochs the later one is the best. Without validation rows, the last epoch counts.

        Parameters
        ----------
        rows, y
            Encoded training rows and targets, those that the recipe was prepared for.
        rows_val, y_val : optional
            Encoded validation rows.
        **options
            Arguments of ``model.fit`` that replace those of the recipe, such as ``epochs``.

        """
        options = self.options | {"verbose": False, "matmul_precision": "high"} | options
        if rows_val is not None and y_val is not None:
            options = {
                "validation_data": (self.inputs(rows_val), self.targets.encode(y_val)),
                "early_stopping": EarlyStopping(self.patience, self.monitor, ties="later"),
                "restore_best": True,
            } | options
        return self.model.fit(self.inputs(rows), self.targets.encode(y), **options)

    def start_from_shares(self, y: np.ndarray) -> None:
        """Let the new network predict the mean of the targets, or the classes' shares, at first.

        The published first weights need some hundred steps to become better than that.
        """
        last = self.model.layers[-1]
        for array in last.params.values():
            array[...] = 0.0
        n_classes = self.targets.n_classes
        if n_classes:
            counts = np.maximum(np.bincount(y, minlength=n_classes), 0.5)
            last.params["bias"][...] = np.resize(np.log(counts / counts.sum()), last.bias.shape)

    def predict(self, rows: EncodedRows, n_threads: int | None = None) -> np.ndarray:
        """Return probabilities (N, C), or numbers (N,), for encoded rows."""
        X = self.inputs(rows)
        if not len(X):
            return self.targets.decode(np.empty((0, self.targets.n_outputs)))
        return self.targets.decode(inference.predict(self.model, X, n_threads))
