"""Weight initialisers: functions ``(rng, fan_in, fan_out) -> float64 array (fan_in, fan_out)``."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.common.validation import non_negative

__all__ = ["INITIALIZERS", "Initializer", "get", "glorot", "he", "normal", "zeros"]

Initializer = Callable[["np.random.Generator", int, int], np.ndarray]


def he(rng: "np.random.Generator", fan_in: int, fan_out: int) -> np.ndarray:
    """Normal, standard deviation sqrt(2 / fan_in), for ReLU (He et al., 2015, section 2.2)."""
    return rng.normal(0.0, math.sqrt(2.0 / fan_in), (fan_in, fan_out))


def glorot(rng: "np.random.Generator", fan_in: int, fan_out: int) -> np.ndarray:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010, equation 16)."""
    limit = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def zeros(rng: "np.random.Generator", fan_in: int, fan_out: int) -> np.ndarray:
    """All zeros."""
    return np.zeros((fan_in, fan_out))


@dataclass(frozen=True)
class normal:  # noqa: N801 - used like the functions above: Linear(..., init=normal(0.02))
    """Normal with mean 0 and standard deviation ``std`` (>= 0)."""

    std: float

    def __post_init__(self) -> None:
        non_negative("std", self.std)

    def __call__(self, rng: "np.random.Generator", fan_in: int, fan_out: int) -> np.ndarray:
        """Return a random weight of shape (fan_in, fan_out)."""
        return rng.normal(0.0, self.std, (fan_in, fan_out))


INITIALIZERS: dict[str, Initializer] = {"he": he, "glorot": glorot, "zeros": zeros}


def get(init: str | Initializer) -> Initializer:
    """Return the initialiser with the given name, or the function itself.

    Raises
    ------
    ValueError
        If the name is not one of ``INITIALIZERS``.
    TypeError
        If it is neither a name nor a function.

    """
    if isinstance(init, str):
        if init not in INITIALIZERS:
            raise unknown("initializer", init, INITIALIZERS)
        return INITIALIZERS[init]
    if not callable(init):
        raise TypeError(f"init must be a name or a function (rng, fan_in, fan_out), got {init!r}")
    return init
