"""Valid values of each argument: scikit-learn's rules, and those for the additional arguments."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastmlp.layers import NORMALIZATIONS
from fastmlp.sklearn._network import ACTIVATIONS
from fastmlp.training import PRECISIONS

__all__ = ["COMMON", "not_negative", "positive"]


def positive(kind: type = Real) -> Interval:
    """Return the constraint: a number > 0."""
    return Interval(kind, 0, None, closed="neither")


def not_negative(kind: type = Real) -> Interval:
    """Return the constraint: a number >= 0."""
    return Interval(kind, 0, None, closed="left")


_COUNT = Interval(Integral, 1, None, closed="left")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")

_SCIKIT_LEARNS: dict[str, Any] = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", "adamw"})],
    "alpha": [not_negative()],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [positive()],
    "power_t": [not_negative()],
    "max_iter": [_COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [not_negative()],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_BELOW_ONE],
    "beta_1": [_BELOW_ONE],
    "beta_2": [_BELOW_ONE],
    "epsilon": [positive()],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "max_fun": [_COUNT],
}

_OURS: dict[str, Any] = {
    "dropout": [_BELOW_ONE],
    "normalization": [StrOptions(set(NORMALIZATIONS)), None],
    "weight_decay": [not_negative()],
    "clip_norm": [positive(), None],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "restore_best": ["boolean", StrOptions({"auto"})],
    "callbacks": [list, tuple, None],
    "time_limit": [positive(), None],
    "n_threads": [_COUNT, None],
    "matmul_precision": [StrOptions(set(PRECISIONS))],
}

COMMON: dict[str, Any] = _SCIKIT_LEARNS | _OURS
