"""Numerical gradients by central differences, for checking analytic ones."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from fastmlp.model import Sequential

__all__ = ["check_model", "model_gradients", "numerical_gradient", "relative_error"]


def relative_error(a: Any, b: Any) -> float:
    """Return the largest |a - b| / max(1e-8, |a| + |b|) of any element; 0.0 for empty arrays.

    Raises ValueError if the arrays a and b, which may have any dtype, differ in shape.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both arrays must have the same shape, got {a.shape} and {b.shape}")
    error = np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b))
    return float(error.max(initial=0.0))


def numerical_gradient(
    f: Callable[[np.ndarray], Any], x: np.ndarray, dy: Any = None, *, h: float = 1e-5
) -> np.ndarray:
    """Return the gradient of f at x: (f(x + h) - f(x - h)) / (2 h) for each element of x.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a number, or an array if ``dy`` is given. It may ignore its argument and
        read x from elsewhere, as a layer reads its own weights.
    x : numpy.ndarray
        float64, writeable. Changed in place between calls of f and restored at the end.
    dy : array_like, optional
        Array in the shape of f(x); the result is then the gradient of sum(f(x) * dy).
    h : float, default 1e-5
        Step size.

    Returns
    -------
    numpy.ndarray, float64, in the shape of x

    Raises
    ------
    TypeError
        If x is not a float64 array: in float32, rounding would swamp the difference.

    """
    if not isinstance(cast("object", x), np.ndarray) or x.dtype != np.float64:
        raise TypeError(
            f"x must be a float64 array, got {getattr(x, 'dtype', type(x))}: "
            "pass x.astype('float64')"
        )
    scale = None if dy is None else np.asarray(dy, dtype=np.float64)
    gradient = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        value = x[place]
        x[place] = value + h
        above = np.array(f(x), dtype=np.float64)
        x[place] = value - h
        below = np.array(f(x), dtype=np.float64)
        x[place] = value
        difference = above - below if scale is None else (above - below) * scale
        gradient[place] = difference.sum() / (2.0 * h)
    return gradient


def model_gradients(
    model: Sequential, X: Any, y: Any, *, h: float = 1e-5, train: bool = False, **options: Any
) -> dict[str, np.ndarray]:
    """Return the numerical gradient of a model's loss for every parameter.

    Parameters
    ----------
    model : Sequential
        A model with dtype float64.
    X, y : array_like
        Rows and targets, as for ``model.loss_and_grads``.
    h : float, default 1e-5
        Step size.
    train : bool, default False
        Whether to use training mode. All evaluations then use the same Dropout masks.
    **options
        ``loss``, ``l2`` and ``sample_weight``, as for ``model.loss_and_grads``.

    Returns
    -------
    dict of numpy.ndarray
        Gradients by parameter name. The model itself is unchanged.

    """

    def loss(_: np.ndarray) -> float:
        with _unmoved(model):
            return model.loss_and_grads(X, y, train=train, **options)[0]

    return {name: numerical_gradient(loss, p, h=h) for name, p in model.params.items()}


def check_model(
    model: Sequential, X: Any, y: Any, *, h: float = 1e-5, train: bool = False, **options: Any
) -> dict[str, float]:
    """Return each parameter's relative gradient error; takes the arguments of `model_gradients`."""
    with _unmoved(model):
        _, analytic = model.loss_and_grads(X, y, train=train, **options)
    numerical = model_gradients(model, X, y, h=h, train=train, **options)
    return {name: relative_error(analytic[name], numerical[name]) for name in numerical}


class _unmoved:  # noqa: N801 - used as a statement: with _unmoved(model)
    """Restores what a training pass changes: running statistics and each Dropout's step."""

    def __init__(self, model: Sequential):
        self.model = model

    def __enter__(self) -> None:
        self.state = {name: array.copy() for name, array in self.model.state.items()}
        self.steps = [getattr(layer, "step", None) for layer in self.model.layers]

    def __exit__(self, *_: object) -> None:
        for name, array in self.model.state.items():
            array[...] = self.state[name]
        for layer, step in zip(self.model.layers, self.steps, strict=True):
            if step is not None:
                layer.step = step
