"""Functions that formulas use besides those of numpy."""

from typing import Any

import numpy as np

from fastmlp.formulas.expressions import named

__all__ = [
    "double",
    "erfc",
    "logistic",
    "rectified",
    "row_max",
    "row_mean",
    "row_sum",
    "single",
    "softmax",
    "where",
]

# erfc(x) e**(x**2) (4 + x) / 4 for x >= 0, in powers of 8 / (4 + x) - 1: its Chebyshev series to
# the 22nd power, which is exact to 5e-16.
_ERFC = (
    *(0.27399891525012277, 0.2441371822702206, 0.19330217556630902, 0.13521345782829913),
    *(0.08271289696952584, 0.04350273431022892, 0.019095378726752158, 0.006592513332237486),
    *(0.0015280139205288011, 7.023973429864022e-05, -0.00011376321237622333),
    *(-4.420327118929924e-05, -9.086395093590862e-07, 4.715370444493941e-06),
    *(1.1732609498291667e-06, -3.562393200959625e-07, -2.1111037846283067e-07),
    *(1.8994402187265254e-08, 3.077901855639743e-08, -2.0691219034054744e-10),
    *(-3.880515697903128e-09, -6.617942512486173e-11, 3.130423070529455e-10),
)


@named
def where(condition: Any, yes: Any, no: Any) -> Any:
    """Return yes where the condition holds, else no."""
    return np.where(condition, yes, no)


@named
def single(x: Any) -> Any:
    """Return x in float32."""
    return x.astype(np.float32, copy=False)


@named
def double(x: Any) -> Any:
    """Return x in float64."""
    return x.astype(np.float64, copy=False)


@named
def row_mean(x: Any) -> Any:
    """Return the mean of each row, shape (N, 1)."""
    return x.mean(axis=1, keepdims=True)


@named
def row_sum(x: Any) -> Any:
    """Return the sum of each row, shape (N, 1)."""
    return x.sum(axis=1, keepdims=True)


@named
def row_max(x: Any) -> Any:
    """Return the largest number of each row, shape (N, 1)."""
    return x.max(axis=1, keepdims=True)


@named
def softmax(x: Any) -> Any:
    """Return e**x over the sum of the row's e**x."""
    e = np.exp(x - row_max(x))
    return e / row_sum(e)


@named
def rectified(x: Any) -> Any:
    """Return max(x, 0)."""
    return np.maximum(x, 0.0)


@named
def logistic(x: Any) -> Any:
    """Return 1 / (1 + e**-x), without overflow."""
    e = np.exp(-np.abs(x))
    return where(x < 0, e, 1.0) / (1.0 + e)


@named
def erfc(x: Any) -> Any:
    """Return the complementary error function, 1 - erf(x)."""
    size = np.abs(x)
    t = 4.0 / (4.0 + size)
    u = 2.0 * t - 1.0
    series = _ERFC[-1]
    for coefficient in reversed(_ERFC[:-1]):
        series = series * u + coefficient
    tail = t * series * np.exp(-size * size)
    return where(x < 0, 2.0 - tail, tail)
