"""Checks on layers, made when a model is built and when it is trained."""

import warnings
from collections.abc import Sequence

import numpy as np

from fastmlp.common.validation import representable
from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom

__all__ = ["require_settings", "require_trainable", "require_widths", "warn_of_unlearned"]


def require_widths(layers: Sequence[Layer]) -> None:
    """Raise ValueError if a layer does not fit the one before it."""
    width: int | None = None
    for index, layer in enumerate(layers):
        if isinstance(layer, Custom):
            width = None
            continue
        width = layer.input_width if width is None else width
        if width is not None:
            try:
                width = layer.output_width(width)
            except ValueError as error:
                raise ValueError(f"layer {index} does not fit the one before it: {error}") from None


def require_settings(layers: Sequence[Layer], dtype: np.dtype) -> None:
    """Raise ValueError if a setting of a built-in layer would be 0 or infinite in the dtype."""
    for index, layer in enumerate(layers):
        if type(layer).__module__.startswith("fastmlp."):
            for name, value in layer.config().items():
                if isinstance(value, float):
                    representable(f"{name} of layer {index}, {layer!r},", value, dtype)


def require_trainable(layers: Sequence[Layer]) -> None:
    """Raise ValueError if a custom layer asks to be frozen: the request would have no effect."""
    for index, stage in enumerate(layers):
        layer = stage.layer if isinstance(stage, Custom) else stage
        for name in ("trainable", "requires_grad"):
            if getattr(layer, name, True) is False and stage.param_shapes():
                raise ValueError(
                    f"layer {index}, {stage!r}, has {name}=False, but fastmlp trains everything "
                    "in params: leave fixed arrays out of params"
                )


def warn_of_unlearned(layers: Sequence[Layer]) -> None:
    """Warn about custom layers with arrays that training will never change."""
    for index, layer in enumerate(layers):
        if isinstance(layer, Custom) and layer.unlearned:
            names = ", ".join(layer.unlearned)
            warnings.warn(
                f"layer {index}, {layer!r}, has the arrays {names} but no params, so they are "
                "never trained: give it dicts params and grads, or params = {} if they are fixed",
                stacklevel=3,
            )
