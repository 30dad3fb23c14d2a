"""Between the targets of a table and those of its network."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Targets"]


@dataclass(frozen=True)
class Targets:
    """Classes stay numbers from 0; numbers are standardised.

    Attributes
    ----------
    n_classes : int
        0 for numbers.
    mean, std : float
        Of the training targets, with the population's deviation.
    low, high : float
        Predicted numbers are kept between these.
    n_members : int
        How many networks the outputs come from, one after the other. Their probabilities or
        numbers are averaged.

    """

    n_classes: int
    mean: float = 0.0
    std: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    n_members: int = 1

    @classmethod
    def fitted(
        cls, y: np.ndarray, n_classes: int, clamp: bool = False, n_members: int = 1
    ) -> "Targets":
        """Return those of the training rows; with ``clamp``, predictions keep to their range."""
        if n_classes:
            return cls(n_classes, n_members=n_members)
        y = np.asarray(y, np.float64)
        limits = (float(y.min()), float(y.max())) if clamp else (-np.inf, np.inf)
        return cls(0, float(y.mean()), float(y.std()) or 1.0, *limits, n_members)

    @property
    def n_outputs(self) -> int:
        """The number of outputs of the network."""
        return self.n_members * (self.n_classes or 1)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return the network's targets: int64 (N,), or standardised float32 (N, n_members)."""
        if self.n_classes:
            return np.asarray(y, np.int64)
        z = ((np.asarray(y, np.float64) - self.mean) / self.std).astype(np.float32)
        return np.repeat(z[:, None], self.n_members, axis=1)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return probabilities (N, C), or numbers (N,), in float64."""
        outputs = np.asarray(outputs, np.float64)
        if self.n_classes:
            outputs = outputs.reshape(len(outputs), self.n_members, self.n_classes)
            e = np.exp(outputs - outputs.max(axis=2, keepdims=True))
            return (e / e.sum(axis=2, keepdims=True)).mean(axis=1)
        numbers = np.clip(outputs * self.std + self.mean, self.low, self.high)
        return numbers.mean(axis=1)
