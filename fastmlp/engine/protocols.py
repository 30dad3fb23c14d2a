"""What the engine needs to know of the things above it: layers, models, losses and optimizers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastmlp.engine.parameters import FlatLayer, Slot

__all__ = ["Layer", "Loss", "Model", "Optimizer"]


class Layer(FlatLayer, Protocol):
    """A layer. Built-in ones also have a method ``lowered``, see `fastmlp.engine.lowering`."""

    @property
    def state(self) -> Mapping[str, np.ndarray]:
        """Arrays by name that are kept but not trained."""
        ...

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the output."""
        ...

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, and store the gradients of the parameters."""
        ...

    def backward_first(self, dy: np.ndarray) -> Any:
        """Store the gradients of the parameters; nobody needs dL/dx."""
        ...

    def begin_step(self, seed: int, step: int) -> None:
        """Prepare for a training step."""
        ...

    def twin(self) -> "Layer":
        """Return a layer for another thread that shares the arrays."""
        ...


class Model(Protocol):
    """Layers in a row over one flat array of parameters."""

    dtype: np.dtype
    per_thread: Any  # a threading.local, which the engine fills

    @property
    def stages(self) -> Sequence[Layer]:
        """The layers."""
        ...

    @property
    def theta(self) -> np.ndarray:
        """All parameters in one array."""
        ...

    @property
    def grad(self) -> np.ndarray:
        """All gradients, laid out like `theta`."""
        ...

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Where each tensor lies in both."""
        ...

    @property
    def version(self) -> object:
        """A new object whenever a layer's settings change."""
        ...


class Loss(Protocol):
    """A loss. ``kind`` is its name in ``kernels.losses``, if it is a built-in one."""

    @property
    def kind(self) -> str:
        """Its name."""
        ...

    @property
    def parameter(self) -> float:
        """Its one number."""
        ...

    @property
    def takes_labels(self) -> bool:
        """Whether targets are class numbers."""
        ...

    def compute(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
        doutputs: np.ndarray | None = None,
    ) -> tuple[float, int]:
        """Return the loss and the number of right answers; fill doutputs."""
        ...

    def accuracy(self, n_correct: int, n_rows: int, n_outputs: int) -> float | None:
        """Return the share of right answers, or None if there is no right or wrong."""
        ...


class Optimizer(Protocol):
    """An optimizer. ``kind`` is its name in ``kernels.optimizers``, if it is a built-in one."""

    t: int  # steps made
    weight_decay: float
    clip_norm: float | None
    max_norm: float | None

    @property
    def kind(self) -> str:
        """Its name."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states that it keeps."""
        ...

    @property
    def state(self) -> Mapping[str, np.ndarray]:
        """Those that it has made, flat arrays laid out like ``theta``."""
        ...

    def hyper(self) -> dict[str, float]:
        """Return the numbers of its update, as `fastmlp.ops.hyper` takes them."""
        ...

    def step(self, model: Any, *, lr: float | None = None) -> None:
        """Make one step with the gradients in ``model.grad``."""
        ...
