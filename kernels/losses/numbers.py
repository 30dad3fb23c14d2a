"""Losses on numbers: the mean over a row's outputs z of a function of z and its target t."""

import math

import numpy as np

from ..machine.jit import pasted
from ..machine.maths import constant, exp, logistic, one, sign, zero
from .rows import elementwise

__all__ = ["BINARY_CROSS_ENTROPY", "HUBER", "MAE", "MSE", "POISSON", "QUANTILE"]


@pasted
def mse(z, t, parameter):
    """(z - t)**2."""
    r = z - t
    return np.float64(r * r), (one(z) + one(z)) * r, 0


@pasted
def binary_cross_entropy(z, t, parameter):
    """max(z, 0) - z t + log(1 + e**-|z|); correct if z > 0 exactly when t > 1/2."""
    nought = zero(z)
    positive = nought if z < nought else z
    value = np.float64(positive - z * t) + np.float64(math.log1p(exp(-abs(z))))
    return value, logistic(z) - t, 1 if (z > nought) == (t > constant(z, 0.5, 0.5)) else 0


@pasted
def mae(z, t, parameter):
    """|z - t|."""
    r = z - t
    return np.float64(abs(r)), sign(r), 0


@pasted
def huber(z, t, delta):
    """r**2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with r = z - t."""
    r, half = z - t, constant(z, 0.5, 0.5)
    if abs(r) <= delta:
        return np.float64(half * r * r), r, 0
    return np.float64(delta * (abs(r) - half * delta)), delta * sign(r), 0


@pasted
def quantile(z, t, q):
    """max(-q r, (1 - q) r) with r = z - t."""
    r = z - t
    slope = -q if r < zero(z) else one(z) - q
    return np.float64(slope * r), slope, 0


@pasted
def poisson(z, t, parameter):
    """e**z - t z."""
    e = exp(z)
    return np.float64(e - t * z), e - t, 0


MSE = elementwise("mse", mse)
BINARY_CROSS_ENTROPY = elementwise("binary_cross_entropy", binary_cross_entropy)
MAE = elementwise("mae", mae)
HUBER = elementwise("huber", huber)
QUANTILE = elementwise("quantile", quantile)
POISSON = elementwise("poisson", poisson)
