"""The formulas that turn a network's outputs into an estimator's predictions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.formulas.functions import logistic, softmax
from fastmlp.formulas.rows import joined

__all__ = ["LINKS", "both"]

LINKS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "exp": lambda z: np.exp(z),
    "logistic": logistic,
    "softmax": softmax,
}
"""Name, as in an estimator's ``out_activation_`` -> formula."""


def both(p: Any) -> Any:
    """Return the probabilities of both classes (N, 2), given those of the second (N, 1)."""
    return joined(1 - p, p)
