"""Models that predict, and the files that they are exported to."""

import threading
from typing import Any

import numpy as np

from fastmlp import export
from fastmlp.common.validation import as_data, positive_int
from fastmlp.engine import inference, layerwise
from fastmlp.engine.predictor import Predictor
from fastmlp.layers.stack import Stack

__all__ = ["Predicting"]


class Predicting(Stack, export.Exported):
    """Base class of `fastmlp.Sequential`: what it does once it is trained."""

    _rebuilt = (*Stack._rebuilt, "has_plan", "per_thread")

    def _build(self, layers: tuple[Any, ...]) -> None:
        super()._build(layers)
        self.has_plan: bool = inference.can_infer(self)
        self.per_thread: threading.local = threading.local()  # used by inference

    def __call__(self, X: Any) -> np.ndarray:
        """Return `predict` of X."""
        return self.predict(X)

    def predict(self, X: Any, *, batch_size: int = 1024) -> np.ndarray:
        """Return the outputs in inference mode.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            Any real dtype. NaN and infinity are allowed.
        batch_size : int, default 1024
            Rows computed at a time.

        Returns
        -------
        numpy.ndarray, shape (N, C), the model's dtype
            Logits or predictions.

        Notes
        -----
        Safe to call from several threads at once. The layers' arrays and settings, such as a slope
        or eps, may change between calls.

        A prediction compiles nothing. Where the kernels are not in the cache and nothing was
        trained in this process, it is made in plain numpy: the outputs then differ by rounding,
        and a row's may depend on how many are predicted with it. ``FASTMLP_PREDICT=compiled`` or
        ``numpy`` in the environment decides instead.

        Raises
        ------
        TypeError, ValueError
            If X is not numeric, empty, or has the wrong number of features.

        """
        X = as_data(X, self.dtype, finite=False, exact=self.takes_exactly)
        self.check_inputs(X)
        if type(batch_size) is not int or batch_size < 1:
            batch_size = positive_int("batch_size", batch_size)
        if self.has_plan:
            return inference.predict(self, X)
        return layerwise.predict(self, X, batch_size)

    def predictor(self, *, max_rows: int = 1) -> Predictor:
        """Return a function that predicts at most ``max_rows`` rows with the least delay.

        It has a copy of the model as it is now, and the memory that predictions need, so that a
        call takes little more time than the arithmetic. Any number of threads may call it at once;
        each call runs on the thread that makes it.

        Parameters
        ----------
        max_rows : int, default 1
            The most rows of a call.

        Returns
        -------
        Predictor
            ``predictor(X)`` returns the outputs (N, C) of rows (N, D), or (C,) of a row (D,).

        Raises
        ------
        TypeError
            If the model has a layer that is not one of fastmlp's own.
        ValueError
            If the layers take any number of features.

        """
        max_rows = positive_int("max_rows", max_rows)
        width = self.require_width()
        if not self.has_plan:
            raise TypeError(
                "a predictor needs a model of fastmlp's own layers, with Normalize first if there "
                "is one: use model.predict"
            )
        return Predictor(self, width, max_rows, self.takes_exactly())

    def _exported(self) -> export.Network:
        return export.network_of(self)
