"""RealMLP-TD-S, the small RealMLP (Holzmueller, Grinsztajn and Steinwart, 2024)."""

import math
from typing import Any

import numpy as np

from fastmlp.layers import SELU, Linear, Mish, Scale
from fastmlp.model import Sequential
from fastmlp.optimizers import Adam
from fastmlp.schedules import CosLog4
from fastmlp.tabular.methods.inputs import EncodedRows, Inputs
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets

__all__ = ["ntk_linear", "realmlp_td_s"]

_WIDTHS = (256, 256, 256)
_EPOCHS, _BATCH = 256, 256


def realmlp_td_s(rows: EncodedRows, y: np.ndarray, n_classes: int, seed: int) -> Recipe:
    """Return a RealMLP-TD-S: a scale for each column and three wide layers in NTK form.

    Categories are one-hot. SELU and label smoothing of 0.1 for classes, Mish for numbers. Adam with
    the rate of `CosLog4`, 6 times that for the scales and a tenth for biases.
    """
    rng = np.random.default_rng((seed, 0))
    inputs, targets = Inputs.fitted(rows), Targets.fitted(y, n_classes)
    width = inputs.n_scaled
    scale = Scale(width)
    scale.factors = {"scale": {"rate": 6.0}}
    layers: list[Any] = [scale]
    for n_units in _WIDTHS:
        weight, bias = rng.standard_normal((width, n_units)), rng.standard_normal(n_units)
        layers += [ntk_linear(weight, bias), SELU() if n_classes else Mish()]
        width = n_units
    layers.append(ntk_linear(np.zeros((width, targets.n_outputs)), np.zeros(targets.n_outputs)))
    options: dict[str, Any] = {
        "loss": "cross_entropy" if n_classes else "mse",
        "label_smoothing": 0.1 if n_classes else 0.0,
        "optimizer": Adam(CosLog4(0.04 if n_classes else 0.07), beta2=0.95),
        "epochs": _EPOCHS,
        "batch_size": _BATCH,
        "drop_last": True,
        "seed": seed,
    }
    return Recipe(inputs, targets, Sequential(*layers, seed=seed), options)


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
