"""The solvers sgd, adam and adamw: their epochs, and the warnings at the end."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from fastmlp import optimizers
from fastmlp.common.rows import Rows
from fastmlp.engine import compiled
from fastmlp.engine.runner import EpochResult
from fastmlp.engine.several import SeveralRunner
from fastmlp.sklearn import _sparse
from fastmlp.sklearn._ahead import Ahead
from fastmlp.sklearn._estimator import Estimator
from fastmlp.sklearn._held_out import HeldOut
from fastmlp.sklearn._minibatches import Window, minibatches
from fastmlp.sklearn._network import Network, Objective
from fastmlp.sklearn._optimizer import resumed_optimizer
from fastmlp.sklearn._orders import Orders
from fastmlp.sklearn._rules import NoImprovement
from fastmlp.training.callbacks import Callbacks, TimeLimit, TrainingInfo
from fastmlp.training.loop import Loop
from fastmlp.training.reasons import INTERRUPTED, diverged, has_diverged
from fastmlp.training.stopping import Snapshot

__all__ = ["Training"]


class Training:
    """One call of ``fit`` with one of these solvers, prepared; `run` it and then `finish` it.

    Only `run` takes long, and it may run in another thread than the rest, at the same time as those
    of other estimators.

    Parameters
    ----------
    estimator : Estimator
        Its arguments determine the training, and its fitted attributes are set.
    network : Network
    objective : Objective
    rows : Rows
    visited : numpy.ndarray, int64, optional
        Indices of the rows to train on. Default: all.
    validation : HeldOut, optional
    max_iter : int
        Maximum number of epochs.
    incremental : bool
        Whether this is ``partial_fit``, which does not warn that training has not converged.
    n_threads : int, optional
    listeners : sequence of Callback
        Called after each epoch, or after several at once, besides the estimator's own callbacks.

    """

    def __init__(
        self,
        estimator: Estimator,
        network: Network,
        objective: Objective,
        rows: Rows,
        visited: np.ndarray | None,
        validation: HeldOut | None,
        max_iter: int,
        incremental: bool,
        n_threads: int | None,
        listeners: Sequence[Any] = (),
    ):
        self._estimator, self._model, self._incremental = estimator, network.model, incremental
        self._held_out = validation
        self._epochs = _Epochs(estimator, network, objective, rows, visited, validation, n_threads)
        self._loop = self._epochs.loop(max_iter, listeners)

    def run(self) -> None:
        """Train until the last epoch, or until something stops it."""
        loop, estimator = self._loop, self._estimator
        if self._held_out is not None:
            estimator._held_out_rows = self._held_out.rows.X  # which a scorer will pass to predict
        try:
            loop.run(self._epochs.make(loop))
        finally:
            vars(estimator).pop("_held_out_rows", None)

    def finish(self) -> None:
        """Set the attributes that tell how training ended.

        Raises
        ------
        ValueError
            If the weights are not finite.

        """
        estimator, epochs = self._estimator, self._epochs
        estimator.stopped_ = self._loop.reason
        continues = self._incremental or estimator.warm_start
        estimator._progress.order = epochs.orders.order if continues else None
        if not np.isfinite(self._model.theta).all():
            epochs.raise_diverged()

    def warn(self) -> None:
        """Warn of what the user should know about how training ended."""
        for text, kind in _warnings(self._epochs, self._loop, self._incremental):
            warnings.warn(text, kind, stacklevel=5)


def _warnings(
    epochs: "_Epochs", loop: Loop, incremental: bool
) -> Iterator[tuple[str, type[Warning]]]:
    """Yield the warnings for the user, with their categories."""
    reason = loop.reason
    if reason == INTERRUPTED:
        yield "Training interrupted by user.", UserWarning
    elif has_diverged(reason):
        yield (
            f"training {reason}: the loss was not finite; the best weights so far are kept",
            ConvergenceWarning,
        )
    elif not reason and not incremental:
        yield (
            f"Stochastic Optimizer: Maximum iterations ({loop.info.epochs}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
        )
    if epochs.best is not None and not epochs.rule.has_best and epochs.estimator.n_iter_:
        what = "validation score" if epochs.validates else "training loss"
        yield (
            f"the {what} was never a finite number, so no epoch was the best: the weights of the "
            "last one are kept",
            ConvergenceWarning,
        )


class _Epochs:
    """Trains the epochs of one call of ``fit``; see `fastmlp.training.loop.Epochs`."""

    def __init__(
        self,
        estimator: Estimator,
        network: Network,
        objective: Objective,
        rows: Rows,
        visited: np.ndarray | None,
        validation: HeldOut | None,
        n_threads: int | None,
    ):
        self.n_threads = n_threads
        self.estimator, self.objective, self.model = estimator, objective, network.model
        self.rows, self.validation, self.visited = rows, validation, visited
        self.progress = estimator._progress
        self.n_rows = len(rows) if visited is None else len(visited)
        self.batches = minibatches(self.model, estimator.batch_size, self.n_rows)
        self.optimizer = resumed_optimizer(estimator, objective.gradient_scale)
        self.optimizer.prepare(self.model)
        self.start = Snapshot(self.model, self.optimizer)
        restore = estimator.restore_best
        restores = estimator.early_stopping if restore == "auto" else restore
        self.best = Snapshot(self.model) if restores else None
        self.rule = NoImprovement(estimator, by_score=validation is not None)
        self.limits = [] if estimator.time_limit is None else [TimeLimit(estimator.time_limit)]
        self._make_runner()
        self.counts = self.batches.rows
        self.offset: float | None = None
        if validation is not None:
            self.validated = validation.rows.cast(self.model.dtype)
            self.validation_offset = objective.offset(validation.rows)
        self.orders = Orders(self.progress, self.n_rows, estimator.shuffle, visited)
        estimator.n_iter_, estimator.stopped_ = 0, None
        self._trained: list[tuple[np.ndarray, float]] = []  # what each epoch visited, and its time

    def _make_runner(self) -> None:
        estimator, objective = self.estimator, self.objective
        seen = self.rows.cast(self.model.dtype)
        self.window = None
        make: Any = SeveralRunner if self._nobody_looks() else compiled.CompiledRunner
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
            self.n_threads,
            estimator.matmul_precision,
            0.0,
            estimator._seed,
            self.batches.joins,
        )
        # scikit-learn's penalty is 0.5 * alpha * sum(W * W) / rows of the minibatch, a larger one
        # for a short minibatch, and it is reported on the scale of its gradient
        scale = objective.gradient_scale
        alpha = self.rows.scaled_penalty(estimator.alpha)
        self.runner.share_penalty(scale * alpha)
        self.reported_share = 1.0 / (scale * objective.report_scale)
        if isinstance(self.runner, SeveralRunner):
            self.runner.begin(seen, self.batches.count, self.start)

    def _nobody_looks(self) -> bool:
        """Return whether several epochs can follow one another without Python in between."""
        estimator = self.estimator
        shown = estimator.callbacks or estimator.verbose
        return not (shown or self.validates or self.best is not None or issparse(self.rows.X))

    def loop(self, max_iter: int, listeners: Sequence[Any]) -> Loop:
        """Return the loop that runs the epochs."""
        estimator = self.estimator
        callbacks = Callbacks([*(estimator.callbacks or ()), *self.limits, *listeners])
        info = TrainingInfo(
            model=self.model,
            epochs=max_iter,
            steps_per_epoch=self.batches.count,
            n_samples=self.n_rows,
            steps_done=self.runner.steps_done,
        )
        last_good = Snapshot(self.model, self.optimizer) if callbacks.polled else None
        return Loop(
            info,
            callbacks,
            self.rule,
            best=self.best,
            last_good=last_good,
            copies_every_epoch=True,
        )

    def make(self, loop: Loop) -> Callable[[], None]:
        """Return what makes the epochs of the loop."""
        if isinstance(self.runner, SeveralRunner):
            return Ahead(loop, self, self.rule, self.limits).make
        return lambda: loop.make(self)

    @property
    def validates(self) -> bool:
        """Whether there are validation rows."""
        return self.validation is not None

    def train(self, epoch: int, poll: Callable[[], None]) -> EpochResult:
        """Train on every row once."""
        visits = self.orders.draw(1)[0]
        started = time.perf_counter()
        steps, n_correct = [], 0
        rates = self._rates(1)[0]
        whole = [(visits, self.batches.count)]
        for piece, n_steps in whole if self.window is None else self.window.slide(visits):
            result = self.runner.train_epoch(piece, self.estimator.n_iter_, rates[:n_steps], poll)
            steps.append((result.losses, result.penalties, result.masses))
            n_correct += result.n_correct
            if result.diverged_step is not None or result.interrupted:
                break
        self._trained = [(visits, time.perf_counter() - started)]
        losses, penalties, masses = np.concatenate(steps, axis=1)
        diverged = None if result.diverged_step is None else len(losses) - 1
        return EpochResult(losses, penalties, masses, n_correct, diverged, result.interrupted)

    def train_several(self, n_epochs: int, seconds: float) -> list[EpochResult]:
        """Train epochs, see `fastmlp.sklearn._ahead.Epochs`."""
        runner = self.runner
        visits, n_made = self.orders.draw(n_epochs), 0
        try:
            results = runner.train_epochs(visits, self._rates(n_epochs), seconds, _nothing)
            n_made = len(results)
        finally:
            if max(n_made, 1) < n_epochs:
                self.orders.draw_fewer(max(n_made, 1))
        each = visits if len(visits) > 1 else [visits[0]] * n_made
        self._trained = list(zip(each, runner.seconds, strict=False))
        return results

    def _rates(self, n_epochs: int) -> np.ndarray:
        """Return the learning rates of the next epochs, for fastmlp's scale of the gradient."""
        adapts = isinstance(self.optimizer, optimizers.Adam)
        scale = 1.0 if adapts else self.objective.gradient_scale
        rates = [self.progress.rate]
        rates += [self._rate_after(epochs * self.n_rows) for epochs in range(1, n_epochs)]
        return np.repeat(np.array(rates) / scale, self.batches.count).reshape(n_epochs, -1)

    def _rate_after(self, n_rows: int) -> float:
        """Return the learning rate after so many more rows, unless the rule changes it."""
        estimator = self.estimator
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            start = float(estimator.learning_rate_init)
            return start / (estimator.t_ + n_rows + 1) ** estimator.power_t
        return self.progress.rate

    def record(self, epoch: int, result: EpochResult) -> dict[str, Any]:
        """Append to the loss curve, print a line, and set the next learning rate."""
        estimator, progress = self.estimator, self.progress
        visits, seconds = self._trained.pop(0)
        losses = result.losses + (self.reported_share - 1.0) * result.penalties
        loss = float(losses @ self.counts) / self.n_rows * self.objective.report_scale
        loss += self._offset(visits)
        estimator.n_iter_ += 1
        estimator.t_ += self.n_rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        rate, progress.rate = progress.rate, self._rate_after(0)
        n_outputs = self.rows.n_outputs
        return {
            "epoch": epoch,
            "loss": loss,
            "accuracy": self.objective.loss.accuracy(result.n_correct, self.n_rows, n_outputs),
            "val_loss": None,
            "val_accuracy": None,
            "val_score": None,
            "seconds": seconds,
            "learning_rate": rate,
        }

    def _offset(self, visits: np.ndarray) -> float:
        """Return the offset of the reported loss; with weights, it depends on the minibatches."""
        if self.rows.weights is not None:
            return self.objective.offset(self.rows, visits, self.batches.starts)
        if self.offset is None:  # summed in the same order in each call of fit
            self.offset = self.objective.offset(self.rows, self.visited)
        return self.offset

    def validate(self, record: dict[str, Any]) -> None:
        """Append the loss and score of the validation rows to their curves."""
        if self.validation is None:
            return
        estimator, rows = self.estimator, self.validated
        outputs = _sparse.outputs(self.model, rows.X, self.n_threads)
        value, _ = self.objective.loss.compute(outputs, rows.targets, rows.weights)
        val_loss = value * self.objective.report_scale + self.validation_offset
        score = self.validation.score(outputs)
        estimator.validation_loss_curve_.append(val_loss)
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        record["val_loss"], record["val_score"] = val_loss, score

    def diverged(self, step: int) -> str:
        """Stop if there are better weights to restore, else raise an error."""
        estimator = self.estimator
        if self.best is None or not self.rule.found_best:
            self.raise_diverged()
        estimator.n_iter_ += 1
        estimator.loss_curve_.append(math.nan)
        if self.validation is not None:
            estimator.validation_scores_.append(math.nan)
            estimator.validation_loss_curve_.append(math.nan)
        return diverged(f"in epoch {estimator.n_iter_}")

    def raise_diverged(self) -> NoReturn:
        """Restore the state before this call, and raise an error."""
        self.start.restore()
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values "
            f"and need to be preprocessed. (Epoch {self.estimator.n_iter_ + 1}; a lower "
            "learning_rate_init or clip_norm=1.0 may help too.)"
        )


def _nothing() -> None:
    pass
