"""The kernels as functions over whole arrays: results are allocated here, one thread runs.

Layers, losses and optimizers call these; the compiled path calls the kernels themselves. Arrays
come in as row-major matrices (``as_rows``) of one floating type, float32 or float64, so that every
kernel is compiled once for each type and no more.
"""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

import mmap
import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import fastmlp.kernels as kernels
from fastmlp.common.addresses import address_of
from fastmlp.kernels.plan import op
from fastmlp.ops import columns, ensembles, norms
from fastmlp.ops.arguments import row_of, whole
from fastmlp.ops.columns import *
from fastmlp.ops.ensembles import *
from fastmlp.ops.norms import *

__all__ = [
    "activation",
    "activation_backward",
    "affine",
    "affine_backward",
    "aligned_empty",
    "aligned_zeros",
    "as_rows",
    "clip_by_norm",
    "dropout",
    "dropout_backward",
    "dropout_key",
    "hyper",
    "loss",
    "max_norm",
    "update",
    "with_factors",
]
__all__ += columns.__all__
__all__ += ensembles.__all__
__all__ += norms.__all__

_local = threading.local()
_HUGE_PAGE = 2 << 20  # bytes


def as_rows(x: ArrayLike, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return x as a row-major matrix ``(N, D)`` of float32 or float64, flattening trailing axes.

    Parameters
    ----------
    x : array_like
        At least one row; any numeric dtype. float32 and float64 are kept, others become float32.
    dtype : dtype, optional
        The type to convert to instead.

    """
    x = np.asarray(x)
    if dtype is None:
        dtype = x.dtype if x.dtype.name in ("float32", "float64") else np.float32
    rows = x.reshape(len(x), -1) if x.size else x.reshape(len(x), int(np.prod(x.shape[1:])))
    rows = np.ascontiguousarray(rows, dtype)
    return rows if rows.flags.writeable else rows.copy()


def aligned_zeros(size: int, dtype: DTypeLike) -> np.ndarray:
    """Return ``size`` zeros whose first byte lies on a multiple of 64.

    Large arrays lie on huge pages, where Linux grants them.
    """
    return _aligned(size, dtype, np.zeros)


def aligned_empty(size: int, dtype: DTypeLike) -> np.ndarray:
    """Return `aligned_zeros`, but with any values."""
    return _aligned(size, dtype, np.empty)


def _aligned(size: int, dtype: DTypeLike, make: Callable[..., np.ndarray]) -> np.ndarray:
    """Return a part of a larger array of bytes, which ``make`` makes unless it is large."""
    dtype = np.dtype(dtype)
    n_bytes = size * dtype.itemsize
    if n_bytes >= _HUGE_PAGE // 2 and hasattr(mmap, "MADV_HUGEPAGE"):
        alignment = _HUGE_PAGE
        pages = mmap.mmap(-1, n_bytes + alignment, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
        memory = np.frombuffer(pages, np.uint8)
    else:
        alignment = 64
        memory = make(n_bytes + alignment, np.uint8)
    start = -address_of(memory) % alignment
    return memory[start : start + n_bytes].view(dtype)


def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Return ``x @ weight + bias``: (N, D), (D, H), (H,) -> (N, H)."""
    y = np.empty((len(x), weight.shape[1]), x.dtype)
    kernels.products.affine.affine_forward(
        x, weight, _or_nothing(bias, x.dtype), bias is not None, y, x.shape[1], _scratch(x.dtype),
        whole(y),
    )  # fmt: skip
    return y


def affine_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    dweight: np.ndarray,
    dbias: np.ndarray | None = None,
    need_dx: bool = True,
) -> np.ndarray | None:
    """Return ``dy @ weight.T`` (None without ``need_dx``) and overwrite dweight, dbias.

    dy (N, H), x (N, D), weight and dweight (D, H), dbias (H,).
    """
    (n, d), h, scratch = x.shape, weight.shape[1], _scratch(x.dtype)
    gradient = dweight.reshape(-1)
    step = kernels.products.affine.BLOCK_ROWS
    for first in range(0, d, step):
        last = min(d, first + step)
        kernels.products.affine.weight_gradient(
            x, dy, n, h, gradient, first * h, scratch, first, last, -1, False, gradient, gradient,
            gradient, 0,
        )  # fmt: skip
    if dbias is not None:
        kernels.products.sums.bias_gradient(dy, n, h, dbias, 0)
    if not need_dx:
        return None
    dx = np.empty_like(x)
    kernels.products.affine.affine_backward(dy, weight, dx, h, scratch, whole(dx))
    return dx


