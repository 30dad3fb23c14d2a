"""The epochs of the solvers sgd, adam and adamw: scikit-learn's rules around our steps."""

import math
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from fastmlp import optimizers
from fastmlp.callbacks import TrainingInfo
from fastmlp.engine import compiled
from fastmlp.engine.runner import EpochResult, Interrupt
from fastmlp.history import History
from fastmlp.sklearn import _sparse
from fastmlp.sklearn._data import Rows
from fastmlp.sklearn._held_out import HeldOut
from fastmlp.sklearn._minibatches import Window, minibatches
from fastmlp.sklearn._network import Network, Objective
from fastmlp.sklearn._progress import resumed_optimizer
from fastmlp.stopping import Checkpoint

if TYPE_CHECKING:
    from fastmlp.sklearn._base import BaseMLP

__all__ = ["fit"]


def fit(
    estimator: "BaseMLP",
    network: Network,
    objective: Objective,
    rows: Rows,
    visited: np.ndarray | None,
    validation: HeldOut | None,
    max_iter: int,
    incremental: bool,
) -> None:
    """Train; set the estimator's fitted attributes.

    Parameters
    ----------
    estimator : BaseMLP
        Its arguments say how.
    network : Network
    objective : Objective
    rows : Rows
    visited : numpy.ndarray, int64, optional
        The rows to learn from; default all.
    validation : HeldOut, optional
    max_iter : int
        Epochs at most.
    incremental : bool
        Whether this is ``partial_fit``: no warning that there might be more epochs.

    """
    with network.model.being_trained():
        _Training(estimator, network, objective, rows, visited, validation, max_iter).run(
            quiet=incremental
        )


