"""MLPRegressor."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import Tags, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from fastmlp import losses
from fastmlp.common.errors import counted
from fastmlp.common.rows import Rows
from fastmlp.export import Head
from fastmlp.sklearn import _constraints
from fastmlp.sklearn._base import BaseMLP, has_partial_fit, store
from fastmlp.sklearn._data import r2
from fastmlp.sklearn._docs import documented
from fastmlp.sklearn._network import REGRESSION_LOSSES, Objective
from fastmlp.sklearn._types import MatrixLike, RandomState

__all__ = ["MLPRegressor"]


@documented
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor: scikit-learn's MLPRegressor, trained by fastmlp.

    The arguments up to ``max_fun`` are those of scikit-learn's class of the same name, with the
    same meaning and defaults; those after ``max_fun`` are fastmlp's own. With the same
    ``random_state``, it learns the same weights as scikit-learn, up to rounding.

    Parameters
    ----------
    loss : str, default "squared_error"
        ``"squared_error"`` (half of it) and ``"poisson"`` (predictions are exp(z)), as in
        scikit-learn; also
        <losses that scikit-learn lacks>.
    <arguments that scikit-learn has too>
    huber_delta : float, default 1.0
        Error at which the Huber loss turns from quadratic to linear, in units of y.
    quantile : float, default 0.5
        Quantile to predict with the loss quantile; > 0 and < 1.
    <arguments that both have besides>

    Attributes
    ----------
    out_activation_ : str
        ``"identity"``, or ``"exp"`` for the loss poisson.
    <attributes of both>

    Examples
    --------
    >>> from fastmlp.sklearn import MLPRegressor
    >>> regressor = MLPRegressor(loss="quantile", quantile=0.9, random_state=0)
    >>> regressor.fit(X, y).predict(X[:1])
    """

    _parameter_constraints = _constraints.COMMON | {
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "huber_delta": [_constraints.positive()],
        "quantile": [Interval(_constraints.Real, 0, 1, closed="neither")],
    }
    _numeric_targets = True
    loss: str
    huber_delta: float
    quantile: float

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        dropout: float = 0.0,
        normalization: str | None = None,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        restore_best: bool | str = "auto",
        callbacks: Sequence[Any] | None = None,
        time_limit: float | None = None,
        n_threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        store(self, locals())

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch on the given rows, continuing from the previous call.

        The optimizer's state and the random state are kept between calls.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        self

        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the predicted values, shape (N,) or (N, C)."""
        predictions = self._link(self._outputs(X))
        return predictions[:, 0] if predictions.shape[1] == 1 else predictions

    def _link(self, outputs: np.ndarray) -> np.ndarray:
        return np.exp(outputs) if self.out_activation_ == "exp" else outputs

    def _head(self) -> Head:
        return Head(self.out_activation_)

    def _check_targets(self, y: np.ndarray, first: bool, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.dtype.kind not in "fiub":
            raise ValueError(f"y must hold numbers, got dtype {y.dtype}")
        targets = y[:, None] if y.ndim == 1 else y
        if self.loss == "poisson" and targets.min() < 0:
            raise ValueError(
                f"y must hold values of at least 0 for the loss 'poisson', got {targets.min()}"
            )
        if not first and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y must have {counted(self.n_outputs_, 'column')}, as before, got "
                f"{targets.shape[1]}"
            )
        return targets.astype(np.float64, copy=False)

    def _count_outputs(self, targets: np.ndarray) -> int:
        return targets.shape[1]

    def _objective(self, rows: Rows) -> Objective:
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        n = self.n_outputs_
        if self.loss == "squared_error":
            return Objective(losses.MSE(), 2.0 / n, 0.5)
        if self.loss == "poisson":
            return Objective(losses.Poisson(), 1.0 / n, n, _deviance_of_targets)
        return Objective(self._own_loss(), 1.0 / n, searched_as_reported=False)

    def _own_loss(self) -> losses.Loss:
        """Return one of the losses that scikit-learn does not have."""
        settings = {"huber": {"delta": self.huber_delta}, "quantile": {"q": self.quantile}}
        return REGRESSION_LOSSES[self.loss](**settings.get(self.loss, {}))

    def _class_weights(self, y: np.ndarray, incremental: bool) -> None:
        return None

    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        return r2(rows.targets, self._link(outputs), rows.weights)

    def _scored(self, y: np.ndarray) -> np.ndarray:
        return y

    def _class_numbers(self, targets: np.ndarray) -> None:
        return None

    def _lacks(self, targets: np.ndarray) -> str:
        return ""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _deviance_of_targets(targets: np.ndarray) -> np.ndarray:
    """Return t log t - t, the part of half a Poisson deviance that depends only on targets."""
    t = targets.astype(np.float64)
    return (xlogy(t, t) - t).sum(axis=1)
