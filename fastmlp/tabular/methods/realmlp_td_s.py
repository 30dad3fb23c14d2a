"""RealMLP-TD-S, the small RealMLP (Holzmueller, Grinsztajn and Steinwart, 2024)."""

from typing import Any

import numpy as np

from fastmlp.layers import SELU, Mish, Scale
from fastmlp.model import Sequential
from fastmlp.optimizers import Adam
from fastmlp.schedules import CosLog4
from fastmlp.tabular.methods.inputs import EncodedRows, Inputs
from fastmlp.tabular.methods.ntk import ntk_linear
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets

__all__ = ["realmlp_td_s"]

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
