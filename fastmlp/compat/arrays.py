"""The kernels for arrays as course code holds them: any layout, any trailing axes, any float type.

Everything here brings arrays into the form of `fastmlp.ops` and calls it. The arithmetic is in
float32 where all arrays are float32, else in float64.
"""

from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.layerwise import add_penalty
from fastmlp.validation import as_labels

__all__ = [
    "activation",
    "activation_backward",
    "affine",
    "affine_backward",
    "classification_loss",
    "draw_mask",
    "penalize",
    "put",
    "update",
    "working_dtype",
]


def working_dtype(*arrays: Any) -> np.dtype:
    """Return float32 if all arrays are float32, else float64."""
    return np.dtype(np.float32 if np.result_type(*arrays) == np.float32 else np.float64)


def affine(x: Any, weight: Any, bias: Any) -> np.ndarray:
    """Return x W + b: (N, ...) of D features, (D, H), H values in any shape -> (N, H)."""
    dtype = working_dtype(x, weight, bias)
    x, weight = ops.as_rows(x, dtype), ops.as_rows(weight, dtype)
    bias = np.array(bias, dtype).reshape(-1)
    if x.shape[1] != weight.shape[0] or weight.shape[1] != bias.size:
        raise ValueError(
            f"rows of {x.shape[1]} features do not fit a weight of shape {weight.shape} with "
            f"{bias.size} biases: expected (features, units) and one bias a unit"
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
    """Return the mean loss of labels y, N of them in any shape, and its gradient on the scores.

    Raises
    ------
    TypeError, ValueError
        If y are not whole numbers, or no columns of scores.

    """
    rows = ops.as_rows(scores, working_dtype(scores))
    labels = as_labels(np.asarray(y).reshape(-1), *rows.shape)
    gradient = np.empty_like(rows)
    loss, _ = ops.loss(kind, rows, labels, doutputs=gradient)
    return loss, gradient.reshape(np.shape(scores))


def penalize(
    l2: float, params: MutableMapping[str, Any], grads: MutableMapping[str, Any], names: Sequence
) -> float:
    """Add the penalty's gradient to the named grads; return 0.5 * l2 * sum(W * W) over them."""
    return sum(add_penalty(np.asarray(params[name]), grads[name], l2) for name in names)


def draw_mask(shape: tuple[int, ...], p: float, random: Any = np.random) -> np.ndarray:
    """Return the factors of dropout: 0 where a draw from [0, 1) is below p, else 1 / (1 - p).

    The draws come from numpy's generator, the user's seeded one, and not from the kernels' own, so
    that a course's published masks come out again.
    """
    return (random.uniform(0.0, 1.0, shape) >= p) * (1.0 / (1.0 - p))


def update(
    kind: str,
    weight: Any,
    gradient: Any,
    states: Sequence[Any] = (),
    *,
    lr: float,
    t: int = 1,
    **numbers: float,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the updated weight and states as new arrays; kinds as in `fastmlp.ops.update`.

    ``numbers`` are beta1, beta2, eps, weight_decay of `fastmlp.ops.hyper`. A state that is None
    starts with zeros.
    """
    dtype, shape = working_dtype(weight, gradient), np.shape(weight)
    theta, flat = (np.array(a, dtype).reshape(-1) for a in (weight, gradient))
    if flat.size != theta.size:
        raise ValueError(f"a gradient must have shape {shape}, got {np.shape(gradient)}")
    held = [np.zeros_like(theta) if s is None else np.array(s, dtype).reshape(-1) for s in states]
    first, second = [*held, None, None][:2]
    ops.update(kind, theta, flat, first, second, ops.hyper(lr=lr, t=t, **numbers))
    return theta.reshape(shape), [state.reshape(shape) for state in held]


def put(holder: MutableMapping[Any, Any], key: Any, value: np.ndarray) -> None:
    """Set ``holder[key]``, by writing into the array that is there if it takes floats."""
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
    """Return a copy of x as one row: an activation does not mind where rows end."""
    return np.array(x, dtype, order="C").reshape(1, -1)
