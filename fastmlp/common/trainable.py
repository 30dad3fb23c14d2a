"""The interface of a model for the modules below it."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from fastmlp.common.rows import Rows

__all__ = ["Trainable"]


class Trainable(Protocol):
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
    per_thread : threading.local
        What each thread needs for inference.

    """

    key: str
    loss: Any
    told_layerwise: bool
    has_plan: bool
    per_thread: Any
    dtype: np.dtype

    @property
    def version(self) -> object:
        """An object that is replaced whenever a layer's setting changes."""
        ...

    @property
    def stages(self) -> tuple[Any, ...]:
        """The layers, with custom ones wrapped."""
        ...

    @property
    def theta(self) -> np.ndarray:
        """All parameters in one flat array."""
        ...

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like `theta`."""
        ...

    @property
    def slots(self) -> tuple[Any, ...]:
        """The position of each tensor in `theta` and `grad`."""
        ...

    @property
    def factors(self) -> np.ndarray:
        """The factors of rate, epsilon and decay of each slot."""
        ...

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

    def own_optimizer(self, optimizer: Any) -> Any:
        """Return the optimizer to train with, given a name or an optimizer."""
        ...

    def check_inputs(self, X: np.ndarray) -> int:
        """Return the number of outputs for rows like X."""
        ...

    def check_data(self, loss: Any, X: Any, y: Any, weights: Any = None) -> Rows:
        """Check X, targets and weights, and return them in the form used for training."""
        ...

    def check_validation(self, loss: Any, data: Any) -> Rows | None:
        """Check ``validation_data`` and return it in the form used for validation."""
        ...

    def takes_exactly(self) -> bool:
        """Tell whether the inputs must not be rounded before the model standardises them."""
        ...
