"""The interface of a model for the modules below it."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from fastmlp.engine.protocols import Model

__all__ = ["Trainable"]


class Trainable(Model, Protocol):
    """A model, as optimizers and the training loop see it; `fastmlp.Sequential` is one.

    Attributes
    ----------
    key : str
        Identifies the model to its optimizer.
    loss : Loss or None
        The loss of the last call of ``fit``.
    told_layerwise : bool
        Whether the user has been told that the model trains layer by layer.
    has_plan : bool
        Whether all of its layers can be compiled.

    """

    key: str
    loss: Any
    told_layerwise: bool
    has_plan: bool

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Arrays by name that are saved but not trained."""
        ...

    @property
    def n_parameters(self) -> int:
        """Number of trainable values."""
        ...

    def being_trained(self) -> AbstractContextManager[None]:
        """Reserve the model for one call of ``fit``."""
        ...