class _Training:
    """One call of ``fit``."""

    def __init__(
        self,
        estimator: "BaseMLP",
        network: Network,
        objective: Objective,
        rows: Rows,
        visited: np.ndarray | None,
        validation: HeldOut | None,
        max_iter: int,
    ):
        self.estimator, self.network, self.objective = estimator, network, objective
        self.model = network.model
        self.rows, self.visited, self.validation = rows, visited, validation
        self.max_iter = max_iter
        self.progress = estimator._progress
        self.n_rows = len(rows) if visited is None else len(visited)
        self.batches = minibatches(self.model, estimator.batch_size, self.n_rows)
        self.optimizer = resumed_optimizer(estimator, objective.gradient_scale)
        self.optimizer.prepare(self.model)
        self.start = Checkpoint(self.model, self.optimizer)
        restore = estimator.restore_best
        restores = estimator.early_stopping if restore == "auto" else restore
        self.best = Checkpoint(self.model) if restores else None
        self.has_best = False
        best = estimator.best_loss_ if validation is None else estimator.best_validation_score_
        self.began_with_best = best is not None and bool(np.isfinite(best))
        self.callbacks: Sequence[Any] = estimator.callbacks or ()
        if not estimator.early_stopping and estimator.best_loss_ is None:
            estimator.best_loss_ = np.inf  # it was fitted with early stopping before
        seen = rows.cast(self.model.dtype)
        self.window = None
        make: Any = compiled.CompiledRunner
        if issparse(seen.X) and not _sparse.spreads_out(seen.X, self.batches.size):
            make = _sparse.SparseRunner
        elif issparse(seen.X):
            self.window = Window(seen, self.batches)
            seen = self.window.rows
        self.runner = make(
            self.model,
            objective.loss,
            self.optimizer,
            seen.X,
            seen.targets,
            seen.weights,
            self.batches.size,
            estimator.n_threads,
            estimator.matmul_precision,
            0.0,
            estimator._seed,
            self.batches.joins,
        )
        # scikit-learn's penalty is 0.5 * alpha * sum(W * W) / rows of the minibatch, a larger one
        # for a short minibatch, and it is reported on the scale of its gradient
        scale = objective.gradient_scale
        alpha = rows.scaled_penalty(estimator.alpha)
        self.runner.share_penalty(scale * alpha, 1.0 / (scale * objective.report_scale))
        self.counts = self.batches.rows
        self.rates = np.empty(len(self.counts))
        self.offset: float | None = None
        if validation is not None:
            self.validated = validation.rows.cast(self.model.dtype)
            self.validation_offset = objective.offset(validation.rows)

    def run(self, quiet: bool) -> None:
        """Make the epochs; report."""
        estimator, progress = self.estimator, self.progress
        order = progress.order
        if order is None or len(order) != self.n_rows:
            order = np.arange(self.n_rows)
        self.order = order
        self.history = History()
        estimator.n_iter_, estimator.stopped_ = 0, None
        info = TrainingInfo(
            model=self.model,
            epochs=self.max_iter,
            steps_per_epoch=len(self.counts),
            n_samples=self.n_rows,
            steps_done=self.runner.steps_done,
        )
        self.started = time.perf_counter()
        try:
            self._tell("on_train_begin", info)
            if self.callbacks or self.validation is not None:
                ended = self._train_epochs()
            else:  # nothing to cut short between epochs, so that one signal handler will do
                with Interrupt() as interrupt:
                    ended = self._train_epochs()
                if interrupt.pending:
                    raise KeyboardInterrupt
            if not ended and not quiet:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and "
                    "the optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=6,
                )
        except KeyboardInterrupt:
            estimator.stopped_ = "interrupted"
            warnings.warn("Training interrupted by user.", stacklevel=6)
        finally:
            self.history.stopped = estimator.stopped_
            self._tell("on_train_end", self.history)
        progress.order = self.order if quiet or estimator.warm_start else None
        self._go_back_to_best()
        if not np.isfinite(self.model.theta).all():
            self._raise_diverged()

    def _go_back_to_best(self) -> None:
        """Put the best weights back; the last stay where no score was a number."""
        if self.best is None:
            return
        if self.has_best or self.began_with_best:
            self.best.restore()
        elif self.estimator.n_iter_:
            what = "training loss" if self.validation is None else "validation score"
            warnings.warn(
                f"the {what} was never a finite number, so no epoch was the best: the weights "
                "of the last one are kept",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _train_epochs(self) -> bool:
        """Make the epochs; return whether something ended them before ``max_iter``."""
        for epoch in range(self.max_iter):
            if self.estimator.shuffle:
                self.order = self.order[self.progress.random_state.permutation(self.n_rows)]
            visited = self.order if self.visited is None else self.visited[self.order]
            result, seconds = self._train_epoch(visited)
            if result.interrupted:
                raise KeyboardInterrupt
            if result.diverged_step is not None:
                self._give_up_or_raise()
                return True
            self._report_epoch(epoch, visited, result, seconds)
            if self._converged() or self._stopped():
                return True
        return False

    def _train_epoch(self, order: np.ndarray) -> tuple[EpochResult, float]:
        """Visit every row once."""
        started = time.perf_counter()
        losses, n_correct = [], 0
        self.rates.fill(self._rate())
        whole = [(order, self.batches.count)]
        for piece, n_steps in whole if self.window is None else self.window.slide(order):
            result = self.runner.train_epoch(
                piece, self.estimator.n_iter_, self.rates[:n_steps], self._poll
            )
            losses.append(result.losses)
            n_correct += result.n_correct
            if result.diverged_step is not None or result.interrupted:
                return result, time.perf_counter() - started
        total = losses[0] if len(losses) == 1 else np.concatenate(losses)
        return EpochResult(total, n_correct), time.perf_counter() - started

    def _rate(self) -> float:
        """Return the learning rate that fits our scale of the gradient."""
        adapts = isinstance(self.optimizer, optimizers.Adam)
        return self.progress.rate / (1.0 if adapts else self.objective.gradient_scale)

    def _report_epoch(
        self, epoch: int, order: np.ndarray, result: EpochResult, seconds: float
    ) -> None:
        """Append to the curves, print, and count epochs without progress."""
        estimator, progress = self.estimator, self.progress
        loss = float(result.losses @ self.counts) / self.n_rows * self.objective.report_scale
        loss += self._offset(order)
        estimator.n_iter_ += 1
        estimator.t_ += self.n_rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        val_loss, score = self._validate()
        if estimator.early_stopping:
            self._count_by_score(score)
        else:
            self._count_by_loss(loss)
        if score is not None and score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            self._save_best()
        self._record(epoch, loss, result.n_correct, val_loss, score, seconds)
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            start = float(estimator.learning_rate_init)
            progress.rate = start / (estimator.t_ + 1) ** estimator.power_t

    def _offset(self, order: np.ndarray) -> float:
        """Return what the reported loss has besides; with weights it depends on the minibatches."""
        if self.rows.weights is not None:
            return self.objective.offset(self.rows, order, self.batches.starts)
        if self.offset is None:  # summed in the same order in each call of fit
            self.offset = self.objective.offset(self.rows, self.visited)
        return self.offset

    def _validate(self) -> tuple[float | None, float | None]:
        """Return loss and score of the rows set aside."""
        if self.validation is None:
            return None, None
        estimator, rows = self.estimator, self.validated
        outputs = _sparse.outputs(self.model, rows.X, estimator.n_threads)
        value, _ = self.objective.loss.compute(outputs, rows.targets, rows.weights)
        val_loss = value * self.objective.report_scale + self.validation_offset
        score = self.validation.score(outputs)
        estimator.validation_loss_curve_.append(val_loss)
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        return val_loss, score

    def _count_by_score(self, score: float | None) -> None:
        assert score is not None, "early stopping has validation rows"
        if score >= self.estimator.best_validation_score_ + self.estimator.tol:  # not so if NaN
            self.progress.no_improvement = 0
        else:
            self.progress.no_improvement += 1

    def _count_by_loss(self, loss: float) -> None:
        estimator = self.estimator
        if loss > estimator.best_loss_ - estimator.tol:
            self.progress.no_improvement += 1
        else:
            self.progress.no_improvement = 0
        if loss < estimator.best_loss_:
            estimator.best_loss_ = loss
            if self.validation is None:
                self._save_best()

    def _save_best(self) -> None:
        if self.best is not None:
            self.best.save()
            self.has_best = True

    def _converged(self) -> bool:
        """Tell whether to stop for want of progress; an adaptive rate is lowered first."""
        estimator, progress = self.estimator, self.progress
        if progress.no_improvement <= estimator.n_iter_no_change:
            return False
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
            return False
        if estimator.verbose:
            print(message + (" Learning rate too small." if adaptive else "") + " Stopping.")
        estimator.stopped_ = "converged"
        return True

    def _stopped(self) -> bool:
        """Tell whether a callback or the clock ends training."""
        estimator = self.estimator
        record = self.history.epochs[-1] if self.history.epochs else {}
        answers = self._tell("on_epoch_end", record.get("epoch", 0), record, self.model)
        reason = next((answer for answer in answers if answer), None)
        limit = estimator.time_limit
        if reason is None and limit is not None and time.perf_counter() - self.started >= limit:
            reason = "time limit"
        if reason is None:
            return False
        estimator.stopped_ = reason if isinstance(reason, str) else "stopped by a callback"
        return True

    def _record(
        self,
        epoch: int,
        loss: float,
        n_correct: int,
        val_loss: float | None,
        score: float | None,
        seconds: float,
    ) -> None:
        """Write down what callbacks are told."""
        if not self.callbacks:
            return
        n_outputs = 1 if self.rows.targets.ndim == 1 else self.rows.targets.shape[1]
        self.history.epochs.append(
            {
                "epoch": epoch,
                "loss": loss,
                "accuracy": self.objective.loss.accuracy(n_correct, self.n_rows, n_outputs),
                "val_loss": val_loss,
                "val_accuracy": None,
                "val_score": score,
                "seconds": seconds,
                "learning_rate": self.progress.rate,
            }
        )

    def _give_up_or_raise(self) -> None:
        """After a loss that was not finite: stop where better weights are kept, otherwise raise."""
        estimator = self.estimator
        if self.best is None or not self.has_best:
            self._raise_diverged()
        estimator.n_iter_ += 1
        estimator.loss_curve_.append(math.nan)
        if self.validation is not None:
            estimator.validation_scores_.append(math.nan)
            estimator.validation_loss_curve_.append(math.nan)
        estimator.stopped_ = f"diverged in epoch {estimator.n_iter_}"
        warnings.warn(
            f"training {estimator.stopped_}: the loss was not finite; the best weights so far are "
            "kept",
            ConvergenceWarning,
            stacklevel=8,
        )

    def _raise_diverged(self) -> NoReturn:
        """Put back what was there before this call, and raise."""
        self.start.restore()
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values "
            f"and need to be preprocessed. (Epoch {self.estimator.n_iter_ + 1}; a lower "
            "learning_rate_init or clip_norm=1.0 may help too.)"
        )

    def _tell(self, event: str, *arguments: Any) -> list[Any]:
        methods = [getattr(callback, event, None) for callback in self.callbacks]
        return [method(*arguments) for method in methods if method is not None]

    def _poll(self) -> None:
        self._tell("poll")
