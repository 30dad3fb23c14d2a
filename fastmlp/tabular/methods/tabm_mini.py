"""TabM-mini: an ensemble in one network (Gorishniy, Kotelnikov and Babenko, 2025)."""

from typing import Any

import numpy as np

from fastmlp.layers import (
    Dropout,
    MemberHeads,
    Members,
    PiecewiseLinearEmbedding,
    ReLU,
    SharedLinear,
)
from fastmlp.losses import MemberCrossEntropy
from fastmlp.model import Sequential
from fastmlp.optimizers import AdamW
from fastmlp.tabular.methods.inputs import EncodedRows
from fastmlp.tabular.methods.quantiles import QuantileInputs, quantile_edges
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets

__all__ = ["tabm_mini"]

_MEMBERS = 32
_WIDTH, _DROPOUT = 512, 0.1
_BINS, _WIDTH_OF_NUMBERS = 48, 16
_EPOCHS, _BATCH, _PATIENCE = 1000, 256, 16


def tabm_mini(rows: EncodedRows, y: np.ndarray, n_classes: int, seed: int) -> Recipe:
    """Return a TabM-mini: 32 members that share all but the first factors and the output layers.

    Numbers become normal numbers by their quantiles and have piecewise-linear embeddings; then two
    layers of 512 units with ReLU and dropout, or three if there are no numbers. The loss is the
    mean of the members' losses, the prediction the mean of their probabilities or numbers. AdamW,
    and an end after 16 epochs without improvement.
    """
    rng = np.random.default_rng((seed, 0))
    inputs = QuantileInputs.fitted(rows, rng)
    targets = Targets.fitted(y, n_classes, n_members=_MEMBERS)
    x = inputs(rows)
    layers: list[Any] = []
    width, n_numbers = x.shape[1], inputs.n_numbers
    signs = rng.choice((-1.0, 1.0), (_MEMBERS, width))
    if n_numbers:
        embedding = PiecewiseLinearEmbedding(width, n_numbers, _BINS, _WIDTH_OF_NUMBERS)
        embedding.params = embedding.draw(rng)
        embedding.edges = np.stack([quantile_edges(column, _BINS) for column in x.T[:n_numbers]])
        layers.append(embedding)
        # with embeddings, one normal number for each feature and member
        scales = rng.standard_normal((_MEMBERS, width))
        signs = np.repeat(scales, [_WIDTH_OF_NUMBERS] * n_numbers + [1] * (width - n_numbers), 1)
    members = Members(signs.shape[1], _MEMBERS)
    members.weight = signs
    members.factors = {"weight": {"decay": 0.0}}
    layers.append(members)
    n_in = members.width
    for _ in range(2 if n_numbers else 3):
        shared = SharedLinear(n_in, _WIDTH, _MEMBERS)
        shared.params = shared.draw(rng)
        if n_in == members.width:  # as many inputs as there are without the zeros
            shared.weight *= np.sqrt(members.width / members.n_features)
        layers += [shared, ReLU(), Dropout(_DROPOUT)]
        n_in = _WIDTH
    layers.append(MemberHeads(n_in, targets.n_outputs // _MEMBERS, _MEMBERS))
    options: dict[str, Any] = {
        "loss": MemberCrossEntropy(_MEMBERS) if n_classes else "mse",
        "optimizer": AdamW(2e-3, weight_decay=3e-4, clip_norm=1.0),
        "epochs": _EPOCHS,
        "batch_size": _BATCH,
        "seed": seed,
    }
    return Recipe(inputs, targets, Sequential(*layers, seed=seed), options, _PATIENCE)
