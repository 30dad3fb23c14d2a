"""The types behind a plan: the parts that describe layers, operations and the plan itself.

A layer describes itself as a `Core`, `Elementwise`, `Drop`, `Standardise` or `Nothing`.
`lowering.fuse` combines these into operations, and `writing.write` encodes them as the integers
that ``kernels.engine`` reads. A core's row in ``kernels.cores`` says what memory, scratch and
threads it needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.kernels.plan import op

__all__ = [
    "RAW_CODE_OF",
    "Core",
    "Drop",
    "Elementwise",
    "Nothing",
    "Operation",
    "Part",
    "Plan",
    "Standardise",
    "Training",
    "activation_row",
    "core_name",
    "core_row",
]

RAW_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}
"""The code of each dtype allowed for raw input."""


@dataclass(frozen=True)
class Core:
    """A product or a normalisation. It uses the layer's parameters, at most two.

    Attributes
    ----------
    name : str
        Its name in ``kernels.cores``.
    n_out : int
        Output features.
    numbers : tuple of float
        At most two; its kernels read them starting at ``op.NORM_EPSILON``.
    sizes : tuple of int
        At most three; its kernels read them starting at ``op.SIZE1``.
    activation : str or None
        The activation that the core itself applies, if it has one. Its code is then added to the
        sizes.

    """

    name: str
    n_out: int
    numbers: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    activation: str | None = None


@dataclass(frozen=True)
class Elementwise:
    """An activation, by its name in ``kernels.activations``, and its parameter."""

    name: str
    alpha: float = 0.0


@dataclass(frozen=True)
class Drop:
    """Dropout with probability p."""

    p: float


@dataclass(frozen=True)
class Standardise:
    """(x - mean) / std, applied to raw inputs.

    Attributes
    ----------
    mean, std : numpy.ndarray, float64, shape (D,) or ()
        The layer's own arrays; their contents may change after the plan is made.
    dtype_between : callable
        Returns the dtype to compute in, given the model's dtype.

    """

    mean: np.ndarray
    std: np.ndarray
    dtype_between: Callable[[np.dtype], np.dtype]


@dataclass(frozen=True)
class Nothing:
    """A layer that leaves rows unchanged."""


Part = Core | Elementwise | Drop | Standardise | Nothing


@dataclass
class Operation:
    """A core (product, normalisation or copy), then an activation, then dropout.

    Only the kinds and sizes of its layers determine a model's operations. The settings (alpha,
    dropout, numbers) are stored as the plan's real numbers and may change later.

    Attributes
    ----------
    core : str
        Its name in ``kernels.cores``.
    layer : int
        Index of the core's layer, -1 for "copy".
    n_in, n_out : int
        Input and output features.
    activation, alpha : str or None, float
        A name in ``kernels.activations``, and its parameter.
    dropout, dropout_layer : float, int
        Probability of dropping, and index of the layer that keys the mask, -1 without dropout.
    numbers, sizes, inner_activation
        The core's numbers, sizes and own activation, see `Core`.

    """

    core: str
    layer: int
    n_in: int
    n_out: int
    activation: str | None = None
    alpha: float = 0.0
    dropout: float = 0.0
    dropout_layer: int = -1
    numbers: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    inner_activation: str | None = None

    @property
    def keep(self) -> int:
        """What the forward pass keeps of the activation for the backward pass, besides y."""
        if self.activation is None:
            return int(op.KEEP_NOTHING)
        if _needs_input(self.activation):
            return int(op.KEEP_SLOPE)
        elementwise, row = kernels.activations.elementwise, activation_row(self.activation)
        from_sign = row.derivative_from == elementwise.SIGN
        return int(op.KEEP_OUTPUT if self.drops and not from_sign else op.KEEP_NOTHING)

    @property
    def activates(self) -> bool:
        """Whether it has an activation, its own or its core's: after that comes only dropout."""
        return self.activation is not None or self.inner_activation is not None

    @property
    def mask_hooks(self) -> int:
        """Whether the sign of its output also shows what dropout has set to 0, as ``op.HOOKS``."""
        shows = self.activation is not None and activation_row(self.activation).off_at_zero
        return int(op.SIGN_SHOWS_MASK) if self.drops and shows else 0

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """The core's sizes, then the code of its own activation."""
        if self.inner_activation is None:
            return self.sizes
        code = kernels.activations.CODES[self.inner_activation]
        return (*self.sizes, int(code))

    @property
    def drops(self) -> bool:
        """Whether it ends in dropout, even if the probability is currently 0."""
        return self.dropout_layer >= 0

    @property
    def reals(self) -> list[float]:
        """Its settings, in the order of ``op``."""
        reals = [self.alpha, self.dropout, *self.numbers]
        return reals + [0.0] * (int(op.N_REAL_FIELDS) - len(reals))


@dataclass(frozen=True)
class Training:
    """The settings that only a training plan has.

    Attributes
    ----------
    loss, loss_parameter : str, float
        The loss's name in ``kernels.losses``, and its single parameter.
    optimizer : str
        Its name in ``kernels.optimizers``.
    n_targets : int, default 0
        The number of target columns; 0 for labels.
    step_rows : int, optional
        Rows per step; default the batch size. The last step takes all remaining rows if they fit
        in a batch.
    parts : int, default 0
        How many bfloat16 numbers represent each float32 in a product, 1 or 2; 0 for products in
        the working dtype.
    seed : int, default 0
        Seed of the dropout masks.
    weighted, clips : bool, default False
        Whether rows have weights, and whether the gradient is clipped.

    """

    loss: str
    optimizer: str
    loss_parameter: float = 0.0
    n_targets: int = 0
    step_rows: int | None = None
    parts: int = 0
    seed: int = 0
    weighted: bool = False
    clips: bool = False

    def without_numbers(self) -> "Training":
        """Return the settings that determine the layout of a plan."""
        return Training(
            self.loss,
            self.optimizer,
            n_targets=self.n_targets,
            step_rows=self.step_rows,
            parts=self.parts,
            weighted=self.weighted,
            clips=self.clips,
        )


@dataclass(frozen=True)
class Plan:
    """A plan and the sizes of the memory that it needs.

    Attributes
    ----------
    header, operations, reals, units, unit_shares, factors : numpy.ndarray
        As ``op`` describes them.
    workspace_size, scratch_size, packed_size : int
        In elements of the working dtype; scratch is per thread.
    running : tuple of tuple
        For each layer with running statistics: the layer's index, their offset and their number.
    calls : frozenset
        The links and (family, code) pairs that its steps, or its inference, need.

    """

    header: np.ndarray
    operations: np.ndarray
    reals: np.ndarray
    units: np.ndarray
    unit_shares: np.ndarray
    factors: np.ndarray
    workspace_size: int
    scratch_size: int
    packed_size: int
    running: tuple[tuple[int, int, int], ...]
    calls: frozenset[Any]


def core_row(name: str) -> Any:
    """Return a core's row in ``kernels.cores``."""
    return kernels.cores.TABLE[kernels.cores.CODES[name]]


def activation_row(name: str) -> Any:
    """Return an activation's row in ``kernels.activations``."""
    return kernels.activations.TABLE[kernels.activations.CODES[name]]


def _needs_input(activation: str) -> bool:
    """Tell whether an activation's derivative is computed from its input."""
    elementwise = kernels.activations.elementwise
    return bool(activation_row(activation).derivative_from == elementwise.INPUT)


def core_name(operation: Operation, parts: int) -> str:
    """Return the name of the core that computes an operation with this many bfloat16 parts."""
    return (core_row(operation.core).at_lower_precision if parts else None) or operation.core
