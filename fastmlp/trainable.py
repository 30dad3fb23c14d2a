"""What the floors below the model need to know of it."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

__all__ = ["Trainable"]


class Trainable(Protocol):
    """A model, as optimizers and the training loop see it; `fastmlp.Sequential` is one.

    Attributes
    ----------
    key : str
        By which an optimizer knows the model again.
    loss : Loss or None
        Of the last call of ``fit``.
    told_layerwise : bool
        Whether the user knows that the model trains layer by layer.
    has_plan : bool
        Whether all of its layers can be compiled.
    per_thread : threading.local
        What each thread needs to infer.

    """

    key: str
    loss: Any
    told_layerwise: bool
    has_plan: bool
    per_thread: Any
    dtype: np.dtype

    @property
    def version(self) -> object:
        """Another object after each change of a layer's settings."""
        ...

    @property
    def stages(self) -> tuple[Any, ...]:
        """The layers; a user's own are wrapped."""
        ...

    @property
    def theta(self) -> np.ndarray:
        """All parameters, in one array."""
        ...

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like `theta`."""
        ...

    @property
    def slots(self) -> tuple[Any, ...]:
        """Where each tensor lies in both."""
        ...

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Name -> array that is kept but not trained."""
        ...

    @property
    def n_parameters(self) -> int:
        """Number of trained values."""
        ...

    def being_trained(self) -> AbstractContextManager[None]:
        """Keep other calls of ``fit`` away."""
        ...