def activation(kind: str, x: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """Return f(x) for the activation named ``kind``, a key of ``kernels.activations.CODES``."""
    y = x.copy()
    if kind != "identity":
        row_of(kernels.activations, kind).forward(x.dtype.type(alpha), y, whole(y))
    return y


def activation_backward(
    kind: str, dy: np.ndarray, x: np.ndarray, y: np.ndarray, alpha: float = 0.0
) -> np.ndarray:
    """Return ``dy * f'(x)``, given the forward pass's input x and output y."""
    dx = dy.copy()
    if kind != "identity":
        row = row_of(kernels.activations, kind)
        saved = x if row.derivative_from == kernels.activations.elementwise.INPUT else y
        row.backward(x.dtype.type(alpha), x.dtype.type(1), dx, saved, whole(dx))
    return dx


def dropout_key(seed: int, step: int, layer: int) -> int:
    """Return the key of the mask that layer number ``layer`` draws in training step ``step``."""
    return int(kernels.dropout.mask_key(int(seed), int(step), int(layer)))


def dropout(x: np.ndarray, p: float, key: int) -> np.ndarray:
    """Return x with each element zeroed with probability p, the others times 1 / (1 - p)."""
    y = x.copy()
    kernels.dropout.drop(y, x.dtype.type(p), np.uint64(key), whole(y))
    return y


dropout_backward = dropout  # the mask is a function of the key, and its own transpose


def loss(
    kind: str,
    outputs: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None = None,
    parameter: float = 0.0,
    doutputs: np.ndarray | None = None,
) -> tuple[float, int]:
    """Return ``(mean loss, number of hits)``, and write dL/doutputs where an array is given.

    Parameters
    ----------
    kind : str
        A key of ``kernels.losses.CODES``.
    outputs : array (N, C)
        Logits or predictions.
    targets : int64 array (N,) or array (N, C) of outputs' dtype
        Labels for cross_entropy and hinge, values for the others.
    weights : array (N,), optional
        Rows count in proportion; default 1 each.
    parameter : float
        Label smoothing, Huber's threshold or the quantile.
    doutputs : array (N, C), optional
        Overwritten with the gradient of the mean loss.

    """
    real, (n, c), row = outputs.dtype.type, outputs.shape, row_of(kernels.losses, kind)
    weights = np.ones(n, outputs.dtype) if weights is None else weights
    gradient = np.empty_like(outputs) if doutputs is None else doutputs
    row_losses, row_hits = np.empty(n), np.empty(n, np.int64)
    labels, values = np.zeros(1, np.int64), np.zeros((1, 1), outputs.dtype)  # one is not read
    labels, values = (targets, values) if row.takes_labels else (labels, targets)
    total = weights.sum(dtype=np.float64)
    scale = real(1 / total if total > 0 else 0)  # rows without weight: no loss, no gradient
    row.rows(
        real(parameter), outputs, labels, values, weights, scale, gradient, row_losses, row_hits,
        0, n, c,
    )  # fmt: skip
    return float(row_losses.sum()), int(row_hits.sum())


def hyper(
    lr: float,
    beta1: float = 0.0,
    beta2: float = 0.0,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    l2: float = 0.0,
    t: float = 1,
) -> np.ndarray:
    """Return the numbers of an update in the order that the kernels read them."""
    values = np.zeros(op.N_HYPER)
    values[op.LEARNING_RATE] = lr
    values[op.BETA1], values[op.REST1] = beta1, 1.0 - beta1
    values[op.BETA2], values[op.REST2] = beta2, 1.0 - beta2
    values[op.WEIGHT_DECAY], values[op.L2] = weight_decay, l2
    values[op.EPSILON], values[op.STEP] = eps, t
    return values


def with_factors(hyper: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the numbers of the update of one array: rate, epsilon and decay times its factors."""
    own = hyper.copy()
    own[[op.LEARNING_RATE, op.EPSILON, op.WEIGHT_DECAY]] *= factors
    return own


def update(
    kind: str,
    theta: np.ndarray,
    grad: np.ndarray,
    state1: np.ndarray | None,
    state2: np.ndarray | None,
    hyper: np.ndarray,
    is_weight: bool = True,
) -> None:
    """Update the flat array theta, and its states, by one step of the optimizer ``kind``.

    ``state1`` and ``state2`` may be None where the optimizer keeps none. Weight decay and l2 act
    only where ``is_weight``.
    """
    state1, state2 = (_or_nothing(state, theta.dtype) for state in (state1, state2))
    rule = row_of(kernels.optimizers, kind)
    rule.update(theta, grad, state1, state2, 0, 0, theta.size, hyper, is_weight)


def clip_by_norm(grad: np.ndarray, max_norm: float) -> float:
    """Scale grad in place so that its norm is at most ``max_norm``; return the norm it had."""
    norm = float(np.sqrt(kernels.optimizers.norms.sum_of_squares(grad, 0, grad.size)))
    if norm > max_norm:
        kernels.optimizers.norms.scale(grad, max_norm / norm, 0, grad.size)
    return norm


def max_norm(weight: np.ndarray, limit: float) -> None:
    """Scale each column of weight (D, H) in place so that its norm is at most ``limit``."""
    kernels.optimizers.norms.limit_column_norms(weight, float(limit), 0, weight.shape[1])


def _or_nothing(array: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    return np.zeros(1, dtype) if array is None else array


def _scratch(dtype: np.dtype) -> np.ndarray:
    """Return this thread's scratch for products; threads never share one."""
    name = f"scratch_{dtype.name}"
    if not hasattr(_local, name):
        setattr(_local, name, aligned_zeros(int(kernels.products.affine.SCRATCH), dtype))
    return getattr(_local, name)
