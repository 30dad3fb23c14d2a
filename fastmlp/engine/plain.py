"""Inference in plain numpy, for when there are no compiled kernels; see `readiness`."""

import numpy as np

from fastmlp.engine.protocols import Model
from fastmlp.engine.readiness import use_kernels
from fastmlp.engine.steps import steps_of

__all__ = ["PlainPredictor"]

_ROWS_AT_ONCE = 1024


class PlainPredictor:
    """The steps of a model for rows of one width; the arrays are those of the layers."""

    def __init__(self, model: Model, width: int):
        self.width, self.version = width, model.version  # the version is read before the settings
        self.steps = steps_of(model.stages, width)
        self.n_outputs = self.steps[-1].n_out if self.steps else width

    def fits(self, model: Model, width: int) -> bool:
        """Return whether nothing has changed, and there are still no kernels to use instead."""
        same = self.width == width and self.version is model.version
        return same and not use_kernels(model.dtype)

    def __call__(self, model: Model, X: np.ndarray, n_threads: int | None) -> np.ndarray:
        """Return outputs (N, C) of rows X, on as many threads as numpy likes."""
        rows = X.reshape(len(X), self.width)
        outputs = np.empty((len(rows), self.n_outputs), model.dtype)
        with np.errstate(all="ignore"):  # the kernels do not warn either
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                end = start + _ROWS_AT_ONCE
                outputs[start:end] = self._infer(rows[start:end], model.dtype)
        return outputs

    def _infer(self, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
        for step in self.steps:
            if step.standardise is None:
                x = x.astype(dtype, copy=False)
            x = step(x)  # standardising takes raw inputs, and gives float64
        return x
