"""The formulas of the layers that work on rows."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from fastmlp.formulas.activations import ACTIVATIONS
from fastmlp.formulas.expressions import Expression
from fastmlp.formulas.functions import row_mean

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


def embedding(x: Any, table: Any, n_codes: int) -> Any:
    """The columns that are no codes, then a row of the table for each code."""
    _require_numbers(x, "an Embedding")
    codes = x[:, x.shape[1] - n_codes :]
    known = (codes >= 0) & (codes < len(table))
    rows = table[np.where(known, codes, 0).astype(np.int64)]
    plain = x[:, : x.shape[1] - n_codes]
    return np.concatenate([plain, rows.reshape(len(x), -1)], axis=1)


def periodic(x: Any, weight: Any, n_waves: int, n_made: int) -> Any:
    """[W2' cos(2 pi w1 x + b1) + b2, x] for each number, then the other columns."""
    _require_numbers(x, "a PeriodicEmbedding")
    parts = []
    for number, row in zip(x.T, weight, strict=False):
        w1, b1 = row[:n_waves], row[n_waves : 2 * n_waves]
        mixing = row[2 * n_waves : -n_made].reshape(n_made, n_waves)
        waves = np.cos(2.0 * np.pi * number[:, None] * w1 + b1)
        parts += [waves @ mixing.T + row[-n_made:], number[:, None]]
    return np.concatenate([*parts, x[:, len(weight) :]], axis=1, dtype=x.dtype)


def piecewise(x: Any, weight: Any, edges: Any, width: int) -> Any:
    """w0 x + b0 + sum of s_t W_t for each number, then the other columns."""
    _require_numbers(x, "a PiecewiseLinearEmbedding")
    parts = []
    for number, row, own in zip(x.T, weight, edges, strict=False):
        made = number[:, None] * row[:width] + row[width : 2 * width]
        n_used = int(np.argmin(np.append(np.diff(own) > 0, False)))
        for t in range(n_used):
            share = (number - own[t]) / (own[t + 1] - own[t])
            share = share if t == 0 else np.maximum(share, 0.0)
            share = share if t == n_used - 1 else np.minimum(share, 1.0)
            made += share[:, None] * row[(t + 2) * width : (t + 3) * width]
        parts.append(made)
    return np.concatenate([*parts, x[:, len(weight) :]], axis=1, dtype=x.dtype)


def members(x: Any, weight: Any, width: int) -> Any:
    """[r_1 x, 0, r_2 x, 0, ...]."""
    _require_numbers(x, "a Members layer")
    y = np.zeros((len(x), len(weight), width), x.dtype)
    y[:, :, : x.shape[1]] = x[:, None] * weight
    return y.reshape(len(x), -1)


def shared_affine(x: Any, weight: Any, bias: Any) -> Any:
    """x W + b for each member."""
    _require_numbers(x, "a SharedLinear layer")
    return (x.reshape(-1, len(weight)) @ weight + bias).reshape(len(x), -1)


def heads(x: Any, weight: Any, bias: Any) -> Any:
    """x W_m + b_m for each member m."""
    _require_numbers(x, "a MemberHeads layer")
    parts = zip(np.split(x, len(weight), axis=1), weight, strict=True)
    return np.concatenate([part @ w.T for part, w in parts], axis=1) + bias


def _require_numbers(x: Any, layer: str) -> None:
    """Raise TypeError for an expression: these formulas are more than one can hold."""
    if isinstance(x, Expression):
        raise TypeError(f"a model with {layer} cannot be exported yet: save it with model.save")


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
