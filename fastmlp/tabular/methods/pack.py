"""A pack: many networks with settings drawn at random, and the best ensemble of them.

The idea is that of TabPack (2026), with AdamW: different networks err differently, so a greedy
choice among many is better than the best one tuned at length. Each thread trains a network of its
own.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.common.validation import positive, positive_int
from fastmlp.engine import threads
from fastmlp.ensemble import Ensemble
from fastmlp.layers import Dropout, Linear, PiecewiseLinearEmbedding, ReLU
from fastmlp.model import Sequential
from fastmlp.optimizers import AdamW
from fastmlp.tabular.methods.inputs import EncodedRows
from fastmlp.tabular.methods.quantiles import QuantileInputs, quantile_edges
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.targets import Targets
from fastmlp.training.pack import fit_many
from fastmlp.training.stopping import EarlyStopping

__all__ = ["Pack", "random_network", "train_pack"]

_WIDTH = 384
_MOST_LAYERS = 3
_BINS, _WIDTHS_OF_NUMBERS = (8, 16, 32, 48), (8, 12, 16, 24)
_EPOCHS, _BATCH, _PATIENCE = 1000, 256, 16
_MOST_CHOSEN = 32
_NETWORKS_A_THREAD = 4  # in one round; after each round, those that cannot be chosen are dropped


def random_network(
    rows: EncodedRows,
    y: np.ndarray,
    n_classes: int,
    seed: int,
    inputs: QuantileInputs | None = None,
) -> Recipe:
    """Return one network of a pack; the seed draws its settings as well as its weights.

    One to three layers of 384 units with ReLU, no dropout or up to a half, a learning rate from
    1e-4 to 5e-3, a weight decay from 1e-3 to 1, and piecewise-linear embeddings of 8 to 48 bins.
    With ``inputs``, the network reads these, so that networks can share their rows.
    """
    rng = np.random.default_rng((seed, 0))
    if inputs is None:
        inputs = QuantileInputs.fitted(rows, rng)
    targets = Targets.fitted(y, n_classes)
    x = inputs(rows)
    width, n_numbers = x.shape[1], inputs.n_numbers
    layers: list[Any] = []
    n_bins, n_made = int(rng.choice(_BINS)), int(rng.choice(_WIDTHS_OF_NUMBERS))
    if n_numbers:
        embedding = PiecewiseLinearEmbedding(width, n_numbers, n_bins, n_made)
        embedding.edges = np.stack([quantile_edges(column, n_bins) for column in x.T[:n_numbers]])
        layers.append(embedding)
        width = embedding.output_width(width)
    n_layers = int(rng.integers(1, _MOST_LAYERS + 1))
    dropout = float(rng.choice((0.0, rng.uniform(0.0, 0.5))))
    for _ in range(n_layers):
        layers += [Linear(width, _WIDTH), ReLU()]
        layers += [Dropout(dropout)] if dropout else []
        width = _WIDTH
    layers.append(Linear(width, targets.n_outputs))
    rate, decay = _log_uniform(rng, 1e-4, 5e-3), _log_uniform(rng, 1e-3, 1.0)
    options: dict[str, Any] = {
        "loss": "cross_entropy" if n_classes else "mse",
        "optimizer": AdamW(rate, weight_decay=decay),
        "epochs": _EPOCHS,
        "batch_size": _BATCH,
        "seed": seed,
    }
    return Recipe(inputs, targets, Sequential(*layers, seed=seed), options, _PATIENCE)


@dataclass(frozen=True)
class Pack:
    """A trained pack.

    Attributes
    ----------
    inputs : QuantileInputs
    targets : Targets
    model : Ensemble
        The networks that were chosen.
    n_trained : int
        How many networks were trained.

    """

    inputs: QuantileInputs
    targets: Targets
    model: Ensemble
    n_trained: int

    def predict(self, rows: EncodedRows) -> np.ndarray:
        """Return probabilities (N, C), or numbers (N,), for encoded rows."""
        found = np.asarray(self.model.predict(self.inputs(rows)), np.float64)
        return found if self.targets.n_classes else self.targets.decode(found)


def train_pack(
    rows: EncodedRows,
    y: np.ndarray,
    rows_val: EncodedRows,
    y_val: np.ndarray,
    *,
    n_classes: int = 0,
    n_networks: int | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    n_threads: int | None = None,
) -> Pack:
    """Train networks until there are enough of them or the time is up, and choose an ensemble.

    Parameters
    ----------
    rows, y
        Encoded training rows and targets.
    rows_val, y_val
        Encoded validation rows: they end the training of a network and choose the ensemble.
    n_classes : int, default 0
        0 if the target is a number.
    n_networks : int, optional
        Default: 32, or as many as there is time for.
    time_limit : float, optional
        Seconds for all of them.
    seed : int, default 0
    n_threads : int, optional
        Default: as many as the process may use.

    """
    started = time.monotonic()
    limit = None if time_limit is None else positive("time_limit", time_limit)
    if n_networks is None:
        most = _MOST_CHOSEN if limit is None else None
    else:
        most = positive_int("n_networks", n_networks)
    inputs = QuantileInputs.fitted(rows, np.random.default_rng((seed, 1)))
    targets = Targets.fitted(y, n_classes)
    X, X_val, z, z_val = inputs(rows), inputs(rows_val), targets.encode(y), targets.encode(y_val)
    at_once = _NETWORKS_A_THREAD * (n_threads or threads.available())
    kept: list[tuple[float, Sequential]] = []
    n_trained = number = 0
    while most is None or number < most:
        left = None if limit is None else limit - (time.monotonic() - started)
        if left is not None and left <= 0 and kept:
            break
        n = at_once if most is None else min(at_once, most - number)
        seeds = [_seed_of(seed, number + i) for i in range(n)]
        recipes = [random_network(rows, y, n_classes, each, inputs) for each in seeds]
        number += n
        histories = fit_many(
            [recipe.model for recipe in recipes],
            X,
            z,
            loss=recipes[0].options["loss"],
            optimizers=[recipe.options["optimizer"] for recipe in recipes],
            epochs=_EPOCHS,
            batch_size=_BATCH,
            validation_data=(X_val, z_val),
            seeds=seeds,
            early_stopping=EarlyStopping(_PATIENCE, "val_loss"),
            restore_best=True,
            n_threads=n_threads,
            time_limit=None if left is None else max(left, 0.01),
            verbose=False,
        )
        for recipe, history in zip(recipes, histories, strict=True):
            if history.best_epoch is not None:
                n_trained += 1
                kept.append((history.val_loss[history.best_epoch], recipe.model))
        kept = sorted(kept, key=lambda pair: pair[0])[:_MOST_CHOSEN]
        if any(history.stopped in ("time limit", "interrupted") for history in histories):
            break
    if not kept:
        raise ValueError("no network had time for an epoch: allow a longer time_limit")
    models = [model for _, model in kept]
    chosen = Ensemble.select(models, X_val, z_val, size=_MOST_CHOSEN)
    return Pack(inputs, targets, chosen, n_trained)


def _seed_of(seed: int, number: int) -> int:
    """Return the seed of a network of a pack."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint32)[0])


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
