"""The optimizer of an estimator, which keeps its state from one call of ``fit`` to the next."""

import numpy as np

from fastmlp import optimizers
from fastmlp.sklearn._estimator import Estimator

__all__ = ["resumed_optimizer"]


def resumed_optimizer(estimator: Estimator, scale: float) -> optimizers.Optimizer:
    """Return the optimizer that the arguments ask for, with the state of the previous one."""
    progress = estimator._progress
    rate = float(estimator.learning_rate_init)
    if progress.optimizer is None or progress.rate_init != rate:
        progress.rate = progress.rate_init = rate
    limit = None if estimator.clip_norm is None else estimator.clip_norm * scale
    betas = {"beta1": estimator.beta_1, "beta2": estimator.beta_2}
    made: optimizers.Optimizer
    if estimator.solver == "sgd":
        made = optimizers.SGD(rate, clip_norm=limit)
        # past the checks: as in scikit-learn, momentum may be 1, and nesterov go without any
        vars(made).update(
            momentum=float(estimator.momentum), nesterov=bool(estimator.nesterovs_momentum)
        )
    elif estimator.solver == "adam":
        made = optimizers.Adam(rate, **betas, eps=estimator.epsilon * scale, clip_norm=limit)
    else:
        made = optimizers.AdamW(
            rate,
            **betas,
            eps=estimator.epsilon * scale,
            weight_decay=estimator.weight_decay,
            clip_norm=limit,
        )
    old = progress.optimizer
    if old is not None and old.state_names == made.state_names:
        made.t, made.epoch, made._model_key = old.t, old.epoch, old._model_key
        made.state1, made.state2 = _own(old.state1), _own(old.state2)
    progress.optimizer = made
    return made


def _own(state: np.ndarray | None) -> np.ndarray | None:
    """Return a writeable array: joblib can load one as a read-only memory map."""
    return None if state is None else np.require(state, requirements=["C", "W"])
