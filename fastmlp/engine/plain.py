"""Inference in plain numpy, for when there are no compiled kernels; see `readiness`."""

from collections.abc import Sequence

import numpy as np

from fastmlp.engine.protocols import Model
from fastmlp.engine.readiness import use_kernels
from fastmlp.engine.steps import Step, steps_of

__all__ = ["PlainPredictor", "infer"]

_ROWS_AT_ONCE = 1024


class PlainPredictor:
    """The steps of a model for rows of one width; the arrays are those of the layers."""

    def __init__(self, model: Model, width: int):
        self.width, self.version = width, model.version  # the version is read before the settings
        self.steps = steps_of(model.stages, width)

    def fits(self, model: Model, width: int) -> bool:
        """Return whether nothing has changed, and there are still no kernels to use instead."""
        same = self.width == width and self.version is model.version
        return same and not use_kernels(model.dtype)

    def __call__(self, model: Model, X: np.ndarray, n_threads: int | None) -> np.ndarray:
        """Return outputs (N, C) of rows X, on as many threads as numpy likes."""
        return infer(self.steps, X.reshape(len(X), self.width), model.dtype)


def infer(steps: Sequence[Step], X: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the outputs (N, C) of rows X (N, D) as a new array of the dtype."""
    n_outputs = steps[-1].n_out if steps else X.shape[1]
    outputs = np.empty((len(X), n_outputs), dtype)
    with np.errstate(all="ignore"):  # the kernels do not warn either
        for start in range(0, len(X), _ROWS_AT_ONCE):
            x = X[start : start + _ROWS_AT_ONCE]
            for step in steps:
                if step.standardise is None:
                    x = x.astype(dtype, copy=False)
                x = step(x)  # standardising takes raw inputs, and gives float64
            outputs[start : start + _ROWS_AT_ONCE] = x
    return outputs
