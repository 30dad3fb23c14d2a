"""The combinations that a search tries: all of them, or random draws."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.common.validation import positive_int

__all__ = ["LogUniform", "Settings", "Uniform", "draw_settings", "grid_settings"]

Settings = dict[str, Any]


@dataclass(frozen=True)
class Uniform:
    """Numbers drawn uniformly between ``low`` and ``high``."""

    low: float
    high: float

    def __call__(self, rng: "np.random.Generator") -> float:
        """Draw a number."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Numbers between ``low`` and ``high``, drawn uniformly in their logarithm; 0 < low."""

    low: float
    high: float

    def __call__(self, rng: "np.random.Generator") -> float:
        """Draw a number, rounded to four digits."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return float(f"{drawn:.3e}")


def grid_settings(parameters: Mapping[str, Any]) -> list[Settings]:
    """Return every combination of the values; the last parameter changes fastest."""
    for name, values in parameters.items():
        if not _is_list(values):
            raise TypeError(
                f"a grid needs a list of values for {argument(name)}, not a range: "
                f"give {argument('n_runs', 20)} for a random search"
            )
    if not parameters or not all(len(values) for values in parameters.values()):
        raise ValueError("a search needs at least one parameter, each with at least one value")
    return [
        dict(zip(parameters, values, strict=True))
        for values in itertools.product(*parameters.values())
    ]


def draw_settings(parameters: Mapping[str, Any], n_runs: int, seed: int) -> list[Settings]:
    """Return random combinations; if all values are listed, without repeats, so maybe fewer."""
    n_runs, rng = positive_int("n_runs", n_runs), np.random.default_rng(seed)
    if all(_is_list(values) for values in parameters.values()):
        every = grid_settings(parameters)
        order = rng.permutation(len(every))[:n_runs]
        return [every[i] for i in order]
    return [
        {
            name: values[int(rng.integers(len(values)))] if _is_list(values) else values(rng)
            for name, values in parameters.items()
        }
        for _ in range(n_runs)
    ]


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
