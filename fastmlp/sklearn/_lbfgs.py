"""The solver lbfgs: scipy's L-BFGS-B over the loss and gradient of all rows."""

import functools
import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from fastmlp import optimizers
from fastmlp.callbacks import TrainingInfo
from fastmlp.engine import compiled
from fastmlp.history import History
from fastmlp.sklearn import _sparse
from fastmlp.sklearn._data import Rows
from fastmlp.sklearn._network import Network, Objective

if TYPE_CHECKING:
    from fastmlp.sklearn._base import BaseMLP

__all__ = ["fit"]

_NO_CLIPPING = 1e100  # a limit above any gradient: it only makes the step write the gradient out


def fit(estimator: "BaseMLP", network: Network, objective: Objective, rows: Rows) -> None:
    """Minimise the loss of all rows together; set the estimator's fitted attributes.

    In float64 whatever the dtype of the data: in float32 the line search soon finds no descent.
    """
    if network.model.dtype != np.float64:
        wide = Network(network.twin(np.dtype(np.float64)), network.plan)
        fit(estimator, wide, objective, rows.cast(np.dtype(np.float64)))
        network.model.theta = wide.model.theta
        return
    with network.model.being_trained():
        _Minimiser(estimator, network, objective, rows).run()


class _Minimiser:
    """One call of ``fit``."""

    def __init__(self, estimator: "BaseMLP", network: Network, objective: Objective, rows: Rows):
        self.estimator, self.model, self.objective = estimator, network.model, objective
        self.callbacks = estimator.callbacks or ()
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
        self.n_rows = n_rows
        self.no_rate = np.zeros(1)
        self.history = History()

    def run(self) -> None:
        """Minimise."""
        estimator = self.estimator
        estimator.n_iter_, estimator.stopped_ = 0, None
        start = self.model.theta.copy()
        self.reached = start, math.nan
        self.started = self.last = time.perf_counter()
        info = TrainingInfo(self.model, estimator.max_iter, 1, self.n_rows, lambda: self.computed)
        self._tell("on_train_begin", info)
        try:
            status, message = self._minimise()
        except KeyboardInterrupt:
            status, message = 0, ""
            estimator.stopped_ = "interrupted"
            warnings.warn("Training interrupted by user.", stacklevel=6)
        finally:
            self.model.theta, estimator.loss_ = self.reached
            self.history.stopped = estimator.stopped_
            self._tell("on_train_end", self.history)
        known = math.isfinite(estimator.loss_) or estimator.stopped_ == "interrupted"
        if not known or not np.isfinite(self.model.theta).all():
            self.model.theta = start
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        if status != 0 and estimator.stopped_ is None:
            warnings.warn(
                f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status="
                f"{status}): {message}. Increase max_iter (now {estimator.max_iter}) or max_fun, "
                "or scale the data.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _minimise(self) -> tuple[int, str]:
        """Let scipy search; return its status, 0 where it converged, and message."""
        estimator = self.estimator
        options = {
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        }
        with _blas().limit(limits=1):  # scipy's own sums are short: threads only cost time
            result = minimize(
                self.loss_and_gradient,
                self.model.theta.copy(),
                method="L-BFGS-B",
                jac=True,
                callback=self._after_iteration,
                options=options,
            )
        self.model.theta = result.x
        self.reached = result.x, self._found(float(result.fun))
        estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
        return int(result.status), str(result.message)

    def loss_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return both."""
        self.model.theta = theta
        loss = self._sparse_loss() if self.runner is None else self._compiled_loss(self.runner)
        self.computed += 1
        if self.objective.searched_as_reported:
            return self._reported(loss), self.model.grad * self.scale
        return loss * self.scale, self.model.grad * self.scale

    def _compiled_loss(self, runner: compiled.CompiledRunner) -> float:
        """Make a step at rate 0: it computes loss and gradient on all threads, changes nothing."""
        self.optimizer.t = 0
        result = runner.train_epoch(self.order, 0, self.no_rate, lambda: None)
        if result.interrupted:
            raise KeyboardInterrupt
        return float(result.losses[0])

    def _sparse_loss(self) -> float:
        """Compute the same for a sparse matrix that would be large as an array."""
        rows, loss = self.rows, self.objective.loss
        value, _ = _sparse.loss_and_grads(self.model, loss, rows.X, rows.targets, rows.weights)
        return value + _sparse.add_penalties(self.model, self.l2)

    def _reported(self, loss: float) -> float:
        """Return what is reported for a loss of ours, with its penalty."""
        objective, alpha = self.objective, self.alpha
        gap = 1.0 - objective.report_scale * objective.gradient_scale
        penalty = gap * 0.5 * alpha * self.network.squared_weights() / self.mass if gap else 0.0
        return loss * objective.report_scale + penalty + self.offset

    def _found(self, searched: float) -> float:
        """Return what is reported where scipy found a value."""
        if self.objective.searched_as_reported:
            return searched
        return self._reported(searched / self.scale)

    def _after_iteration(self, intermediate_result: OptimizeResult) -> None:
        """Note the loss; stop where a callback or the clock says so."""
        estimator = self.estimator
        loss = self._found(float(intermediate_result.fun))
        self.reached = intermediate_result.x.copy(), loss
        estimator.loss_curve_.append(loss)
        estimator.n_iter_ += 1
        number = estimator.n_iter_
        if estimator.verbose:
            print(f"Iteration {number}, loss = {loss:.8f}")
        now = time.perf_counter()
        record: dict[str, Any] = {"epoch": number - 1, "loss": loss, "seconds": now - self.last}
        self.last = now
        self.history.epochs.append(record)
        answers = self._tell("on_epoch_end", number - 1, record, self.model)
        reason = next((answer for answer in answers if answer), None)
        limit = estimator.time_limit
        if reason is None and limit is not None and now - self.started >= limit:
            reason = "time limit"
        if reason is not None:
            estimator.stopped_ = reason if isinstance(reason, str) else "stopped by a callback"
            raise StopIteration

    def _tell(self, event: str, *arguments: Any) -> list[Any]:
        methods = [getattr(callback, event, None) for callback in self.callbacks]
        return [method(*arguments) for method in methods if method is not None]


@functools.cache
def _blas() -> ThreadpoolController:
    """Return the BLAS libraries of this process; to look for them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
