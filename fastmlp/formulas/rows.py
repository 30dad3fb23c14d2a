"""Functions that take a row apart and put rows together, for the formulas of tables' layers."""

from typing import Any

import numpy as np

from fastmlp.formulas.expressions import named

__all__ = [
    "columns",
    "interpolated",
    "joined",
    "looked_up",
    "member_mean",
    "member_softmax",
    "products",
]


@named
def columns(x: Any, places: np.ndarray) -> Any:
    """Return the columns of x at some places, in their order; -1 is a column of zeros."""
    taken = x[:, places]
    return np.where(places < 0, x.dtype.type(0), taken) if (places < 0).any() else taken


@named
def joined(*parts: Any) -> Any:
    """Return the columns of several rows, one after the other."""
    return np.concatenate(parts, axis=1)


@named
def products(x: Any, weight: np.ndarray, n: int) -> Any:
    """Return x_m W, or x_m W_m, for each of the n equal parts x_m of a row."""
    if weight.ndim == 2:
        return (x.reshape(-1, len(weight)) @ weight).reshape(len(x), -1)
    parts = x.reshape(len(x), n, -1).transpose(1, 0, 2)
    return (parts @ weight).transpose(1, 0, 2).reshape(len(x), -1)


@named
def looked_up(codes: Any, table: np.ndarray) -> Any:
    """Return a row of the table for each code; what is no row number counts as 0."""
    known = (codes >= 0) & (codes < len(table))
    return table[np.where(known, codes, 0).astype(np.int64)].reshape(len(codes), -1)


@named
def interpolated(x: Any, points: np.ndarray, values: np.ndarray) -> Any:
    """Return values (Q,) between points in order, those of each column (D, Q) or of all (Q,)."""
    own = np.broadcast_to(points, (x.shape[1], len(values)))
    return np.stack([np.interp(*pair, values) for pair in zip(x.T, own, strict=True)], axis=1)


@named
def member_softmax(z: Any, n: int) -> Any:
    """Return the softmax of each of the n equal parts of a row."""
    parts = z.reshape(len(z), n, -1)
    e = np.exp(parts - parts.max(axis=2, keepdims=True))
    return (e / e.sum(axis=2, keepdims=True)).reshape(len(z), -1)


@named
def member_mean(x: Any, n: int) -> Any:
    """Return the mean of the n equal parts of a row."""
    return x.reshape(len(x), n, -1).mean(axis=1)
