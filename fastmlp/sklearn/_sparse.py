"""Training and prediction on sparse rows that are too wide to convert to dense ones.

Only the first layer sees the rows; scipy computes its products with a sparse matrix, and all other
layers work as usual. Apart from the weights, memory is proportional to the stored values.
"""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp.engine import inference, layerwise
from fastmlp.engine.layerwise import LayerRunner
from fastmlp.engine.protocols import Loss, Model
from fastmlp.layers import Linear
from fastmlp.sklearn._data import WINDOW, dense

__all__ = ["SparseRunner", "loss_and_grads", "outputs", "spreads_out"]

_WIDE = 1 << 18  # bytes per dense row: beyond this, most time would be spent on zeros
_ROWS = 4096  # largest number of rows that are converted at a time for prediction


def outputs(model: Model, X: Any, n_threads: int | None) -> np.ndarray:
    """Return the outputs (N, C), computed for some rows at a time if they are sparse.

    Parameters
    ----------
    model : Sequential
        Its first layer is Linear.
    X : numpy.ndarray or sparse matrix, shape (N, D)
    n_threads : int, optional

    """
    if not issparse(X):
        return inference.predict(model, X, n_threads)
    rows = X.tocsr()
    row_bytes = rows.shape[1] * rows.dtype.itemsize
    if row_bytes >= _WIDE:
        rest = [layer.twin() for layer in model.stages[1:]]
        parts = [
            layerwise.forward(rest, _first_outputs(model, rows[start : start + _ROWS]))
            for start in range(0, rows.shape[0], _ROWS)
        ]
    else:
        n = max(1, min(_ROWS, WINDOW // row_bytes))
        parts = [
            inference.predict(model, dense(rows[start : start + n]), n_threads)
            for start in range(0, rows.shape[0], n)
        ]
    return np.concatenate(parts)  # a row's result never depends on the others


def spreads_out(X: Any, batch_size: int) -> bool:
    """Tell whether a minibatch of sparse rows is small enough to convert to dense."""
    return batch_size * X.shape[1] * X.dtype.itemsize <= WINDOW


def loss_and_grads(
    model: Model,
    loss: Loss,
    X: Any,
    targets: np.ndarray,
    weights: np.ndarray | None,
) -> tuple[float, int]:
    """Return the loss, without penalties, and the number of correct rows; write ``model.grad``."""
    first, *rest = model.stages
    assert isinstance(first, Linear), "an estimator's network starts with a Linear"
    z = layerwise.forward(rest, _first_outputs(model, X), train=True)
    dz = np.empty_like(z)
    value, n_correct = loss.compute(z, targets, weights, dz)
    for layer in reversed(rest):
        dz = layer.backward(dz)
    first.grads["weight"][...] = X.T @ dz
    first.grads["bias"][...] = dz.sum(axis=0)
    return value, n_correct


def _first_outputs(model: Model, X: Any) -> np.ndarray:
    """Return x W + b of the first layer for sparse rows."""
    first = model.stages[0]
    assert isinstance(first, Linear), "an estimator's network starts with a Linear"
    return X.astype(model.dtype, copy=False) @ first.weight + first.bias


class SparseRunner(LayerRunner):
    """Trains on sparse rows without converting them; see `fastmlp.engine.runner.Runner`."""

    _shared = 0.0

    def share_penalty(self, l2: float) -> None:
        """Add a penalty to each minibatch, as a compiled runner does."""
        self._shared = l2

    def loss_and_grads(self, rows: np.ndarray, weights: np.ndarray | None) -> tuple[float, int]:
        """Return some rows' loss without penalty and the number correct; write ``model.grad``."""
        return loss_and_grads(self.model, self.loss, self.X[rows], self.y[rows], weights)

    def l2_of(self, rows: np.ndarray) -> float:
        """Return the strength of the penalty in a step on some rows."""
        mass = self.mass(rows)
        return self._shared / mass if mass > 0.0 else 0.0
