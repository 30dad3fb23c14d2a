"""The parts of the docstrings that both estimators share."""

from collections.abc import Iterable, Mapping
from inspect import cleandoc
from textwrap import wrap
from typing import TypeVar

from fastmlp.layers import NORMALIZATIONS
from fastmlp.sklearn._network import ACTIVATIONS, REGRESSION_LOSSES

__all__ = ["documented", "filled_in"]

_Estimator = TypeVar("_Estimator", bound=type)


def documented(estimator: _Estimator) -> _Estimator:
    """Replace what is in angle brackets in a class's docstring by the shared parts."""
    return filled_in(estimator, _SHARED)


def filled_in(estimator: _Estimator, parts: Mapping[str, str]) -> _Estimator:
    """Replace the names of parts in angle brackets in a class's docstring by these parts."""
    text = cleandoc(estimator.__doc__ or "")  # there is none with python -OO
    for name, part in parts.items():
        text = text.replace(f"<{name}>", cleandoc(part))
    estimator.__doc__ = text
    return estimator


def _listed(names: Iterable[str]) -> str:
    """Return names as they are typed, wrapped like the description of an argument."""
    *others, last = (f'``"{name}"``' for name in names)
    return "\n    ".join(wrap(f"{', '.join(others)} and {last}", 92))


