"""scikit-learn's rules on when to stop, and on which epoch is the best."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.sklearn._estimator import Estimator

__all__ = ["NoImprovement"]


class NoImprovement:
    """Stops when the loss, or the validation score, has not improved by ``tol`` for some epochs.

    This is a `fastmlp.training.stopping.StoppingRule`. An adaptive rate is lowered first.

    Parameters
    ----------
    estimator : Estimator
        Its arguments set the rules, and it receives the best loss and score.
    by_score : bool
        Whether there are validation rows; their score then decides which epoch is the best.

    Attributes
    ----------
    found_best : bool
        Whether an epoch of this call was the best so far.

    """

    def __init__(self, estimator: Estimator, by_score: bool):
        self.estimator, self.progress, self.by_score = estimator, estimator._progress, by_score
        self.best_epoch: int | None = None
        before = estimator.best_validation_score_ if by_score else estimator.best_loss_
        self._began_with_best = before is not None and bool(np.isfinite(before))
        if not estimator.early_stopping and estimator.best_loss_ is None:
            estimator.best_loss_ = np.inf  # None after a fit with early stopping

    @property
    def found_best(self) -> bool:
        return self.best_epoch is not None

    @property
    def has_best(self) -> bool:
        """Whether there is a best epoch, in this call or in one that it continues."""
        return self.found_best or self._began_with_best

    @property
    def epochs_to_end(self) -> float:
        """The fewest epochs after which `reason` could do something; at least 1."""
        waited = self.progress.no_improvement
        return max(1.0, np.floor(self.estimator.n_iter_no_change - waited) + 1.0)

    def update(self, record: Mapping[str, Any]) -> bool:
        """Count epochs without improvement; return whether this one is the best so far."""
        estimator, loss, score = self.estimator, record["loss"], record["val_score"]
        improved = False
        if estimator.early_stopping:  # a score that is NaN is no improvement
            improves_enough = score >= estimator.best_validation_score_ + estimator.tol
        else:
            improves_enough = not loss > estimator.best_loss_ - estimator.tol
            if loss < estimator.best_loss_:
                estimator.best_loss_, improved = loss, not self.by_score
        self.progress.no_improvement = 0 if improves_enough else self.progress.no_improvement + 1
        if score is not None and score > estimator.best_validation_score_:
            estimator.best_validation_score_, improved = score, True
        if improved:
            self.best_epoch = record["epoch"]
        return improved

    def reason(self) -> str | None:
        """Return "converged" for lack of progress; lower an adaptive rate first."""
        estimator, progress = self.estimator, self.progress
        if progress.no_improvement <= estimator.n_iter_no_change:
            return None
        what = "Validation score" if estimator.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
        if adaptive and progress.rate > 1e-6:
            progress.rate /= 5.0
            progress.no_improvement = 0
            if estimator.verbose:
                print(f"{message} Setting learning rate to {progress.rate:f}")
            return None
        if estimator.verbose:
            print(message + (" Learning rate too small." if adaptive else "") + " Stopping.")
        return "converged"
