"""The regressor."""

import numpy as np
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from fastmlp import losses
from fastmlp.sklearn import _constraints
from fastmlp.sklearn._base import BaseMLP, has_partial_fit, store
from fastmlp.sklearn._data import Rows, r2
from fastmlp.sklearn._network import Objective

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron for numbers: scikit-learn's, trained by fastmlp.

    Arguments, defaults and meaning are those of scikit-learn's class of the same name, and with
    the same ``random_state`` it learns the same weights, but for rounding. What follows
    ``max_fun`` is our own.

    Parameters
    ----------
    loss : str, default "squared_error"
        ``"squared_error"`` (half of it) and ``"poisson"`` (predictions are exp(z)) as in
        scikit-learn; also ``"absolute_error"``, ``"huber"``, ``"quantile"``.
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer.
    activation : str, default "relu"
        Of the hidden layers: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, and beyond
        scikit-learn's ``"leaky_relu"``, ``"elu"``, ``"selu"``, ``"gelu"``, ``"silu"``, ``"mish"``.
    solver : {"lbfgs", "sgd", "adam", "adamw"}, default "adam"
        ``"adamw"`` is Adam with decoupled ``weight_decay``.
    alpha : float, default 1e-4
        L2 penalty: 0.5 * alpha * sum(W * W) / rows of the minibatch (with weighted rows: / the
        average weight of a minibatch).
    batch_size : int, default "auto"
        Rows a step; "auto" is min(200, N).
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        For the solver sgd: constant; learning_rate_init / (t + 1) ** power_t; or divided by 5
        whenever ``n_iter_no_change`` epochs bring no progress.
    learning_rate_init : float, default 1e-3
    power_t : float, default 0.5
    max_iter : int, default 200
        Epochs, or iterations of lbfgs, at most.
    shuffle : bool, default True
    random_state : int, RandomState or None, default None
        Of starting weights, validation rows, minibatches and dropout; the first three are those
        that scikit-learn draws.
    tol : float, default 1e-4
        Progress that counts, in loss or score; for lbfgs the gradient at which to stop.
    verbose : bool, default False
        Whether to print a line an epoch.
    warm_start : bool, default False
        Whether ``fit`` goes on from where it was. Unlike in scikit-learn, so do the state of the
        optimizer and the random state: n times one epoch is one time n epochs, bit for bit (where
        the best weights are not restored in between).
    momentum : float, default 0.9
    nesterovs_momentum : bool, default True
    early_stopping : bool, default False
        Whether to set ``validation_fraction`` of the rows aside (unless ``fit`` is given some),
        stop when their score no longer rises, and restore the best weights.
    validation_fraction : float, default 0.1
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        Of Adam; epsilon stands outside the bias-corrected root (Kingma and Ba, 2015, algorithm 1),
        where scikit-learn has it inside of the correction: a difference only where gradients are
        almost 0.
    n_iter_no_change : int or inf, default 10
        Epochs without progress after which to stop.
    max_fun : int, default 15000
        Calls of the loss at most, for lbfgs.
    huber_delta : float, default 1.0
        Where the Huber loss turns from square to linear, in units of y.
    quantile : float, default 0.5
        Of the loss quantile; > 0, < 1.
    dropout : float, default 0.0
        Probability of dropping a hidden unit; >= 0, < 1.
    normalization : {"batch", "layer"}, optional
        Between the product and the activation of each hidden layer.
    weight_decay : float, default 0.01
        Of the solver adamw.
    clip_norm : float, optional
        The gradient of all parameters together is scaled down to this norm.
    scoring : str or callable, optional
        A scorer of scikit-learn's, or ``scorer(estimator, X, y) -> float``, for the validation
        rows; default R2.
    restore_best : bool, default "auto"
        Whether to end with the weights of the best epoch, by score or, without validation rows, by
        loss; "auto": where ``early_stopping`` is on.
    callbacks : list of fastmlp.Callback, optional
        Run between epochs; they are handed the ``fastmlp.Sequential``.
    time_limit : float, optional
        Seconds after which no further epoch begins.
    n_threads : int, optional
        Default: what the process may use. The result does not depend on it.
    matmul_precision : {"highest", "high", "medium"}, default "highest"
        Of products in float32, see `fastmlp.Sequential.fit`.

    Attributes
    ----------
    out_activation_ : str
        ``"identity"``, or ``"exp"`` for the loss poisson.
    coefs_, intercepts_ : list of numpy.ndarray
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer, float32 where X was, else
        float64; views, so that edits take effect.
    n_iter_, t_ : int
        Epochs of the last ``fit``; rows visited in all.
    loss_, best_loss_ : float
        Penalty included; ``best_loss_`` is None with ``early_stopping``.
    loss_curve_ : list of float
        A value an epoch (an iteration, for lbfgs).
    validation_scores_, validation_loss_curve_ : list of float or None
        A value an epoch, where there are validation rows.
    best_validation_score_ : float or None
    stopped_ : str or None
        Why training ended before ``max_iter``: ``"converged"``, ``"time limit"``,
        ``"interrupted"``, ``"diverged in epoch n"``, or what a callback said.
    n_features_in_, n_layers_, n_outputs_ : int
    feature_names_in_ : numpy.ndarray
        Where X had names.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPRegressor
    >>> regressor = MLPRegressor(loss="quantile", quantile=0.9, random_state=0)
    >>> regressor.fit(X, y).predict(X[:1])
    """

    _parameter_constraints = _constraints.COMMON | {
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "quantile"})],
        "huber_delta": [_constraints.positive()],
        "quantile": [Interval(_constraints.Real, 0, 1, closed="neither")],
    }
    _numeric_targets = True
    loss: str
    huber_delta: float
    quantile: float

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        huber_delta=1.0,
        quantile=0.5,
        dropout=0.0,
        normalization=None,
        weight_decay=0.01,
        clip_norm=None,
        scoring=None,
        restore_best="auto",
        callbacks=None,
        time_limit=None,
        n_threads=None,
        matmul_precision="highest",
    ):
        store(self, locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the network to rows X and targets y.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
            Numbers; for the loss poisson >= 0.
        sample_weight : array_like, shape (N,), optional
            >= 0.
        X_val, y_val : array_like, optional
            Validation rows of your own, not learned from: they are scored every epoch, and decide
            on stopping with ``early_stopping``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument or the data are not as they should be, or the loss diverges and there
            are no better weights to go back to.

        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Visit each row once more; optimizer and random state go on from call to call.

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

    def predict(self, X):
        """Return the predicted values, shape (N,) or (N, C)."""
        predictions = self._link(self._outputs(X))
        return predictions[:, 0] if predictions.shape[1] == 1 else predictions

    def _link(self, outputs: np.ndarray) -> np.ndarray:
        return np.exp(outputs) if self.out_activation_ == "exp" else outputs

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
                f"y must have {self.n_outputs_} columns as before, got {targets.shape[1]}"
            )
        return targets.astype(np.float64, copy=False)

    def _count_outputs(self, targets: np.ndarray) -> int:
        return targets.shape[1]

    def _objective(self, rows: Rows) -> Objective:
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        n = self.n_outputs_
        if self.loss == "squared_error":
            return Objective(losses.MSE(), 2.0 / n, 0.5)
        if self.loss == "absolute_error":
            return Objective(losses.MAE(), 1.0 / n)
        if self.loss == "huber":
            return Objective(losses.Huber(self.huber_delta), 1.0 / n)
        if self.loss == "quantile":
            return Objective(losses.Quantile(self.quantile), 1.0 / n)
        t = rows.targets.astype(np.float64)
        constant = np.average((xlogy(t, t) - t).sum(axis=1), weights=rows.weights)
        return Objective(losses.Poisson(), 1.0 / n, n, float(constant))

    def _class_weights(self, y: np.ndarray, incremental: bool) -> None:
        return None

    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        return r2(rows.targets, self._link(outputs), rows.weights)

    def _stratify(self, targets: np.ndarray) -> None:
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
