"""The networks of a pack: many with different settings, for an ensemble that is chosen greedily.

The idea is that of TabPack (2026): different networks err differently, so the best mean of many is
better than the best network tuned at length. A pack here has networks of two families, RealMLP-TD
and plain ones on piecewise-linear embeddings, because members of one family err alike.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.layers import Dropout, Linear, PiecewiseLinearEmbedding, ReLU
from fastmlp.model import Sequential
from fastmlp.optimizers import AdamW
from fastmlp.tabular.methods import realmlp_td as td
from fastmlp.tabular.methods.inputs import EncodedRows
from fastmlp.tabular.methods.quantiles import QuantileInputs, quantile_edges
from fastmlp.tabular.methods.realmlp_td_s import realmlp_td_s
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets

__all__ = ["N_KINDS", "described", "pack_network"]

N_KINDS = 2
"""Networks 0 and 1 are the usual ones of both families."""

_WIDTH = 384
_MOST_LAYERS = 3
_BINS, _WIDTHS_OF_NUMBERS = (8, 16, 32, 48), (8, 12, 16, 24)
_EPOCHS, _BATCH, _PATIENCE = 1000, 256, 16

_PATIENT_STEPS = 200
"""An epoch of a small table has few steps, so patience is at least as many epochs as have these.
Sixteen epochs of three steps say nothing: they end training long before the error does."""


def pack_network(
    rows: EncodedRows, y: np.ndarray, n_classes: int, seed: int, number: int
) -> Recipe:
    """Return one network of a pack.

    Number 0 is a RealMLP-TD as published, so that a small pack is good too; 1 is a plain network
    with the usual settings, and 2 a RealMLP-TD-S. The settings of the others are drawn at random by
    their number alone, alternately of a plain network and a RealMLP-TD. So networks with the same
    number, trained on different rows, can be judged together.

    Parameters
    ----------
    rows, y
        Encoded training rows and targets.
    n_classes : int
        0 if the target is a number.
    seed : int
        Of the first weights, the order of rows and dropout.
    number : int
        Which settings, from 0.

    """
    settings = _settings(number)
    if settings is None:
        return realmlp_td_s(rows, y, n_classes, seed)
    if isinstance(settings, td.Settings):
        return td.realmlp_td(rows, y, n_classes, seed, settings)
    return _plain(rows, y, n_classes, seed, settings)


def described(number: int) -> str:
    """Return the settings of one network of a pack in words."""
    settings = _settings(number)
    if settings is None:
        return "RealMLP-TD-S"
    if settings is td.PUBLISHED:
        return "RealMLP-TD"
    layers = "-".join(str(width) for width in settings.widths)
    more = f"{layers}, rate {settings.rate:.2g}, dropout {settings.dropout:.2g}, "
    more += f"decay {settings.decay:.2g}"
    if isinstance(settings, td.Settings):
        return f"RealMLP-TD {more}"
    return f"plain {more}, {settings.n_bins} bins"


@dataclass(frozen=True)
class _Plain:
    """The settings of a plain network on piecewise-linear embeddings, as in TabPack."""

    widths: tuple[int, ...] = (_WIDTH, _WIDTH)
    rate: float = 1e-3
    dropout: float = 0.1
    decay: float = 0.03
    n_bins: int = 32
    n_made: int = 12


def _settings(number: int) -> td.Settings | _Plain | None:
    """Return the settings by number; None are those of RealMLP-TD-S."""
    if number < 3:
        return (td.PUBLISHED, _Plain(), None)[number]
    rng = np.random.default_rng((number, 0))
    if number % 2:
        return _Plain(
            widths=(_WIDTH,) * int(rng.integers(1, _MOST_LAYERS + 1)),
            rate=_log_uniform(rng, 3e-4, 3e-3),
            dropout=float(rng.choice((0.0, rng.uniform(0.0, 0.5)))),
            decay=_log_uniform(rng, 1e-3, 1.0),
            n_bins=int(rng.choice(_BINS)),
            n_made=int(rng.choice(_WIDTHS_OF_NUMBERS)),
        )
    widths = ((256, 256, 256), (256, 256), (384, 384), (128, 128, 128, 128))
    return td.Settings(
        widths=widths[int(rng.integers(len(widths)))],
        rate=_log_uniform(rng, 0.4, 2.5),
        dropout=float(rng.choice((0.0, 0.15, 0.3))),
        decay=_log_uniform(rng, 2e-3, 0.1),
        smoothing=float(rng.choice((0.0, 0.1))),
        sigma=_log_uniform(rng, 0.05, 0.5),
    )


def _plain(rows: EncodedRows, y: np.ndarray, n_classes: int, seed: int, settings: _Plain) -> Recipe:
    """Return layers with ReLU after embeddings of the numbers by their quantiles."""
    inputs = QuantileInputs.fitted(rows, np.random.default_rng((seed, 0)))
    targets = Targets.fitted(y, n_classes)
    x = inputs(rows)
    width, n_numbers, n_bins = x.shape[1], inputs.n_numbers, settings.n_bins
    layers: list[Any] = []
    if n_numbers:
        embedding = PiecewiseLinearEmbedding(width, n_numbers, n_bins, settings.n_made)
        embedding.edges = np.stack([quantile_edges(column, n_bins) for column in x.T[:n_numbers]])
        layers.append(embedding)
        width = embedding.output_width(width)
    for n_units in settings.widths:
        layers += [Linear(width, n_units), ReLU()]
        layers += [Dropout(settings.dropout)] if settings.dropout else []
        width = n_units
    layers.append(Linear(width, targets.n_outputs))
    options: dict[str, Any] = {
        "loss": "cross_entropy" if n_classes else "mse",
        "optimizer": AdamW(settings.rate, weight_decay=settings.decay),
        "epochs": _EPOCHS,
        "batch_size": _BATCH,
        "seed": seed,
    }
    patience = max(_PATIENCE, math.ceil(_PATIENT_STEPS / math.ceil(len(x) / _BATCH)))
    return Recipe(inputs, targets, Sequential(*layers, seed=seed), options, patience)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