_SHARED = {
    "arguments that scikit-learn has too": """
        hidden_layer_sizes : int or sequence of int, default (100,)
            Units of each hidden layer.
        activation : str, default "relu"
            Activation of the hidden layers: ``"identity"``, ``"logistic"``, ``"tanh"`` and
            ``"relu"`` as in scikit-learn; also
            <activations that scikit-learn lacks>.
        solver : {"lbfgs", "sgd", "adam", "adamw"}, default "adam"
            ``"adamw"`` is Adam with decoupled ``weight_decay``.
        alpha : float, default 1e-4
            L2 penalty: 0.5 * alpha * sum(W * W) divided by the number of rows in the minibatch, or
            by the sum of their weights. This is the only place where the scale of weights matters.
        batch_size : int, default "auto"
            Rows per step; "auto" is min(200, N). With normalization="batch", a single left-over
            row joins the minibatch before it.
        learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
            For the solver sgd: constant; learning_rate_init / (t + 1) ** power_t; or divided by 5
            after every ``n_iter_no_change`` epochs without progress.
        learning_rate_init : float, default 1e-3
        power_t : float, default 0.5
        max_iter : int, default 200
            Maximum number of epochs, or of iterations for lbfgs.
        shuffle : bool, default True
        random_state : int, RandomState or None, default None
            Source of the initial weights, validation rows, minibatches and dropout. The first
            three are the same as in scikit-learn.
        tol : float, default 1e-4
            Smallest change of loss or score that counts as progress; for lbfgs, the gradient at
            which to stop.
        verbose : bool, default False
            Whether to print a line per epoch.
        warm_start : bool, default False
            Whether ``fit`` continues from the previous call. Unlike in scikit-learn, the state of
            the optimizer and the random state continue too: n calls of one epoch give the same
            bits as one call of n epochs (unless the best weights are restored in between).
        momentum : float, default 0.9
        nesterovs_momentum : bool, default True
        early_stopping : bool, default False
            Whether to set aside ``validation_fraction`` of the rows (unless validation rows are
            passed to ``fit``), stop when their score no longer improves, and restore the best
            weights. If no score was finite, the last weights are kept, with a warning. Two
            classes keep their proportions, as in scikit-learn; each of several or rare classes
            gets at least one validation row if it has two rows and there is room. lbfgs ignores
            this, as in scikit-learn.
        validation_fraction : float, default 0.1
        beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
            Parameters of Adam. epsilon is added to the bias-corrected root (Kingma and Ba, 2015,
            algorithm 1); scikit-learn adds it before the correction, which makes a difference
            only if gradients are almost 0.
        n_iter_no_change : int or inf, default 10
            Number of epochs without progress after which to stop.
        max_fun : int, default 15000
            Maximum number of loss evaluations, for lbfgs.
        """,
    "arguments that both have besides": """
        dropout : float, default 0.0
            Probability of dropping a hidden unit; >= 0 and < 1.
        normalization : str, optional
            Normalisation in each hidden layer, before its activation: <normalizations>.
            If minibatches are single rows (batch_size=1, or partial_fit with a row at a time),
            which have no variance, "batch" normalises with the running statistics, as in
            prediction, and updates them.
        weight_decay : float, default 0.01
            Weight decay of the solver adamw.
        clip_norm : float, optional
            Largest norm of the gradient of all parameters together; larger ones are scaled down.
        scoring : str or callable, optional
            A scikit-learn scorer, or ``scorer(estimator, X, y) -> float``, for the validation
            rows. Default: the estimator's ``score``. A scorer that takes ``sample_weight`` gets
            the rows' weights. It is tried before training: an error or warning tells if it fails
            or returns NaN on these rows.
        restore_best : bool, default "auto"
            Whether to restore the weights of the best epoch at the end, by score or, without
            validation rows, by loss. "auto" means: with ``early_stopping``.
        callbacks : list of fastmlp.Callback, optional
            Called between epochs with the ``fastmlp.Sequential``.
        time_limit : float, optional
            Seconds after which no new epoch starts.
        n_threads : int, optional
            Number of threads. Default: all that the process may use. Results do not depend on it.
        matmul_precision : {"highest", "high", "medium"}, default "highest"
            Precision of float32 matrix products, see `fastmlp.Sequential.fit`. Very wide sparse
            rows are always multiplied in full precision.
        """,
    "attributes of both": """
        coefs_, intercepts_ : list of numpy.ndarray
            Weights (fan_in, fan_out) and biases (fan_out,) of each layer; float32 if X was, else
            float64. They are views: edits change the network.
        n_iter_, t_ : int
            Number of epochs in the last ``fit``; number of rows trained on, in all epochs.
        loss_, best_loss_ : float
            Last and best loss, including the penalty; ``best_loss_`` is None with
            ``early_stopping``.
        loss_curve_ : list of float
            Loss of each epoch (of each iteration, for lbfgs).
        validation_scores_, validation_loss_curve_ : list of float or None
            Score and loss of each epoch, if there are validation rows.
        best_validation_score_ : float or None
        stopped_ : str or None
            Why training ended before ``max_iter``: ``"converged"``, ``"time limit"``,
            ``"interrupted"``, ``"diverged in epoch n"``, or the reason that a callback gave.
        n_features_in_, n_layers_, n_outputs_ : int
        feature_names_in_ : numpy.ndarray
            Column names of X, if it had any.
        """,
    "arguments of ensembles": """
        n_members : int, default 10
            Number of networks.
        rows : {"bootstrap", "folds", "all"}, default "bootstrap"
            What each network learns from: as many rows as there are, drawn with replacement (from
            each class by itself); all but one of ``n_members`` folds; or all rows, so that only the
            initial weights and the order of rows differ.
        random_state : int, RandomState or None, default None
            Source of the rows and of each network's own ``random_state``.
        n_jobs : int, optional
            Number of networks to train at a time. Default, and -1: one for each thread that the
            process may use. Results do not depend on it.
        """,
    "attributes of ensembles": """
        estimators_ : list
            The trained networks.
        oof_predictions_ : numpy.ndarray or None
            For each row the mean prediction of the networks that did not see it; NaN if all did.
            None with rows="all".
        oof_score_ : float or None
            Accuracy or R2 of these predictions.
        n_features_in_ : int
        feature_names_in_ : numpy.ndarray
            Column names of X, if it had any.
        """,
    "activations that scikit-learn lacks": _listed(list(ACTIVATIONS)[4:]),
    "losses that scikit-learn lacks": _listed(list(REGRESSION_LOSSES)[2:]),
    "normalizations": _listed(NORMALIZATIONS),
}
