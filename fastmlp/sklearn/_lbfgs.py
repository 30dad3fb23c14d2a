"""The solver lbfgs: scipy's L-BFGS-B over the loss and gradient of all rows."""

import functools
import math
import time
import warnings
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from fastmlp import optimizers
from fastmlp.common.rows import Rows
from fastmlp.engine import compiled, layerwise
from fastmlp.sklearn import _sparse
from fastmlp.sklearn._estimator import Estimator
from fastmlp.sklearn._network import Network, Objective
from fastmlp.training.callbacks import Callbacks, TimeLimit, TrainingInfo
from fastmlp.training.history import COLUMNS
from fastmlp.training.loop import Loop
from fastmlp.training.reasons import INTERRUPTED

__all__ = ["fit"]

_NO_CLIPPING = 1e100  # a limit above any gradient, which only makes the step store the gradient


def fit(estimator: Estimator, network: Network, objective: Objective, rows: Rows) -> None:
    """Minimise the loss over all rows; set the estimator's fitted attributes.

    This uses float64 for any data: in float32, the line search soon fails to find a descent.
    """
    model, wide = network.model, network
    if model.dtype != np.float64:
        wide = Network(network.twin(np.dtype(np.float64)), network.plan)
        rows = rows.cast(np.dtype(np.float64))
    with model.being_trained():
        try:
            _Minimiser(estimator, wide, objective, rows).run()
        finally:
            if wide is not network:
                model.theta = wide.model.theta


class _Minimiser:
    """One call of ``fit``."""

    def __init__(self, estimator: Estimator, network: Network, objective: Objective, rows: Rows):
        self.estimator, self.model, self.objective = estimator, network.model, objective
        n_rows = len(rows)
        mass = n_rows if rows.weights is None else float(rows.weights.sum())
        self.scale = 1.0 / objective.gradient_scale  # scipy's tol is meant for this scale
        self.network, self.mass = network, mass
        self.offset = objective.offset(rows)
        self.rows = rows
        self.alpha = rows.scaled_penalty(estimator.alpha)
        self.optimizer = optimizers.SGD(0.0, clip_norm=_NO_CLIPPING)
        self.optimizer.prepare(self.model)
        self.l2 = objective.gradient_scale * self.alpha / mass
        self.runner: compiled.CompiledRunner | None = None
        if not issparse(rows.X):
            self.runner = compiled.CompiledRunner(
                self.model,
                objective.loss,
                self.optimizer,
                rows.X,
                rows.targets,
                rows.weights,
                n_rows,
                estimator.n_threads,
                estimator.matmul_precision,
                self.l2,
                0,
            )
        self.computed = 0
        self.order = np.arange(n_rows)
        self.no_rate = np.zeros(1)
        limit = [] if estimator.time_limit is None else [TimeLimit(estimator.time_limit)]
        self.loop = Loop(
            TrainingInfo(self.model, estimator.max_iter, 1, n_rows, lambda: self.computed),
            Callbacks([*(estimator.callbacks or ()), *limit]),
        )

    def run(self) -> None:
        """Minimise."""
        estimator = self.estimator
        estimator.n_iter_, estimator.stopped_, estimator.loss_ = 0, None, math.nan
        start = self.model.theta.copy()
        self.reached = start, math.nan
        self.status, self.message = 0, ""
        self.last = time.perf_counter()
        self.loop.run(self._minimise)
        estimator.stopped_ = self.loop.reason
        if estimator.stopped_ == INTERRUPTED:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        known = math.isfinite(estimator.loss_) or estimator.stopped_ == INTERRUPTED
        if not known or not np.isfinite(self.model.theta).all():
            self.model.theta = start
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        if self.status != 0 and estimator.stopped_ is None:
            warnings.warn(
                f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) "
                f"(status={self.status}): {self.message}. Increase max_iter (now "
                f"{estimator.max_iter}) or max_fun, or scale the data.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _minimise(self) -> None:
        """Run scipy's minimiser; its status is 0 if it converged."""
        estimator = self.estimator
        options = {
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        }
        try:
            with _blas().limit(limits=1):  # scipy's sums are too short for threads
                result = minimize(
                    self.loss_and_gradient,
                    self.model.theta.copy(),
                    method="L-BFGS-B",
                    jac=True,
                    callback=self._after_iteration,
                    options=options,
                )
            self.reached = result.x, self._found(float(result.fun))
            estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
            self.status, self.message = int(result.status), str(result.message)
        finally:
            self.model.theta, estimator.loss_ = self.reached

    def loss_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss of all rows and its gradient at ``theta``."""
        self.model.theta = theta
        loss = self._sparse_loss() if self.runner is None else self._compiled_loss(self.runner)
        self.computed += 1
        if self.objective.searched_as_reported:
            return self._reported(loss), self.model.grad * self.scale
        return loss * self.scale, self.model.grad * self.scale

    def _compiled_loss(self, runner: compiled.CompiledRunner) -> float:
        """Take a step at rate 0, which computes loss and gradient but changes no weights."""
        self.optimizer.t = 0
        result = runner.train_epoch(self.order, 0, self.no_rate, lambda: None)
        if result.interrupted:
            raise KeyboardInterrupt
        return float(result.losses[0])

    def _sparse_loss(self) -> float:
        """Compute the same for a sparse matrix that would be too large as an array."""
        rows, loss = self.rows, self.objective.loss
        value, _ = _sparse.loss_and_grads(self.model, loss, rows.X, rows.targets, rows.weights)
        return value + layerwise.add_penalties(self.model, self.l2)

    def _reported(self, loss: float) -> float:
        """Return the loss to report, with the penalty, for one on fastmlp's scale."""
        objective, alpha = self.objective, self.alpha
        gap = 1.0 - objective.report_scale * objective.gradient_scale
        penalty = gap * 0.5 * alpha * self.network.squared_weights() / self.mass if gap else 0.0
        return loss * objective.report_scale + penalty + self.offset

    def _found(self, searched: float) -> float:
        """Return the loss to report for a value of scipy's objective."""
        if self.objective.searched_as_reported:
            return searched
        return self._reported(searched / self.scale)

    def _after_iteration(self, intermediate_result: OptimizeResult) -> None:
        """Record the loss; stop if a callback or the time limit says so."""
        estimator = self.estimator
        loss = self._found(float(intermediate_result.fun))
        self.reached = intermediate_result.x.copy(), loss
        estimator.loss_curve_.append(loss)
        estimator.n_iter_ += 1
        number = estimator.n_iter_
        if estimator.verbose:
            print(f"Iteration {number}, loss = {loss:.8f}")
        now = time.perf_counter()
        record: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "epoch": number - 1,
            "loss": loss,
            "seconds": now - self.last,
        }
        self.last = now
        self.loop.history.epochs.append(record)
        if self.loop.end_epoch(record):
            raise StopIteration


@functools.cache
def _blas() -> ThreadpoolController:
    """Return the BLAS libraries of this process; cached, as the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
