"""The classifier."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from fastmlp import losses
from fastmlp.sklearn import _constraints
from fastmlp.sklearn._base import BaseMLP, has_partial_fit, store
from fastmlp.sklearn._data import Rows
from fastmlp.sklearn._labels import Labels
from fastmlp.sklearn._network import Objective

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron for classes: scikit-learn's, trained by fastmlp.

    Arguments, defaults and meaning are those of scikit-learn's class of the same name, and with
    the same ``random_state`` it learns the same weights, but for rounding. What follows
    ``max_fun`` is our own.

    Parameters
    ----------
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
    class_weight : dict, list of dict or "balanced", optional
        Class -> weight, times the sample weight; as elsewhere in scikit-learn.
    label_smoothing : float, default 0.0
        s in [0, 1): the target is (1 - s) onehot + s / C, for a logistic output (1 - s) t + s / 2.
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
        rows; default the accuracy.
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
    classes_ : numpy.ndarray, shape (C,)
    out_activation_ : str
        ``"softmax"``, or ``"logistic"`` for two classes (one output) and for several labels.
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
    >>> from fastmlp.sklearn import MLPClassifier
    >>> classifier = MLPClassifier(dropout=0.2, early_stopping=True, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X[:1])
    """

    _parameter_constraints = _constraints.COMMON | {
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(_constraints.Real, 0, 1, closed="left")],
    }

    class_weight: Any
    label_smoothing: float
    classes_: np.ndarray
    _labels: Labels

    def __init__(
        self,
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
        class_weight=None,
        label_smoothing=0.0,
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
        """Fit the network to rows X of the classes y.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
            Classes: of any type; several labels at once as a matrix of 0 and 1.
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
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Visit each row once more; optimizer and random state go on from call to call.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, C)
        sample_weight : array_like, shape (N,), optional
        classes : array_like, shape (C,), optional
            All classes; needed in the first call.

        Returns
        -------
        self

        """
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._labels = Labels(np.asarray(y) if multilabel else self.classes_)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Return the class of each row, shape (N,), or labels of 0 and 1, shape (N, C)."""
        z = self._outputs(X)  # the largest logit is the largest probability
        return self._labels.decided(z if self.out_activation_ == "softmax" else _logistic(z))

    def predict_proba(self, X):
        """Return the probability of each of ``classes_``, shape (N, C)."""
        p = self._probabilities(self._outputs(X))
        return np.hstack([1 - p, p]) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X):
        """Return the logarithm of each probability, shape (N, C), finite where that is 0."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            z -= z.max(axis=1, keepdims=True)
            z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
            return z
        log_p = -np.logaddexp(0, -z)
        return np.hstack([-np.logaddexp(0, z), log_p]) if self.n_outputs_ == 1 else log_p

    def _probabilities(self, z: np.ndarray) -> np.ndarray:
        """Return the probability of each output of the network; may overwrite z."""
        if self.out_activation_ == "logistic":
            return _logistic(z)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def _check_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if (first and not incremental) or not hasattr(self, "classes_"):
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
        elif not incremental and not self._labels.multilabel:
            self._check_same_classes(np.unique(y))
        codes = self._labels.codes(y)
        if self._labels.kind == "multiclass":
            return codes
        ones = codes.reshape(len(codes), -1).astype(np.float64)
        return (1 - self.label_smoothing) * ones + self.label_smoothing / 2

    def _check_same_classes(self, found: np.ndarray) -> None:
        if set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {found}"
            )

    def _count_outputs(self, targets: np.ndarray) -> int:
        return len(self.classes_) if targets.ndim == 1 else targets.shape[1]

    def _objective(self, rows: Rows) -> Objective:
        n = self.n_outputs_
        if rows.targets.ndim == 1:
            self.out_activation_ = "softmax"
            return Objective(losses.CrossEntropy(self.label_smoothing))
        self.out_activation_ = "logistic"
        return Objective(losses.BinaryCrossEntropy(), 1.0 / n, n)

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' needs all rows at once, which partial_fit does not see: "
                "pass a dict of class -> weight"
            )
        return compute_sample_weight(self.class_weight, y)

    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        if not np.isfinite(outputs).all():
            return np.nan
        if rows.targets.ndim == 1:
            right = outputs.argmax(axis=1) == rows.targets
        else:
            right = ((_logistic(outputs) > 0.5) == (rows.targets > 0.5)).all(axis=1)
        return float(np.average(right, weights=rows.weights))

    def _stratify(self, targets: np.ndarray) -> np.ndarray | None:
        """Binary targets alone, as scikit-learn does."""
        if targets.ndim == 1 or targets.shape[1] > 1:
            return None
        return targets > 0.5

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _logistic(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))
