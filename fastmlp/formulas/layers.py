"""The formulas of the layers that work on rows."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from fastmlp.formulas.activations import ACTIVATIONS
from fastmlp.formulas.functions import row_mean
from fastmlp.formulas.rows import columns, joined, looked_up, products

__all__ = ["CORES", "normalize"]


def affine(x: Any, weight: Any, bias: Any = None) -> Any:
    """x W + b."""
    y = x @ weight
    return y if bias is None else y + bias


def batch_norm(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, eps: float
) -> Any:
    """gamma (x - mean) / sqrt(var + eps) + beta, with the running statistics."""
    return (x - running_mean) * (gamma / np.sqrt(running_var + eps)) + beta


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """gamma (x - mean) / sqrt(var + eps) + beta, with each row's statistics."""
    centred = x - row_mean(x)
    return centred / np.sqrt(row_mean(centred * centred) + eps) * gamma + beta


def rms_norm(x: Any, gamma: Any, eps: float) -> Any:
    """gamma x / sqrt(mean(x**2) + eps), with each row's mean."""
    return x / np.sqrt(row_mean(x * x) + eps) * gamma


def normalize(x: Any, mean: Any, std: Any) -> Any:
    """(x - mean) / std."""
    return (x - mean) * (1 / std)


def scale(x: Any, scale: Any) -> Any:
    """s x."""
    return x * scale


def parametric(x: Any, mixing: Any, activation: str, alpha: float) -> Any:
    """x + a (f(x) - x)."""
    formula = ACTIVATIONS[activation]
    numbers = (alpha,) if "alpha" in signature(formula).parameters else ()
    return x + mixing * (formula(x, *numbers) - x)


def embedding(x: Any, table: Any, n_codes: int, n_features: int) -> Any:
    """The columns that are no codes, then a row of the table for each code."""
    n_plain = n_features - n_codes
    made = looked_up(columns(x, np.arange(n_plain, n_features)), table)
    return joined(columns(x, np.arange(n_plain)), made) if n_plain else made


def periodic(x: Any, weight: Any, n_waves: int, n_made: int, n_features: int) -> Any:
    """[W2' cos(2 pi w1 x + b1) + b2, x] for each number, then the other columns."""
    n = len(weight)
    w1, b1, mixing, b2 = np.split(weight, [n_waves, 2 * n_waves, weight.shape[1] - n_made], axis=1)
    number = columns(x, np.repeat(np.arange(n), n_waves))
    waves = np.cos(2.0 * np.pi * number * w1.ravel() + b1.ravel())
    mixing = mixing.reshape(n, n_made, n_waves).transpose(0, 2, 1)
    made = products(waves, mixing, n) + b2.ravel()
    n_all = n * n_made
    order = np.c_[np.arange(n_all).reshape(n, n_made), n_all + np.arange(n)].ravel()
    return columns(joined(made, x), np.r_[order, n_all + np.arange(n, n_features)])


def piecewise(x: Any, weight: Any, edges: Any, width: int, n_features: int) -> Any:
    """w0 x + b0 + sum of s_t W_t for each number, then the other columns."""
    n, n_bins = len(weight), edges.shape[1] - 1
    low, high = edges[:, :-1], edges[:, 1:]
    used = np.logical_and.accumulate(high > low, axis=1)
    last = used & ~np.c_[used[:, 1:], np.zeros(n, bool)]
    least, most = np.zeros_like(low), np.where(used, np.ones_like(low), 0)
    least[used[:, 0], 0], most[last] = -np.inf, np.inf
    span = np.where(used, high - low, np.ones_like(low))
    number = columns(x, np.repeat(np.arange(n), n_bins))
    share = (number - low.ravel()) / span.ravel()
    share = np.minimum(np.maximum(share, least.ravel()), most.ravel())
    w0, b0, w = np.split(weight, [width, 2 * width], axis=1)
    made = products(share, w.reshape(n, n_bins, width), n)
    made = made + columns(x, np.repeat(np.arange(n), width)) * w0.ravel() + b0.ravel()
    return joined(made, columns(x, np.arange(n, n_features))) if n < n_features else made


def members(x: Any, weight: Any, width: int) -> Any:
    """[r_1 x, 0, r_2 x, 0, ...]."""
    k, n_features = weight.shape
    places, factors = np.full((k, width), -1), np.zeros((k, width), weight.dtype)
    places[:, :n_features], factors[:, :n_features] = np.arange(n_features), weight
    return columns(x, places.ravel()) * factors.ravel()


def shared_affine(x: Any, weight: Any, bias: Any, n_members: int) -> Any:
    """x W + b for each member."""
    return products(x, weight, n_members) + np.tile(bias, n_members)


def heads(x: Any, weight: Any, bias: Any) -> Any:
    """x W_m + b_m for each member m."""
    return products(x, weight.transpose(0, 2, 1), len(weight)) + bias


CORES: dict[str, Callable[..., Any]] = {
    formula.__name__: formula
    for formula in (
        affine,
        batch_norm,
        layer_norm,
        rms_norm,
        scale,
        parametric,
        embedding,
        periodic,
        piecewise,
        members,
        shared_affine,
        heads,
    )
}
"""Name in ``kernels.cores`` -> formula."""
