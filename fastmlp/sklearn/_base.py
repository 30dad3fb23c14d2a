"""The base class of both estimators: checks of arguments and data, training, and prediction."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp import export
from fastmlp.common.rows import Rows
from fastmlp.sklearn import _lbfgs, _network, _sparse, _stochastic
from fastmlp.sklearn._data import as_rows, check_dates, take
from fastmlp.sklearn._estimator import Estimator
from fastmlp.sklearn._held_out import HeldOut, hold_out, split
from fastmlp.sklearn._network import Network, Objective, Views
from fastmlp.sklearn._progress import Progress
from fastmlp.sklearn._types import MatrixLike
from fastmlp.training.callbacks import as_callbacks

__all__ = ["BaseMLP", "store"]

_FLOATS = (np.float64, np.float32)
_SPARSE = ("csr", "csc")


def store(estimator: Any, arguments: dict[str, Any]) -> None:
    """Store the arguments of ``__init__`` unchanged, as attributes of the same names."""
    for name, value in arguments.items():
        if name != "self":
            setattr(estimator, name, value)


class BaseMLP(export.Exported, BaseEstimator, Estimator):
    """Base class of `MLPClassifier` and `MLPRegressor`."""

    @property
    def coefs_(self) -> Views:
        """Weights (fan_in, fan_out) of each layer, as views: edits change the network."""
        return Views(layer.weight for layer in self._trained().linears)

    @coefs_.setter
    def coefs_(self, values: Sequence[Any]) -> None:
        self.coefs_[:] = values

    @property
    def intercepts_(self) -> Views:
        """Biases (fan_out,) of each layer, as views: edits change the network."""
        return Views(layer.params["bias"] for layer in self._trained().linears)

    @intercepts_.setter
    def intercepts_(self, values: Sequence[Any]) -> None:
        self.intercepts_[:] = values

    def _trained(self) -> Network:
        try:
            return vars(self)["_network"]
        except KeyError:
            raise AttributeError(
                f"this {type(self).__name__} has no weights before fit or partial_fit"
            ) from None

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Inspect the signature only once per class: that takes longer than all other checks."""
        if "_param_names" not in vars(cls):
            cls._param_names = tuple(super()._get_param_names())
        return list(cls._param_names)

    _param_names: tuple[str, ...]

    # Training.

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the network to the rows X and their targets y.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
            For a sparse matrix, memory is proportional to the stored values, however wide it is.
        y : array_like, shape (N,) or (N, C)
            For a classifier, the class of each row as a string or number, or several labels per
            row as columns of 0 and 1 (or 0 and another number). For a regressor, numbers; they
            must be >= 0 for the loss poisson.
        sample_weight : array_like, shape (N,), optional
            Weights >= 0, not all 0. Only their ratios matter (but see ``alpha``).
        X_val, y_val : array_like, optional
            Your own validation rows, which are not trained on. They are scored every epoch, and
            with ``early_stopping`` their score decides when to stop.
        sample_weight_val : array_like, optional
            Weights >= 0 of the validation rows; ``class_weight`` applies to them too.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument or the data are invalid, or the loss diverges and there are no better
            weights to restore.

        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        given: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
    ) -> Any:
        started = self._begin(X, y, sample_weight, given, incremental)
        if self.solver == "lbfgs":
            _lbfgs.fit(self, started.network, started.objective, started.rows)
            return self
        with started.network.model.being_trained():
            training = self._training(started, self.n_threads)
            training.run()
            training.finish()
        training.warn()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def _prepared(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        n_threads: int | None = None,
        listeners: Sequence[Any] = (),
    ) -> _stochastic.Training:
        """Return the training that ``fit`` would run, for a pack to run."""
        given = (X_val, y_val, sample_weight_val)
        return self._training(self._begin(X, y, sample_weight, given, False), n_threads, listeners)

    def _begin(
        self, X: Any, y: Any, sample_weight: Any, given: tuple[Any, Any, Any], incremental: bool
    ) -> "_Started":
        """Check everything that ``fit`` was given, and start or continue a network."""
        hidden = _hidden_sizes(self.hidden_layer_sizes)
        self._check_combination(incremental, *given)
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._check_data(X, y, reset=first)
        targets = self._check_targets(y, first, incremental)
        weights = self._row_weights(X, y, sample_weight, incremental)
        self.n_outputs_ = self._count_outputs(targets)
        units = [X.shape[1], *hidden, self.n_outputs_]
        if first:
            self._start(units, X.dtype)
        network = self._continued(units)
        dtype = network.model.dtype
        rows = as_rows(X, targets, weights, dtype)
        objective = self._objective(rows)
        objective.loss.require_dtype(dtype)
        return _Started(network, objective, rows, y, given, incremental)

    def _training(
        self, started: "_Started", n_threads: int | None, listeners: Sequence[Any] = ()
    ) -> _stochastic.Training:
        """Return the training of the network that `_begin` has returned."""
        rows, incremental = started.rows, started.incremental
        visited, held_out = self._hold_out(rows, started.y, started.given)
        return _stochastic.Training(
            self,
            started.network,
            started.objective,
            rows,
            visited,
            held_out,
            1 if incremental else self.max_iter,
            incremental,
            n_threads,
            listeners,
        )

    def _check_combination(
        self, incremental: bool, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> None:
        """Raise an error for arguments that are valid alone but not in combination."""
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together, or neither")
        if X_val is None and sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val: pass them too")
        as_callbacks(self.callbacks or ())
        if self.solver == "lbfgs":
            if self.dropout or self.normalization == "batch":
                raise ValueError(
                    "solver 'lbfgs' needs a deterministic loss, which it does not have with "
                    "dropout or normalization='batch': use solver='adam'"
                )
            if self.clip_norm is not None or X_val is not None:
                raise ValueError(
                    "clip_norm, X_val and y_val have no effect with solver 'lbfgs', which has no "
                    "epochs: use solver='adam'"
                )

    def _check_data(self, X: Any, y: Any, reset: bool) -> tuple[Any, np.ndarray]:
        check_dates(X)
        checked: Any = validate_data(
            self,
            X,
            y,
            accept_sparse=_SPARSE,
            multi_output=True,
            y_numeric=self._numeric_targets,
            dtype=_FLOATS,
            order="C",
            reset=reset,
        )
        return checked

    _numeric_targets = False

    def _row_weights(
        self, X: Any, y: np.ndarray, sample_weight: Any, incremental: bool
    ) -> np.ndarray | None:
        """Return sample weights times class weights, or None if there are neither."""
        weights = self._class_weights(y, incremental)
        if sample_weight is not None:
            given = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            with np.errstate(over="ignore"):
                weights = given if weights is None else weights * given
        if weights is not None and not np.isfinite(weights).all():
            raise ValueError("sample_weight times class_weight must be finite: scale them down")
        if weights is not None and not weights.any():
            raise ValueError(
                "sample_weight times class_weight must not be 0 for every row: nothing would be "
                "learned"
            )
        return weights

    def _start(self, units: list[int], dtype: np.dtype) -> None:
        """Create a network with new random weights; discard all earlier progress."""
        random_state = check_random_state(self.random_state)
        self._network = _network.build(
            units,
            dtype,
            random_state,
            activation=self.activation,
            normalization=self.normalization,
            dropout=self.dropout,
        )
        self._progress = Progress(random_state)
        self._seed = 0
        if self.dropout:  # scikit-learn does not draw this number, so draw it only if needed
            self._seed = int(random_state.randint(2**31))
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(units)
        self.loss_curve_ = []
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = self.validation_loss_curve_ = None
        self.best_validation_score_ = None

    def _continued(self, units: list[int]) -> Network:
        """Return the current network, after checking that the arguments still describe it."""
        network = self._network
        plan = (tuple(units), self.activation, self.normalization, self.dropout > 0)
        if plan != network.plan:
            raise ValueError(
                f"training continues a network of (units, activation, normalization, dropout) "
                f"{network.plan}, but the arguments ask for {plan}: set them back, or start over "
                "by fit with warm_start=False"
            )
        network.set_dropout(self.dropout)
        return network

    def _hold_out(
        self, rows: Rows, y: np.ndarray, given: tuple[Any, Any, Any]
    ) -> tuple[np.ndarray | None, HeldOut | None]:
        """Return the indices of the training rows (None: all), and the validation rows."""
        if given[0] is not None:
            visited = None
            try:
                held_out = self._given(*given, rows.X.dtype)
            except ValueError as error:
                raise ValueError(f"X_val, y_val: {error}") from error
        elif self.early_stopping:
            visited, kept = split(
                self._progress,
                len(rows),
                self.validation_fraction,
                self._class_numbers(rows.targets),
            )
            if rows.weights is not None and not rows.weights[visited].any():
                raise ValueError("every row with a weight above 0 was set aside for validation")
            held_out = hold_out(self, take(rows, kept), self._scored(y[kept]))
        else:
            return None, None
        if self.validation_scores_ is None:
            self.validation_scores_, self.validation_loss_curve_ = [], []
            self.best_validation_score_ = -np.inf
        return visited, held_out

    def _given(self, X: Any, y: Any, sample_weight: Any, dtype: np.dtype) -> HeldOut:
        """Return the validation rows that the user passed, checked."""
        X, y = self._check_data(X, y, reset=False)
        targets = self._check_targets(y, first=False, incremental=True)
        weights = self._row_weights(X, y, sample_weight, incremental=False)
        return hold_out(self, as_rows(X, targets, weights, dtype), self._scored(y))

    # Prediction.

    def _exported(self) -> export.Network:
        check_is_fitted(self)
        return export.network_of(self._network.model, self._head())

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the network's outputs (N, C), before ``out_activation_``."""
        check_is_fitted(self)
        checked = vars(self).get("_held_out_rows")  # a scorer's rows are checked already
        if checked is None or X is not checked:
            check_dates(X)
            X = validate_data(self, X, accept_sparse=_SPARSE, dtype=_FLOATS, order="C", reset=False)
        return _sparse.outputs(self._network.model, X, self.n_threads)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a network; attributes alone may come from a fit that failed."""
        return "_network" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Started(NamedTuple):
    """The network of one call of ``fit``, and the checked rows to train it on."""

    network: Network
    objective: Objective
    rows: Rows
    y: np.ndarray
    given: tuple[Any, Any, Any]
    incremental: bool


def _hidden_sizes(sizes: Any) -> list[int]:
    """Return the hidden layers' sizes as a list of whole numbers above 0."""
    values = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if not all(isinstance(value, Integral) and int(value) > 0 for value in values):
        raise ValueError(f"hidden_layer_sizes must be > 0, whole numbers, got {values}.")
    return [int(value) for value in values]


def has_partial_fit(estimator: BaseMLP) -> bool:
    """Tell whether the solver can continue training; for `available_if`."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True
