"""The interfaces the engine needs from the code above it: layers, models, losses, optimizers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastmlp.engine.parameters import FlatLayer, Slot

__all__ = ["Copy", "Layer", "Loss", "Model", "Optimizer"]


class Layer(FlatLayer, Protocol):
    """A layer. Built-in layers also have a method ``lowered``, see `fastmlp.engine.lowering`."""

    @property
    def state(self) -> Mapping[str, np.ndarray]:
        """Arrays that are stored but not trained, by name."""
        ...

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return the output."""
        ...

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, and store the gradients of the parameters."""
        ...

    def backward_first(self, dy: np.ndarray) -> Any:
        """Store the gradients of the parameters; dL/dx is not needed."""
        ...

    def begin_step(self, seed: int, step: int) -> None:
        """Prepare for a training step."""
        ...

    def twin(self) -> "Layer":
        """Return a layer for use in another thread, sharing the arrays."""
        ...


class Model(Protocol):
    """A sequence of layers over one flat array of parameters."""

    dtype: np.dtype
    per_thread: Any  # a threading.local that the engine fills

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
        """The position of each tensor in both arrays."""
        ...

    @property
    def version(self) -> object:
        """A new object whenever a layer's settings change."""
        ...


class Loss(Protocol):
    """A loss."""

    @property
    def kind(self) -> str:
        """The name of a built-in loss in ``kernels.losses``."""
        ...

    @property
    def parameter(self) -> float:
        """The loss's single parameter."""
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
        """Return the loss and the number correct; fill doutputs if given."""
        ...

    def accuracy(self, n_correct: int, n_rows: int, n_outputs: int) -> float | None:
        """Return the fraction correct, or None if the loss has no notion of it."""
        ...


class Optimizer(Protocol):
    """An optimizer."""

    t: int  # steps done
    epoch: int  # whole epochs done
    weight_decay: float
    clip_norm: float | None
    max_norm: float | None

    @property
    def kind(self) -> str:
        """The name of a built-in optimizer in ``kernels.optimizers``."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of its state arrays."""
        ...

    @property
    def state(self) -> Mapping[str, np.ndarray]:
        """The state arrays allocated so far, flat and laid out like ``theta``."""
        ...

    def hyper(self) -> dict[str, float]:
        """Return the hyperparameters of its update as arguments of `fastmlp.ops.hyper`."""
        ...

    def step(self, model: Any, *, lr: float | None = None) -> None:
        """Take one step using the gradients in ``model.grad``."""
        ...


class Copy(Protocol):
    """A copy of arrays that training changes, and of the optimizer's counters at that time."""

    step: int
    epoch: int

    @property
    def pairs(self) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Each array and its copy."""
        ...
