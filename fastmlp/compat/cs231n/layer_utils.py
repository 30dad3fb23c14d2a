"""Combinations of layers that are often used together."""

from typing import Any

import numpy as np

from fastmlp.compat.cs231n.layers import (
    affine_backward,
    affine_forward,
    relu_backward,
    relu_forward,
)

__all__ = ["affine_relu_backward", "affine_relu_forward"]


def affine_relu_forward(x: Any, w: Any, b: Any) -> tuple[np.ndarray, Any]:
    """Return max(0, x w + b) and a cache."""
    a, fc_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (fc_cache, relu_cache)


def affine_relu_backward(dout: Any, cache: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(dx, dw, db)``."""
    fc_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), fc_cache)
