"""RealMLP-TD (Holzmueller, Grinsztajn and Steinwart, 2024): more accurate than TD-S, and slower."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.layers import (
    Dropout,
    Embedding,
    Linear,
    ParametricActivation,
    PeriodicEmbedding,
    Scale,
)
from fastmlp.model import Sequential
from fastmlp.optimizers import AdamW
from fastmlp.schedules import CosLog4, FlatCos
from fastmlp.tabular.methods.inputs import EncodedRows, Inputs, some_rows
from fastmlp.tabular.methods.ntk import ntk_linear
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets

__all__ = ["PUBLISHED", "Settings", "realmlp_td"]

_EPOCHS, _BATCH = 256, 256
_MOST_ONE_HOT, _WIDTH_OF_CODES = 8, 8
_ROWS_FOR_START = 16384  # at most, to look at for the first weights
_CORNERS = 5


@dataclass(frozen=True)
class Settings:
    """What may differ between networks of a pack; the defaults are the published settings.

    Attributes
    ----------
    widths : tuple of int
        Units of the hidden layers.
    rate : float
        Multiplies the learning rate.
    dropout, decay, smoothing : float
    sigma : float
        Deviation of the first frequencies of numbers.

    """

    widths: tuple[int, ...] = (256, 256, 256)
    rate: float = 1.0
    dropout: float = 0.15
    decay: float = 0.02
    smoothing: float = 0.1
    sigma: float = 0.1


PUBLISHED = Settings()


def realmlp_td(
    rows: EncodedRows, y: np.ndarray, n_classes: int, seed: int, settings: Settings = PUBLISHED
) -> Recipe:
    """Return a RealMLP-TD: embeddings, a scale for each column, and three wide layers in NTK form.

    Numbers have periodic embeddings; categories of more than 8 values are rows of a table, others
    one-hot. Activations are parametric, SELU for classes and Mish for numbers. The weights start
    by the data. Dropout and decoupled weight decay fade out in the second half. Predicted numbers
    stay in the range of the training targets. The rest is as in `realmlp_td_s`.
    """
    rng = np.random.default_rng((seed, 0))
    inputs = Inputs.fitted(rows, _MOST_ONE_HOT)
    targets = Targets.fitted(y, n_classes, clamp=True)
    first = _columns(inputs, rows.numbers.shape[1], settings.sigma, rng)
    sample = rng.permutation(len(rows.numbers))[:_ROWS_FOR_START]
    x = inputs(some_rows(rows, np.sort(sample)))
    for layer in first:
        x = layer.forward(x)
    layers: list[Any] = [*first]
    for n_units in settings.widths:
        hidden = _started(x, n_units, rng)
        activation = ParametricActivation(n_units, "selu" if n_classes else "mish")
        activation.factors = {"mixing": {"rate": 0.1, "decay": 0.1}}
        layers += [hidden, activation]
        layers += [Dropout(settings.dropout)] if settings.dropout else []
        x = activation.forward(hidden.forward(x))
    layers.append(_started(x, targets.n_outputs, rng))
    rate = CosLog4(settings.rate * (0.04 if n_classes else 0.2))
    options: dict[str, Any] = {
        "loss": "cross_entropy" if n_classes else "mse",
        "label_smoothing": settings.smoothing if n_classes else 0.0,
        "optimizer": AdamW(rate, beta2=0.95, weight_decay=settings.decay),
        "fade": FlatCos(1.0),
        "epochs": _EPOCHS,
        "batch_size": _BATCH,
        "drop_last": True,
        "seed": seed,
    }
    return Recipe(inputs, targets, Sequential(*layers, seed=seed), options)


def _columns(inputs: Inputs, n_numbers: int, sigma: float, rng: np.random.Generator) -> list[Any]:
    """Return the layers in front: embeddings of numbers and codes, then the scale.

    The published code multiplies the decay of an array by the square of its rate's factor. One of
    these factors is that of the rate itself.
    """
    layers: list[Any] = []
    width = inputs.n_scaled + len(inputs.embedded)
    if n_numbers:
        layers.append(PeriodicEmbedding(width, n_numbers, sigma=sigma))
        layers[-1].factors = {"weight": {"rate": 0.1, "decay": 0.1}}
    if inputs.embedded:
        before = layers[-1].output_width(width) if layers else width
        layers.append(Embedding(before, len(inputs.embedded), inputs.n_embedded, _WIDTH_OF_CODES))
    for layer in layers:
        layer.params = layer.draw(rng)
        width = layer.output_width(width)
    layers.append(Scale(width))
    layers[-1].factors = {"scale": {"rate": 6.0, "decay": 6.0}}
    return layers


def _started(x: np.ndarray, n_units: int, rng: np.random.Generator) -> Linear:
    """Return an NTK layer whose outputs for these rows have deviation 1.

    The bias of a unit is minus a random mean of its outputs for five random rows, weighted by
    normalised exponential numbers, so that its kink lies among the rows.
    """
    weight = rng.standard_normal((x.shape[1], n_units))
    z = x @ (weight / math.sqrt(len(weight)))
    deviation = z.std(axis=0)
    deviation[deviation == 0.0] = 1.0
    weight, z = weight / deviation, z / deviation
    shares = rng.exponential(size=(n_units, _CORNERS))
    shares /= shares.sum(axis=1, keepdims=True)
    corners = z[rng.integers(0, len(z), (n_units, _CORNERS)), np.arange(n_units)[:, None]]
    return ntk_linear(weight, -(corners * shares).sum(axis=1))
