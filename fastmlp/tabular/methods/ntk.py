"""Layers of RealMLP in the form x W / sqrt(D) + b."""

import math

import numpy as np

from fastmlp.layers import Linear

__all__ = ["ntk_linear"]


def ntk_linear(weight: np.ndarray, bias: np.ndarray) -> Linear:
    """Return a layer that trains as x W / sqrt(D) + b does with this W (D, H) and b (H,).

    The layer holds W / sqrt(D). Under Adam its rate is divided and its epsilon multiplied by
    sqrt(D), and so its steps are those of W divided by sqrt(D). Biases have a tenth of the rate.
    Decoupled decay of W does not depend on D, and so its factor is sqrt(D) too.
    """
    root = math.sqrt(len(weight))
    layer = Linear(*weight.shape)
    layer.params = {"weight": weight / root, "bias": bias}
    layer.factors = {
        "weight": {"rate": 1.0 / root, "eps": root, "decay": root},
        "bias": {"rate": 0.1},
    }
    return layer
