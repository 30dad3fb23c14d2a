"""Kernels for the arrays of course code, which have any layout, trailing axes and float type.

Functions here convert arrays to the form that `fastmlp.ops` takes, and call it. They compute in
float32 if all arrays are float32, else in float64.
"""

from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.labels import as_labels
from fastmlp.engine.layerwise import add_penalty

__all__ = [
    "activation",
    "activation_backward",
    "affine",
    "affine_backward",
    "classification_loss",
    "draw_mask",
    "penalize",
    "put",
    "step",
    "update",
    "working_dtype",
]


def working_dtype(*arrays: Any) -> np.dtype:
    """Return float32 if all arrays are float32, else float64."""
    return np.dtype(np.float32 if np.result_type(*arrays) == np.float32 else np.float64)


def affine(x: Any, weight: Any, bias: Any) -> np.ndarray:
    """Return x W + b, shape (N, H), for x (N, ...) with D features, W (D, H), and H biases."""
    dtype = working_dtype(x, weight, bias)
    x, weight = ops.as_rows(x, dtype), ops.as_rows(weight, dtype)
    bias = np.array(bias, dtype).reshape(-1)
    if x.shape[1] != weight.shape[0] or weight.shape[1] != bias.size:
        raise ValueError(
            f"rows of {x.shape[1]} features do not match a weight of shape {weight.shape} with "
            f"{bias.size} biases: expected (features, units) and one bias per unit"
        )
    return ops.affine(x, weight, bias)


def affine_backward(dy: Any, x: Any, weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(dx, dweight, dbias)``, dx in the shape of x and dbias of shape (H,)."""
    dtype = working_dtype(dy, x, weight)
    rows, weight = ops.as_rows(x, dtype), ops.as_rows(weight, dtype)
    dweight, dbias = np.empty_like(weight), np.empty(weight.shape[1], dtype)
    dx: Any = ops.affine_backward(ops.as_rows(dy, dtype), rows, weight, dweight, dbias)
    return dx.reshape(np.shape(x)), dweight, dbias


def activation(kind: str, x: Any, alpha: float = 0.0) -> np.ndarray:
    """Return f(x) in the shape of x; kinds as in `fastmlp.ops.activation`."""
    rows = _flat(x, working_dtype(x))
    return ops.activation(kind, rows, alpha).reshape(np.shape(x))


def activation_backward(kind: str, dy: Any, x: Any, alpha: float = 0.0) -> np.ndarray:
    """Return dy * f'(x) in the shape of x."""
    dtype = working_dtype(dy, x)
    rows = _flat(x, dtype)
    y = ops.activation(kind, rows, alpha)
    dx = ops.activation_backward(kind, _flat(dy, dtype), rows, y, alpha)
    return dx.reshape(np.shape(x))


def classification_loss(kind: str, scores: Any, y: Any) -> tuple[float, np.ndarray]:
    """Return the mean loss for N labels y, in any shape, and its gradient for the scores.

    Raises
    ------
    TypeError, ValueError
        If y does not hold whole numbers, or a label is not a column of the scores.

    """
    rows = ops.as_rows(scores, working_dtype(scores))
    labels = as_labels(np.asarray(y).reshape(-1), *rows.shape)
    gradient = np.empty_like(rows)
    loss, _ = ops.loss(kind, rows, labels, doutputs=gradient)
    return loss, gradient.reshape(np.shape(scores))


def penalize(
    l2: float, params: MutableMapping[str, Any], grads: MutableMapping[str, Any], names: Sequence
) -> float:
    """Add the penalty's gradient to the named grads; return 0.5 * l2 * sum(W * W) for them."""
    return sum(add_penalty(np.asarray(params[name]), grads[name], l2) for name in names)


def draw_mask(shape: tuple[int, ...], p: float, random: Any = np.random) -> np.ndarray:
    """Return dropout's factors: 0 if a random number from [0, 1) is below p, else 1 / (1 - p).

    The numbers come from numpy's generator, which the user may have seeded, rather than from the
    kernels', so that a course's published masks are reproduced.
    """
    return (random.uniform(0.0, 1.0, shape) >= p) * (1.0 / (1.0 - p))


def update(
    kind: str,
    weight: Any,
    gradient: Any,
    states: Sequence[Any] = (),
    *,
    lr: float,
    **numbers: Any,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the updated weight and states as new arrays; kinds as in `fastmlp.ops.update`.

    ``numbers`` are t, beta1, beta2, eps and weight_decay of `fastmlp.ops.hyper`. A state that is
    None starts as zeros.
    """
    dtype, shape = working_dtype(weight, gradient), np.shape(weight)
    theta = np.array(weight, dtype, order="C")
    held = [np.zeros(shape, dtype) if s is None else np.array(s, dtype) for s in states]
    _update(kind, theta, gradient, held, lr, numbers)
    return theta, held


def step(
    kind: str,
    holder: MutableMapping[Any, Any],
    key: Any,
    gradient: Any,
    states: Sequence[MutableMapping[Any, Any]] = (),
    *,
    lr: float,
    **numbers: Any,
) -> None:
    """Update ``holder[key]``, and each state's array under the same key, in place.

    Arrays that the kernels cannot write to (integers, other layouts) are replaced.
    """
    weight = holder[key]
    for state in states:
        if state.get(key) is None:
            state[key] = np.zeros(np.shape(weight), working_dtype(weight))
    held = [state[key] for state in states]
    if all(_writable(array, weight) for array in (weight, *held)):
        _update(kind, weight, gradient, held, lr, numbers)
        return
    new, held = update(kind, weight, gradient, held, lr=lr, **numbers)
    for mapping, value in zip((holder, *states), (new, *held), strict=True):
        put(mapping, key, value)


def _update(
    kind: str,
    weight: np.ndarray,
    gradient: Any,
    states: Sequence[np.ndarray],
    lr: float,
    numbers: dict[str, Any],
) -> None:
    flat = np.ascontiguousarray(gradient, weight.dtype).reshape(-1)
    if flat.size != weight.size:
        raise ValueError(f"the gradient must have shape {weight.shape}, got {np.shape(gradient)}")
    first, second = [*(state.reshape(-1) for state in states), None, None][:2]
    flat = flat if flat.flags.writeable else flat.copy()
    ops.update(kind, weight.reshape(-1), flat, first, second, ops.hyper(lr=lr, **numbers))


def _writable(array: Any, weight: Any) -> bool:
    """Tell whether the kernels can update an array in place."""
    return (
        isinstance(array, np.ndarray)
        and array.dtype in (np.float32, np.float64)
        and array.dtype == weight.dtype
        and array.shape == weight.shape
        and array.flags.c_contiguous
        and array.flags.writeable
    )


def put(holder: MutableMapping[Any, Any], key: Any, value: np.ndarray) -> None:
    """Set ``holder[key]``, in place if the array there can hold floats."""
    held = holder.get(key)
    if (
        isinstance(held, np.ndarray)
        and held.dtype.kind == "f"
        and held.flags.writeable
        and held.shape == value.shape
    ):
        held[...] = value
    else:
        holder[key] = value.copy()


def _flat(x: Any, dtype: np.dtype) -> np.ndarray:
    """Return a copy of x as one row, which is enough for elementwise functions."""
    return np.array(x, dtype, order="C").reshape(1, -1)
