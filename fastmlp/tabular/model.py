"""A trained model of a table: the encoder, the networks, and what they predict together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.tabular.encoder import Encoded, TableEncoder
from fastmlp.tabular.methods import Recipe
from fastmlp.tabular.metrics import Metric

__all__ = ["TableModel"]

_BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class TableModel:
    """Predicts a column of a table from the others.

    Attributes
    ----------
    encoder : TableEncoder
    recipes : tuple of Recipe
        The networks.
    weights : tuple of float
        Of the networks in the mean of their predictions; they sum to 1.
    classes : ndarray of shape (C,), or None
        The classes, sorted; None for numbers.
    method : str
    metric : Metric
    target : str
        The name of the predicted column, or "".
    told : dict
        More about the model for people, as JSON can hold it.

    """

    encoder: TableEncoder
    recipes: tuple[Recipe, ...]
    weights: tuple[float, ...]
    classes: np.ndarray | None
    method: str
    metric: Metric
    target: str
    told: dict[str, Any]

    def predict(self, X: Any, n_threads: int | None = None) -> np.ndarray:
        """Return class probabilities (N, C), or numbers (N,), for the rows of a frame or array."""
        return self.predict_encoded(self.encoder.transform(X), n_threads)

    def predict_encoded(self, inputs: Encoded, n_threads: int | None = None) -> np.ndarray:
        """Return the same for encoded rows, in float64."""
        blocks = [
            self._mean(inputs.take(slice(start, start + _BLOCK)), n_threads)
            for start in range(0, max(1, len(inputs)), _BLOCK)
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _mean(self, inputs: Encoded, n_threads: int | None) -> np.ndarray:
        total = np.zeros(())
        for recipe, weight in zip(self.recipes, self.weights, strict=True):
            total = total + weight * recipe.predict(inputs, n_threads)
        return total

    def labels(self, predicted: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row; numbers stay what they are."""
        return predicted if self.classes is None else self.classes[predicted.argmax(axis=1)]
