"""Numerical gradients by central differences, to check analytic ones against."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.model import Model

__all__ = ["check_model", "model_gradients", "numerical_gradient", "relative_error"]


def relative_error(a: Any, b: Any) -> float:
    """Return max |a - b| / max(1e-8, |a| + |b|) over all elements; 0.0 if there are none."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both arrays must have one shape, got {a.shape} and {b.shape}")
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
        read x itself, as a layer reads its own weights.
    x : numpy.ndarray
        float64, writeable; changed in place while f is called, and as it was afterwards.
    dy : array_like, optional
        In the shape of f(x): the gradient returned is that of sum(f(x) * dy).
    h : float, default 1e-5

    Returns
    -------
    numpy.ndarray, float64, in the shape of x

    Raises
    ------
    TypeError
        If x is not a float64 array: in float32 the difference drowns in rounding.

    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
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
    model: Model, X: Any, y: Any, *, h: float = 1e-5, train: bool = False, **options: Any
) -> dict[str, np.ndarray]:
    """Return the numerical gradient of a model's loss on every parameter.

    Parameters
    ----------
    model : Sequential
        In float64.
    X, y : array_like
        Rows and targets, as for ``model.loss_and_grads``.
    h : float, default 1e-5
    train : bool, default False
        Whether in training mode; then every evaluation draws the same Dropout masks.
    **options
        ``loss``, ``l2``, ``sample_weight`` of ``model.loss_and_grads``.

    Returns
    -------
    dict of numpy.ndarray
        Name -> gradient. The model is as it was.

    """

    def loss(_: np.ndarray) -> float:
        with _unmoved(model):
            return model.loss_and_grads(X, y, train=train, **options)[0]

    return {name: numerical_gradient(loss, p, h=h) for name, p in model.params.items()}


def check_model(
    model: Model, X: Any, y: Any, *, h: float = 1e-5, train: bool = False, **options: Any
) -> dict[str, float]:
    """Return the relative error of every parameter's gradient; arguments as `model_gradients`."""
    with _unmoved(model):
        _, analytic = model.loss_and_grads(X, y, train=train, **options)
    numerical = model_gradients(model, X, y, h=h, train=train, **options)
    return {name: relative_error(analytic[name], numerical[name]) for name in numerical}


class _unmoved:  # noqa: N801 - used as a statement: with _unmoved(model)
    """Puts back what a training pass moves: running statistics, and the step of each Dropout."""

    def __init__(self, model: Model):
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
