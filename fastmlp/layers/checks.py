"""What is asked of layers before they become a model, and before a model is trained."""

import warnings
from collections.abc import Sequence

import numpy as np

from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom
from fastmlp.validation import representable

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
    """Raise ValueError if a setting of one of our layers would be 0 or infinite in the dtype."""
    for index, layer in enumerate(layers):
        if type(layer).__module__.startswith("fastmlp."):
            for name, value in layer.config().items():
                if isinstance(value, float):
                    representable(f"{name} of layer {index}, {layer!r},", value, dtype)


def require_trainable(layers: Sequence[Layer]) -> None:
    """Raise ValueError if a user's layer asks to be held fixed, which nothing would heed."""
    for index, stage in enumerate(layers):
        layer = stage.layer if isinstance(stage, Custom) else stage
        for name in ("trainable", "requires_grad"):
            if getattr(layer, name, True) is False and stage.param_shapes():
                raise ValueError(
                    f"layer {index}, {stage!r}, has {name}=False, but fastmlp trains all that is "
                    "in params: leave fixed arrays out of them"
                )


def warn_of_unlearned(layers: Sequence[Layer]) -> None:
    """Warn of a user's layers with arrays that no step will change."""
    for index, layer in enumerate(layers):
        if isinstance(layer, Custom) and layer.unlearned:
            names = ", ".join(layer.unlearned)
            warnings.warn(
                f"layer {index}, {layer!r}, has the arrays {names} but no params, so that they are "
                "never trained: give it dicts params and grads, or params = {} if they are fixed",
                stacklevel=3,
            )
